"""Barge-in as time lines: what the VAD says, whether the agent's voice is on the wire, and what is done.

A line is a string with one character a frame of the VAD: `S` speech (0.9), `m` between the two thresholds, `.` silence.
"""

from __future__ import annotations

import numpy as np
import pytest

from media.bargein import DUCKED, JUDGE_TICKS, PAUSED, PLAYING, BargeInRows
from media.frames import BargeIn

LEVEL = {"S": 0.9, "m": 0.4, ".": 0.0}
SETTINGS = BargeIn(enabled=True, threshold=0.5, cooldown_ms=400)


class Row:
    """Row 1 of two; the other stays untouched."""

    def __init__(self, settings: BargeIn = SETTINGS) -> None:
        self.rows = BargeInRows(2)
        self.rows.open_row(1, settings)
        self.now = 0
        self.end = 0

    def frame(self, sound: str, speaking: bool = True, judged: bool = True) -> str:
        self.end += 256
        self.now += 1
        one = np.array([False, True])
        probability = np.array([0, LEVEL[sound]], np.float32)
        end = np.array([0, self.end])
        reaction = self.rows.step(self.now, probability, one & judged, end, one & speaking)
        names = ("started", "stopped", "duck", "pause", "resume")
        for name in names:
            assert not getattr(reaction, name)[0]
        happened = [name for name in names if getattr(reaction, name)[1]]
        times = {"started": int(reaction.onset[1]), "stopped": int(reaction.offset[1])}
        return " ".join(f"{name}@{times[name]}" if name in times else name for name in happened)

    def play(self, sounds: str, speaking: bool = True) -> list[str]:
        return [self.frame(sound, speaking) for sound in sounds]


def test_duck_at_the_first_frame_pause_at_the_second() -> None:
    row = Row()
    assert row.play(".SSS") == ["", "started@256 duck", "pause", ""]
    assert row.rows.mode[1] == PAUSED


def test_a_single_frame_only_ducks() -> None:
    row = Row()
    assert row.play(".S..") == ["", "started@256 duck", "stopped@512 resume", ""]
    assert row.rows.mode[1] == PLAYING


def test_speech_goes_on_down_to_the_lower_threshold() -> None:
    assert Row().play("m.SmSm.") == ["", "", "started@512 duck", "pause", "", "", "stopped@1536"]


def test_nobody_judges_and_the_voice_comes_back() -> None:
    row = Row()
    row.play("SS")
    assert row.frame("S", speaking=False) == ""
    assert row.frame(".", speaking=False) == "stopped@768"
    quiet = [row.frame(".", speaking=False) for _ in range(JUDGE_TICKS)]
    assert quiet.index("resume") == JUDGE_TICKS - 3
    assert set(quiet) == {"", "resume"}
    assert row.rows.mode[1] == PLAYING


def test_a_caller_who_speaks_on_is_not_spoken_over() -> None:
    row = Row()
    row.play("SS")
    assert row.play("S" * (2 * JUDGE_TICKS), speaking=False) == [""] * (2 * JUDGE_TICKS)
    assert row.frame(".", speaking=False).endswith("resume")


def test_speech_is_told_when_the_agent_is_silent_too() -> None:
    row = Row()
    assert row.play(".SS.", speaking=False) == ["", "started@256", "", "stopped@768"]
    assert row.rows.mode[1] == PLAYING


def test_a_voice_that_begins_over_speech_is_stopped_at_once() -> None:
    row = Row()
    row.play("SS", speaking=False)
    assert row.play("SS") == ["duck", "pause"]


def test_a_duck_ends_with_the_voice() -> None:
    row = Row()
    row.play("S")
    assert row.frame("S", speaking=False) == "resume"


def test_uninterruptible_rows_tell_and_do_nothing() -> None:
    row = Row(BargeIn(enabled=False, threshold=0.5))
    assert row.play("SSS.") == ["started@0", "", "", "stopped@768"]
    row.rows.set(1, SETTINGS)
    assert row.play("SS") == ["started@1024 duck", "pause"]


def test_becoming_uninterruptible_gives_a_ducked_voice_back() -> None:
    row = Row()
    row.play("S")
    row.rows.set(1, BargeIn(enabled=False, threshold=0.5))
    assert row.frame("S") == "resume"


def test_after_a_verdict_the_same_speech_moves_nothing() -> None:
    row = Row()
    row.play("SS")
    row.rows.settle(1)
    assert row.rows.mode[1] == PLAYING
    assert row.play("SS.") == ["", "", "stopped@1024"]
    assert row.play("SS") == ["started@1280 duck", "pause"]


def test_a_verdict_after_the_speech_leaves_the_next_one_alone() -> None:
    row = Row()
    row.play("SS.")
    row.rows.settle(1)
    assert row.play("SS") == ["started@768 duck", "pause"]


@pytest.mark.parametrize(("ticks", "starts"), [(1, False), (20, False), (21, True)])
def test_the_agents_own_echo_needs_more_to_begin(ticks: int, starts: bool) -> None:
    # 0.9 passes the raised threshold, 0.6 does not: 400 ms are 20 ticks.
    row = Row(SETTINGS)
    row.play("..")
    row.now += ticks - 1
    row.rows.step(row.now, np.zeros(2, np.float32), np.zeros(2, bool), np.zeros(2, np.int64), np.zeros(2, bool))
    one = np.array([False, True])
    weak = np.array([0, 0.6], np.float32)
    reaction = row.rows.step(row.now + 1, weak, one, np.array([0, 999]), np.zeros(2, bool))
    assert bool(reaction.started[1]) is starts


def test_without_cooldown_nothing_is_raised() -> None:
    row = Row(BargeIn(threshold=0.3, cooldown_ms=0))
    row.play("..")
    assert row.frame("m", speaking=False) == "started@512"


def test_ticks_without_a_judged_frame_change_nothing() -> None:
    row = Row()
    row.frame("S")
    assert row.rows.mode[1] == DUCKED
    assert [row.frame(sound, judged=False) for sound in "S.S"] == ["", "", ""]
    assert row.rows.mode[1] == DUCKED
    assert row.frame("S") == "pause"


def test_a_new_call_begins_anew() -> None:
    row = Row()
    row.play("SS")
    row.rows.close_row(1)
    row.rows.open_row(1, SETTINGS)
    assert row.rows.mode[1] == PLAYING
    assert row.play("S")[0].startswith("started")
