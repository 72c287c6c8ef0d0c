"""Packet loss concealment for all calls at once: a lost frame goes on with the pitch of what came before.

The last pitch period is found by correlation and repeated, from the second lost frame on the last two; where a repetition begins, the
last quarter of a period is blended into it. What is made up fades over 180 ms, and the first good frame after a loss is blended in over
4 ms. (The idea of ITU-T G.711 appendix I, without its delay. What it is worth: `antiphon bench concealment`.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.frames import LINE_SAMPLES, Pcm

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

SHORTEST_PITCH = 40
"""These are samples at 8 kHz; a concealer for 16 kHz counts each of them double."""
LONGEST_PITCH = 140
COMPARED = 80
"""How many samples are compared to find the pitch: 10 ms."""
OVERLAP = 32
FADE = (1.0, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
"""The level of what is made up, where each lost frame begins."""
FADE_FRAMES = len(FADE) - 1
PERIODS = 2
"""Repeated from the second lost frame on: a single one soon sounds like a buzzer."""
_JOINT = 4
"""The part of a period in which the end of what is repeated becomes its beginning."""

_KEPT = 3


class Concealer:
    """The last 60 ms of every row, and how much of it was made up. samples: of a frame, 160 at 8 kHz or 320 at 16 kHz."""

    def __init__(self, rows: int, samples: int = LINE_SAMPLES) -> None:
        self._samples = samples
        self._scale = samples // LINE_SAMPLES
        self._overlap = OVERLAP * self._scale
        self._frames = np.zeros((rows * _KEPT, samples), np.int16)
        self._first = np.arange(rows) * _KEPT
        self._at = np.zeros(rows, np.intp)
        self._run = np.zeros(rows, np.int64)
        # What was heard when the loss began, its pitch, and where in what is repeated the next frame begins.
        self._source = np.zeros((rows, _KEPT * samples), np.int16)
        self._pitch = np.ones(rows, np.intp)
        self._phase = np.zeros(rows, np.intp)
        self._levels = np.append(FADE, 0).astype(np.float32)
        # What a made-up frame would go on with, to be blended into the frame that follows it.
        self._after = np.zeros((rows, self._overlap), np.float32)
        rise = (np.arange(self._overlap, dtype=np.float32) + 1) / (self._overlap + 1)
        self._rise, self._fall = rise, 1 - rise
        self._along = np.arange(1, samples + 1) / samples

    def reset(self, row: int) -> None:
        """The row hears somebody new: silence came before."""
        self._frames[row * _KEPT : (row + 1) * _KEPT] = 0
        self._run[row] = 0

    def conceal(self, pcm: Pcm, have: Bools, lost: Bools) -> Pcm:
        """Fill in, in place, what is lost. pcm: int16, (rows, 160), 8 kHz; have, lost: (rows,). Returns `pcm`.

        Rows with neither flag do not move on, and their lines are left as they are.
        """
        late = np.flatnonzero(have & (self._run > 0))
        if late.size:
            self._blend(pcm, late, late)
        missing = np.flatnonzero(lost)
        if missing.size:
            pcm[missing] = self._extrapolate(missing)
        moved = have | lost
        if moved.all():
            self._frames[self._first + self._at] = pcm
            self._at = (self._at + 1) % _KEPT
        else:
            self._remember(np.flatnonzero(moved), pcm[moved])
        if missing.size:
            self._fade(pcm, missing, missing)
        return pcm

    def make_up(self, rows: Rows) -> Pcm:
        """What some rows go on with where nothing has come. rows: (k,), distinct. Returns int16, (k, 160)."""
        pcm = np.asarray(self._extrapolate(rows), np.int16)
        self._remember(rows, pcm)
        self._fade(pcm, rows, np.arange(len(rows)))
        return pcm

    def follow(self, pcm: Pcm, rows: Rows) -> Pcm:
        """Frames that are all there, of some rows. pcm: int16, (k, 160), blended in place after a loss; rows: (k,), distinct."""
        late = np.flatnonzero(self._run[rows] > 0)
        if late.size:
            self._blend(pcm, late, rows[late])
        self._remember(rows, pcm)
        return pcm

    def _remember(self, rows: Rows, pcm: Pcm) -> None:
        self._frames[self._first[rows] + self._at[rows]] = pcm
        self._at[rows] = (self._at[rows] + 1) % _KEPT

    def _blend(self, pcm: Pcm, lines: Rows, rows: Rows) -> None:
        pcm[lines, : self._overlap] = pcm[lines, : self._overlap] * self._rise + self._after[rows] * self._fall
        self._run[rows] = 0

    def _extrapolate(self, rows: Rows) -> Floats:
        """The next 20 ms at full level, which is how they are remembered: the next loss goes on from them."""
        self._find_source(rows)
        samples, pitch = self._samples, self._pitch[rows]
        length = np.where(self._run[rows] > 0, PERIODS * pitch, pitch)
        at = (self._phase[rows][:, None] + np.arange(samples + self._overlap)) % length[:, None]
        made = self._repeated(rows, at, length[:, None], pitch[:, None])
        phase = (self._phase[rows] + samples) % length
        # The second frame goes on in the last of the periods that it repeats.
        self._phase[rows] = np.where(self._run[rows] > 0, phase, phase + (PERIODS - 1) * pitch)
        self._after[rows] = made[:, samples:]
        return np.rint(made[:, :samples])

    def _find_source(self, rows: Rows) -> None:
        """Where a loss begins: what is repeated while it lasts."""
        fresh = rows[self._run[rows] == 0]
        if not fresh.size:
            return
        past = self._past(fresh)
        self._source[fresh] = past
        self._pitch[fresh] = self._scale * _pitch(past[:, :: self._scale].astype(np.float32))
        self._phase[fresh] = 0

    def _repeated(self, rows: Rows, at: Rows, length: Rows, pitch: Rows) -> Floats:
        """The samples `at` (k, n) of the last `length` (k, 1), whose end becomes what came before their beginning."""
        source = self._source[rows]
        start = source.shape[1] - length
        joint = pitch // _JOINT
        made = np.take_along_axis(source, start + at, axis=1).astype(np.float32)
        before = np.take_along_axis(source, np.maximum(start - length + at, 0), axis=1)
        share = np.maximum(at - (length - joint) + 1, 0) / (joint + 1)
        made += share.astype(np.float32) * (before - made)
        return made

    def _fade(self, pcm: Pcm, rows: Rows, lines: Rows) -> None:
        step = np.minimum(self._run[rows], len(FADE) - 1)
        start, end = self._levels[step][:, None], self._levels[step + 1][:, None]
        pcm[lines] = np.rint(pcm[lines] * (start + (end - start) * self._along))
        self._after[rows] *= end
        self._run[rows] += 1

    def _past(self, rows: Rows) -> Pcm:
        order = (self._at[rows][:, None] + np.arange(_KEPT)) % _KEPT
        return self._frames[self._first[rows][:, None] + order].reshape(len(rows), -1)


def _pitch(past: Floats) -> NDArray[np.intp]:
    """The lag, in samples, at which the last 10 ms are most like what came before. past: (k, 480), 8 kHz; returns (k,)."""
    history = past.shape[1]
    recent = past[:, -COMPARED:]
    earlier = past[:, history - COMPARED - LONGEST_PITCH : history - SHORTEST_PITCH]
    alike = np.einsum("kls,ks->kl", np.lib.stride_tricks.sliding_window_view(earlier, COMPARED, axis=1), recent)
    energy = np.cumsum(np.square(earlier, dtype=np.float64), axis=1)
    power = energy[:, COMPARED - 1 :].copy()
    power[:, 1:] -= energy[:, :-COMPARED]
    best: NDArray[np.intp] = np.argmax(alike / np.sqrt(power + 1), axis=1)
    return LONGEST_PITCH - best
