"""Adaptive playout for a person's ear: frames come in as the network brings them, and one of 20 ms leaves in each tick.

The rules are NetEQ's (MEDIA.md section 6). In each tick, of the rows in which something is being heard:

    normal               20 ms of what waits
    expand               too little waits: a frame is made up. If its original was lost, it stood for that; if it only
                         comes later, it is played all the same, and with it the delay has grown
    merge                the first frame after one that was made up is blended into it
    accelerate           more has waited for a while than the arrivals ask for: a period of the pitch is left out
    preemptive expand    less has waited: a period of the pitch is heard twice, before anything is missing

None came for conceal.FADE_FRAMES: the other side is silent, and the row rests until something comes. That then waits for as long
as the arrivals ask for; nobody hears that in a silence. So the delay is what the network's unevenness asks for, and none on an even one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media import stretch
from media.arrivals import Arrivals
from media.conceal import FADE_FRAMES, Concealer
from media.frames import LINE_SAMPLES, Pcm

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]
Rows = NDArray[np.intp]

DEPTH = 32
"""Frames that a row's ring holds, of which so many may wait, 580 ms; of more the oldest are lost."""
DEEPEST = DEPTH - 3
RAMP_SAMPLES = 40
TOO_MUCH = 120
"""Samples (15 ms) beyond what the arrivals ask for that are borne."""
MUCH_TOO_MUCH = 4
"""So many times as much as is asked for is shortened in every tick, by what is HARDLY_LIKE too."""
HARDLY_LIKE = 0.5
FAR_TOO_MUCH = 8 * LINE_SAMPLES
"""So much beyond it, 160 ms, by whatever there is."""
STRETCH_TICKS = 3
"""One stretch in so many ticks."""
ANYWAY_TICKS = 25
"""After so long a wish for it, the delay changes in sounds without a pitch too."""

_LENGTH = DEPTH * LINE_SAMPLES
_SEEN = stretch.LONGEST + LINE_SAMPLES
_KEEP = np.array([0.961, 0.969, 0.969, 0.977, 0.977, 0.977, 0.977, 0.984])
"""How much of the level's mean stays in a tick, by the target: NetEQ's 251 to 254 of 256 in 10 ms."""


class EvenPlayout:
    """What waits to be played in each row.

    Counters, int64, (rows,): frames `expanded` here, and made up by who put them, `filled`; samples `shortened` and `lengthened`.

    `flowing`, (rows,): something is being heard. `misses`, int64, (rows,): frames made up since the last that came.
    """

    def __init__(self, rows: int) -> None:
        self.flowing = np.zeros(rows, np.bool_)
        self.expanded, self.filled = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self.shortened, self.lengthened = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._pcm = np.zeros(rows * _LENGTH, np.int16)
        self._frames = self._pcm.reshape(rows * DEPTH, LINE_SAMPLES)
        # Samples since the row was opened: written up to `_head`, played up to `_tail`.
        self._head, self._tail = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._fresh = np.zeros(rows, np.bool_)
        self.misses = np.zeros(rows, np.int64)
        # Frames made up one after the other, whatever the ear gave as lost meanwhile.
        self._alone = np.zeros(rows, np.int64)
        self._mean = np.zeros(rows, np.float64)
        self._wished, self._stretched = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._conceal = Concealer(rows)
        self._rise = np.minimum(np.arange(1, LINE_SAMPLES + 1, dtype=np.float32) / RAMP_SAMPLES, 1)

    def open_row(self, row: int) -> None:
        """Nothing waits, and nothing is being heard."""
        self._pcm[row * _LENGTH : (row + 1) * _LENGTH] = 0
        self._head[row] = self._tail[row] = _LENGTH
        self._stretched[row] = 0
        self.rest(row)

    def rest(self, row: int) -> None:
        """Nothing is heard of the other side, until something comes."""
        self.flowing[row] = self._fresh[row] = False
        self.misses[row] = self._alone[row] = self._wished[row] = 0
        self._mean[row] = 0
        self._conceal.reset(row)

    def waiting(self, rows: Rows) -> Longs:
        """How many samples wait."""
        waits: Longs = self._head[rows] - self._tail[rows]
        return waits

    def put(self, rows: Rows, pcm: Pcm, lost: Bools) -> None:
        """Frames in their order. rows: (k,), distinct; pcm: int16, (k, 160), 8 kHz; lost: (k,), made up by who put them in order."""
        # What was made up here already has been heard; and nothing begins with what was made up.
        stood = lost & (self.misses[rows] > 0)
        self.misses[rows[stood]] -= 1
        lines = np.flatnonzero(~stood & ~(lost & ~self.flowing[rows]))
        if not lines.size:
            return
        rows, frames = rows[lines], pcm[lines]
        begins = np.flatnonzero(~self.flowing[rows])
        if begins.size:
            frames[begins] = np.rint(frames[begins] * self._rise)
            # A rest may have begun between two frames.
            self._tail[rows[begins]] = self._head[rows[begins]]
            self._fresh[rows[begins]] = self.flowing[rows[begins]] = True
        self._write(rows, self._conceal.follow(frames, rows))
        self.filled[rows] += lost[lines]
        self._alone[rows] = 0
        self.misses[rows[~lost[lines]]] = 0

    def take(self, rows: Rows, arrivals: Arrivals, to: Rows) -> Pcm:
        """The next 20 ms of rows that are flowing; those of which nothing came for long rest afterwards.

        rows: (k,), distinct; to: (k,), the rows of `arrivals` whose packets they play. Returns int16, (k, 160).
        """
        target, known = arrivals.target[to], arrivals.known[to]
        if self._fresh[rows].any():
            self._begin(rows, target)
        short = rows[self.waiting(rows) < LINE_SAMPLES]
        if short.size:
            self._expand(short)
        frames = self._pcm[self._at(rows, 0, LINE_SAMPLES)]
        used = np.full(len(rows), LINE_SAMPLES, np.int64)
        if known.any():
            self._adapt(rows, frames, used, target, np.asarray(arrivals.expected[to], np.float64) * LINE_SAMPLES, known)
        self._tail[rows] += used
        for row in short[self._alone[short] >= FADE_FRAMES].tolist():
            self.rest(row)
        return frames

    def _write(self, rows: Rows, frames: Pcm) -> None:
        self._frames[rows * DEPTH + self._head[rows] // LINE_SAMPLES % DEPTH] = frames
        self._head[rows] += LINE_SAMPLES
        self._tail[rows] = np.maximum(self._tail[rows], self._head[rows] - DEEPEST * LINE_SAMPLES)

    def _at(self, rows: Rows, start: int, samples: int) -> Rows:
        along = self._tail[rows][:, None] + np.arange(start, start + samples)
        cells: Rows = rows[:, None] * _LENGTH + along % _LENGTH
        return cells

    def _begin(self, rows: Rows, target: Longs) -> None:
        """Speech begins: silence goes before it, as long as is waited for the late ones."""
        lines = np.flatnonzero(self._fresh[rows])
        fresh = rows[lines]
        silence = np.minimum(np.maximum((target[lines] + 1) * LINE_SAMPLES - self.waiting(fresh), 0), 10 * LINE_SAMPLES)
        for row, samples in zip(fresh.tolist(), silence.tolist(), strict=True):
            self._pcm[self._at(np.array([row]), -samples, samples)] = 0
        self._tail[fresh] -= silence
        self._mean[fresh] = self.waiting(fresh) - LINE_SAMPLES
        self._fresh[fresh] = False

    def _expand(self, rows: Rows) -> None:
        self._write(rows, self._conceal.make_up(rows))
        self.misses[rows] += 1
        self._alone[rows] += 1
        self.expanded[rows] += 1

    def _adapt(self, rows: Rows, frames: Pcm, used: Longs, target: Longs, expected: NDArray[np.float64],
               known: Bools) -> None:  # fmt: skip
        """Stretch where what waits is for a while not what the arrivals ask for."""
        left = self.waiting(rows) - LINE_SAMPLES
        keep = _KEEP[np.minimum(target, len(_KEEP) - 1)]
        mean = self._mean[rows] = keep * self._mean[rows] + (1 - keep) * left
        asked = (target + 1) * LINE_SAMPLES
        much = known & (mean - expected >= TOO_MUCH)
        # NetEQ's limits: three quarters of the target, and from there 20 ms to the upper one.
        little = known & (mean - expected < -asked / 4)
        self._wished[rows] = np.where(much | little, self._wished[rows] + 1, 0)
        self._stretched[rows] -= 1
        hurry = known & (left >= MUCH_TOO_MUCH * asked)
        due = (self._stretched[rows] <= 0) | hurry
        like = np.where(hurry, HARDLY_LIKE, stretch.LIKE)
        like[(self._wished[rows] >= ANYWAY_TICKS) | (left >= asked + FAR_TOO_MUCH)] = stretch.ANYTHING
        # Nothing is stretched that was made up: it is short enough.
        due &= self.misses[rows] == 0
        lines = np.flatnonzero((much | hurry) & due & (left >= stretch.LONGEST))
        if lines.size:
            signal = self._pcm[self._at(rows[lines], 0, _SEEN)]
            made, lag = stretch.shorten(signal, np.minimum(left[lines], stretch.LONGEST), like[lines])
            self._stretch(rows[lines], lines, made, lag, 1, frames, used)
            self.shortened[rows[lines]] += lag
        lines = np.flatnonzero(little & due)
        if lines.size:
            made, lag = stretch.lengthen(self._pcm[self._at(rows[lines], -stretch.LONGEST, _SEEN)], like[lines])
            self._stretch(rows[lines], lines, made, lag, -1, frames, used)
            self.lengthened[rows[lines]] += lag

    def _stretch(self, rows: Rows, lines: Rows, made: Pcm, lag: Longs, sign: int, frames: Pcm, used: Longs) -> None:
        done = lag > 0
        frames[lines[done]] = made[done]
        used[lines] += sign * lag
        # The mean follows at once: otherwise the same is asked for again.
        self._mean[rows] -= sign * lag
        self._stretched[rows[done]] = STRETCH_TICKS
        self._wished[rows[done]] = 0
