"""Background sounds in rows: level, ramps, loops without a seam, several rows with several sounds."""

from __future__ import annotations

import numpy as np
import pytest

from media.background import NONE, STEP, BackgroundRows
from media.frames import Pcm
from media.sound_table import Sound, SoundTable, attach, halved
from media.sounds import RMS, built_in, level
from tests.tones import hears, strength, tone

ROWS = 4
LOW, HIGH = 0, 1
AMPLITUDE = 8000
SETTLED = 25
"""Ticks after which any volume has been reached."""


def table() -> SoundTable:
    """Two sounds of different lengths, 2 s and 1.5 s: 500 Hz and 1200 Hz, whole periods of both."""
    pcm = [tone(500, 2.0, AMPLITUDE, 16000), tone(1200, 1.5, AMPLITUDE, 16000)]
    return SoundTable([Sound(str(number), str(number), True, part) for number, part in enumerate(pcm)])


def background() -> BackgroundRows:
    made = table()
    made.close()
    return BackgroundRows(ROWS, made.loops)


def play(
    rows: BackgroundRows, ticks: int, first: int = 0, sends: bool = True, bridged: bool = False, samples: int = 160
) -> Pcm:
    """What is added to silence: (rows, ticks * samples)."""
    frames = []
    for tick in range(first, first + ticks):
        rows.step(tick, np.full(ROWS, sends), np.full(ROWS, bridged))
        pcm = np.zeros((ROWS, samples), np.int16)
        rows.mix(pcm)
        frames.append(pcm)
    return np.concatenate(frames, axis=1)


def steepest(pcm: Pcm) -> int:
    return int(np.abs(np.diff(pcm.astype(int))).max())


def test_each_row_has_its_sound_at_its_volume_and_the_others_none() -> None:
    rows = background()
    rows.set(0, LOW, 0.5)
    rows.set(2, HIGH, 0.1)
    pcm = play(rows, 200)[:, SETTLED * 160 :]
    assert strength(pcm[0], 500) == pytest.approx(AMPLITUDE * 0.5, rel=0.02)
    assert strength(pcm[2], 1200) == pytest.approx(AMPLITUDE * 0.1, rel=0.02)
    assert not hears(pcm[0], 1200)
    assert not hears(pcm[2], 500)
    assert not pcm[[1, 3]].any()


@pytest.mark.parametrize("samples", [160, 320])
def test_it_comes_goes_round_the_loop_changes_and_goes_without_a_click(samples: int) -> None:
    rows = background()
    rows.set(1, LOW, 1.0)
    parts = [play(rows, 210, samples=samples)]
    rows.set(1, HIGH, 0.5)
    parts.append(play(rows, 190, 210, samples=samples))
    rows.set(1, NONE, 0)
    parts.append(play(rows, SETTLED, 400, samples=samples))
    pcm = np.concatenate(parts, axis=1)[1]
    # The steepest that either tone is by itself: a cut would be steeper, a missing or doubled sample at the seam too.
    assert steepest(pcm) <= AMPLITUDE * 2 * np.pi * 600 / (50 * samples) * 1.05
    assert not pcm[-160:].any()
    assert not rows.any


def test_the_level_moves_by_so_much_a_tick_and_no_more() -> None:
    rows = background()
    rows.set(0, LOW, 0.15)
    pcm = play(rows, 6)[0].reshape(6, 160)
    tops = [strength(frame, 500) / AMPLITUDE for frame in play(rows, 4, 6)[0].reshape(1, -1)]
    assert np.abs(pcm[0]).max() <= AMPLITUDE * STEP
    assert np.abs(pcm[1]).max() <= AMPLITUDE * 2 * STEP
    assert tops[0] == pytest.approx(0.15, rel=0.02)


def test_under_speech_it_is_so_many_decibels_below_and_saturates_at_the_top() -> None:
    rows = background()
    rows.set(0, LOW, 0.15)
    play(rows, SETTLED)
    rows.step(SETTLED, np.ones(ROWS, np.bool_), np.zeros(ROWS, np.bool_))
    pcm = np.full((ROWS, 160), 32700, np.int16)
    rows.mix(pcm)
    assert pcm[0].max() == 32767
    assert pcm[0].min() < 32700
    assert (pcm[1] == 32700).all()
    made = play(rows, 100, SETTLED + 1)[0].astype(float)
    assert 20 * np.log10(made.std() / tone(500, 2.0, AMPLITUDE).std()) == pytest.approx(-16.5, abs=0.2)


def test_a_bridge_silences_it_and_a_hold_lets_it_come_back_by_a_ramp_at_the_same_place() -> None:
    rows, other = background(), background()
    for each in (rows, other):
        each.set(0, LOW, 0.5)
        play(each, 50)
    assert not play(rows, 50, 50, bridged=True)[0, -160:].any()
    assert rows.any
    assert not play(rows, 20, 100, sends=False).any()
    back = play(rows, 60, 120)[0]
    play(other, 70, 50)
    assert np.abs(back[:160]).max() <= AMPLITUDE * STEP
    assert np.array_equal(back[-1600:], play(other, 60, 120)[0, -1600:])


def test_what_is_no_sound_is_silence_and_a_closed_row_has_nothing() -> None:
    rows = background()
    for number in (-5, 2, 99):
        rows.set(0, number, 1.0)
    assert not rows.any
    rows.set(0, LOW, 1.0)
    play(rows, SETTLED)
    rows.close_row(0)
    assert not rows.any
    assert not play(rows, 2).any()


def test_only_the_rows_that_are_named_get_it() -> None:
    rows = background()
    rows.set(0, LOW, 1.0)
    rows.set(1, LOW, 1.0)
    play(rows, SETTLED)
    pcm = np.zeros((ROWS, 320), np.int16)
    rows.mix(pcm, np.array([1, 3]))
    assert pcm[1].any()
    assert not pcm[[0, 2, 3]].any()


def test_a_process_that_maps_the_table_finds_the_same_and_cannot_write() -> None:
    made = table()
    found = attach(made.fd)
    made.fd = -1
    for ours, theirs in zip(
        (made.loops.narrow, made.loops.wide, made.loops.first, made.loops.length),
        (found.narrow, found.wide, found.first, found.length),
        strict=True,
    ):
        assert np.array_equal(ours, theirs)
    with pytest.raises(ValueError, match="read-only"):
        found.wide[0, 0] = 1
    nothing = SoundTable()
    assert len(attach(nothing.fd).length) == 0


def test_half_the_rate_is_the_same_sound_and_still_a_loop() -> None:
    made = halved(np.asarray(tone(500, 1.0, 8000, 16000) + tone(5000, 1.0, 8000, 16000), np.int16))
    assert strength(made, 500) == pytest.approx(8000, rel=0.01)
    assert not hears(made, 3000)
    assert np.abs(made.astype(int) - tone(500, 1.0, 8000)).max() <= 2


def test_the_built_in_sounds_are_loops_as_loud_as_speech_and_no_two_alike() -> None:
    made = built_in()
    assert sorted(made) == ["cafe", "call-centre", "office", "rain", "room-tone"]
    for name, pcm in made.items():
        assert len(pcm) % 320 == 0, name
        assert np.sqrt(np.square(pcm.astype(float)).mean()) == pytest.approx(RMS, rel=0.01), name
        seam = np.abs(np.diff(np.concatenate((pcm[-1:], pcm[:1])).astype(int)))[0]
        assert seam <= np.percentile(np.abs(np.diff(pcm.astype(int))), 99.9), name
        assert pcm.any()
    assert np.array_equal(built_in()["rain"], made["rain"])


def test_a_sound_whose_peaks_allow_no_more_stays_quieter() -> None:
    clicks = np.zeros(16000)
    clicks[::4000] = 100
    assert np.abs(level(clicks)).max() == 32767
    assert not level(np.zeros(320)).any()
