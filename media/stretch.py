"""Speech made shorter or longer by one period of its pitch, for some rows at once, so that nobody hears its delay change.

What is played glides, over the length of one period, from the signal to the same signal a period later (accelerate) or earlier
(preemptive expand): the idea of WSOLA, and of NetEQ's time stretching. Where no period is alike enough it is left alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.frames import LINE_SAMPLES, Pcm

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

SHORTEST = 20
LONGEST = 120
"""Periods of 2.5 to 15 ms, samples at 8 kHz."""
COMPARED = 120
LIKE = 0.9
ANYTHING = -1.5
QUIET = 32.0
"""RMS below which a signal is background, in which nobody hears a joint: -60 dB below full scale."""

_LAGS = LONGEST - SHORTEST + 1


def shorten(signal: Pcm, room: Longs, like: Floats) -> tuple[Pcm, Longs]:
    """20 ms from more than 20 ms. signal: int16, (k, 280), of which the first 160 + room are there; room: (k,).

    like: (k,), how much it has to be alike, LIKE as a rule; ANYTHING takes the best period there is. Returns frames, int16, (k, 160),
    and how many samples were left out, (k,), 0 where nothing was done.
    """
    ahead = signal[:, SHORTEST : LONGEST + COMPARED]
    lags = np.arange(SHORTEST, LONGEST + 1)
    lag = _best(signal[:, :COMPARED], ahead, lags, lags <= room[:, None], like)
    return _glide(signal, 0, lag), lag


def lengthen(signal: Pcm, like: Floats) -> tuple[Pcm, Longs]:
    """20 ms from less than 20 ms. signal: int16, (k, 280), of which the first 120 have been played. Returns as `shorten` does."""
    behind = signal[:, : _LAGS + COMPARED - 1]
    lags = np.arange(LONGEST, SHORTEST - 1, -1)
    lag = _best(signal[:, LONGEST : LONGEST + COMPARED], behind, lags, np.ones((len(signal), _LAGS), np.bool_), like)
    return _glide(signal, LONGEST, -lag), lag


def _best(base: Pcm, other: Pcm, lags: Longs, possible: Bools, like: Floats) -> Longs:
    """The lag at which they are most alike; 0 where that is not enough."""
    near, far = base.astype(np.float32), other.astype(np.float32)
    alike = np.einsum("kls,ks->kl", np.lib.stride_tricks.sliding_window_view(far, COMPARED, axis=1), near)
    power = np.cumsum(np.square(far, dtype=np.float64), axis=1)
    power = power[:, COMPARED - 1 :] - np.pad(power[:, :-COMPARED], ((0, 0), (1, 0)))
    own = np.square(near, dtype=np.float64).sum(axis=1)
    alike = np.where(possible, alike / np.sqrt((power + 1) * (own[:, None] + 1)), -2)
    best = np.argmax(alike, axis=1)
    likeness = alike[np.arange(len(best)), best]
    quiet = own < COMPARED * QUIET**2
    fine = (likeness >= ANYTHING) & (quiet | (likeness >= like))
    return np.where(fine, lags[best], 0)


def _glide(signal: Pcm, start: int, by: Longs) -> Pcm:
    along = np.arange(LINE_SAMPLES)
    here = signal[:, start : start + LINE_SAMPLES].astype(np.float32)
    there = np.take_along_axis(signal, start + along + by[:, None], axis=1)
    rise = np.minimum((along + 1) / (np.abs(by) + 1)[:, None], 1).astype(np.float32)
    return np.asarray(np.rint(here + (there - here) * rise), np.int16)
