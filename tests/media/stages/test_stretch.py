"""Time stretching: a period more or less, without a seam, and only where a period can be found."""

from __future__ import annotations

import numpy as np
import pytest

from media.stretch import ANYTHING, LIKE, LONGEST, lengthen, shorten

SIGNAL = 280


def wave(frequency: float, start: int = 0, samples: int = SIGNAL) -> np.ndarray:
    at = np.arange(start, start + samples) / 8000
    return np.rint(6000 * np.sin(2 * np.pi * frequency * at)).astype(np.int16)


def alike(*lines: float) -> np.ndarray:
    return np.array(lines)


ROOM = np.array([LONGEST])


@pytest.mark.parametrize("frequency", [80, 125, 200, 333])
def test_whole_periods_are_left_out_or_added_and_nobody_hears_a_seam(frequency: int) -> None:
    period = 8000 / frequency
    steep = 2 * np.pi * frequency * 6000 / 8000 + 40
    signal = wave(frequency)[None]
    for made, lag, goes_on in (
        (*shorten(signal, ROOM, alike(LIKE)), 160 + 1),
        (*lengthen(signal, alike(LIKE)), LONGEST + 160 - 1),
    ):
        assert 20 <= lag[0] <= LONGEST
        assert lag[0] / period == pytest.approx(round(lag[0] / period), abs=0.03)
        sign = 1 if goes_on == 161 else -1
        after = LONGEST * (sign < 0) + 160 + sign * int(lag[0])
        joined = np.concatenate((made[0], wave(frequency, after, 160))).astype(int)
        assert np.abs(np.diff(joined)).max() <= steep
        assert np.abs(joined).max() == pytest.approx(6000, rel=0.02)


def test_noise_is_left_alone_but_where_it_has_to_change() -> None:
    noise = np.random.default_rng(1).normal(0, 3000, (1, SIGNAL)).astype(np.int16)
    made, lag = shorten(noise, ROOM, alike(LIKE))
    assert lag[0] == 0
    assert np.array_equal(made, noise[:, :160])
    made, lag = lengthen(noise, alike(LIKE))
    assert lag[0] == 0
    assert np.array_equal(made, noise[:, LONGEST:])
    assert shorten(noise, ROOM, alike(ANYTHING))[1][0] >= 20
    assert lengthen(noise, alike(ANYTHING))[1][0] >= 20


def test_background_is_stretched_whatever_it_is() -> None:
    quiet = np.random.default_rng(2).normal(0, 8, (1, SIGNAL)).astype(np.int16)
    assert shorten(quiet, ROOM, alike(LIKE))[1][0] > 0
    assert lengthen(np.zeros((1, SIGNAL), np.int16), alike(LIKE))[1][0] > 0


def test_no_more_is_left_out_than_is_there_and_each_row_is_its_own() -> None:
    rows = np.stack([wave(80), wave(80), wave(200)])
    made, lag = shorten(rows, np.array([LONGEST, 60, 60]), alike(LIKE, LIKE, LIKE))
    assert lag[0] == 100
    assert lag[1] == 0
    assert lag[2] == 40
    assert np.array_equal(made[1], rows[1, :160])
