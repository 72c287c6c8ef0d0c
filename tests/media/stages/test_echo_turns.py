"""The judge of echoes, row by row: whose turn it is when there are more to be searched than a step has time for, and the line's noise."""

from __future__ import annotations

import numpy as np
import pytest

from media.echo import SEARCHES, WINDOW, EchoRows
from media.echo_guard import line_noise

ROWS = 2 * SEARCHES + 6
TICKS = 50
EVERY = np.arange(ROWS)


class Calls:
    """Calls whose agents have spoken for a second, each with other words."""

    def __init__(self) -> None:
        self.echo = EchoRows(ROWS)
        self.chance = np.random.default_rng(5)
        said = self.chance.normal(0, 3000, (TICKS, ROWS, 160)).astype(np.int16)
        for tick, pcm in enumerate(said):
            self.echo.said(tick, pcm)
        self.tick = TICKS
        half = said >> 1
        line = (half[:, :, 0::2] + half[:, :, 1::2]).transpose(1, 0, 2).reshape(ROWS, -1)
        self._late = line[:, -WINDOW - 400 - 1 : -400].astype(np.float32) * np.float32(0.1)

    def judge(self, echoes: np.ndarray, rows: np.ndarray = EVERY) -> np.ndarray:
        """What came is our voice where `echoes`, 100 ms late and 20 dB weaker, and else somebody else's."""
        other = self.chance.normal(0, 300, (ROWS, WINDOW + 1)).astype(np.float32)
        window = np.where(echoes[:, None], self._late, other)
        size = len(rows)
        found = self.echo.judge(rows, window[rows], np.full(size, TICKS * 80), np.zeros(size, np.float32))
        self.echo.said(self.tick, np.zeros((ROWS, 160), np.int16))
        self.tick += 1
        return found


def test_echoes_beyond_what_a_step_searches_are_found_in_the_next() -> None:
    calls = Calls()
    every = np.ones(ROWS, bool)
    assert [int(calls.judge(every).sum()) for _ in range(3)] == [SEARCHES, 2 * SEARCHES, ROWS]


def test_callers_who_are_known_to_speak_do_not_keep_an_echo_from_being_searched() -> None:
    """The echo comes on the last row, while more callers than a step searches speak on all the rows before it."""
    calls = Calls()
    nobody = np.zeros(ROWS, bool)
    for _ in range(3):
        assert not calls.judge(nobody, EVERY[:-1]).any()
    assert calls.judge(EVERY == ROWS - 1)[-1]


def test_whose_turn_was_missed_is_first_in_the_next_step() -> None:
    calls = Calls()
    for _ in range(2):
        assert not calls.judge(np.zeros(ROWS, bool)).any()
    found = calls.judge(np.ones(ROWS, bool))
    assert found[2 * SEARCHES :].all()
    assert found.sum() == SEARCHES


@pytest.mark.parametrize(("there", "known"), [(64, True), (8, True), (7, False), (0, False)])
def test_the_lines_noise_is_that_of_frames_that_came(there: int, known: bool) -> None:
    """Cells that hold nothing of the call, or what was made up, are no quiet moment."""
    chance = np.random.default_rng(2)
    heard = chance.normal(0, 5, (1, 64, 80)).astype(np.float32)
    heard[:, : 64 - there] = 0
    came = np.arange(64)[None] >= 64 - there
    noise = line_noise(heard.reshape(1, -1), came)[0]
    # First differences of white noise have twice its power.
    assert bool(noise > WINDOW * 25) is known
    assert noise < WINDOW * 55
    assert bool(noise == 0) is not known
