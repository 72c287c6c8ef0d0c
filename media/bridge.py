"""Bridged calls: what is heard of one is played to the other, both ways, on the tick.

A recogniser takes frames as they come, none in one tick and several in the next; a person does not. So every row that listens
over a bridge has a queue, from which one frame leaves in each tick:

    a frame waits                                one leaves, in the very tick that heard it while the network is even
    none waits                                   one is made up; its late original waits then, and with it the delay has grown
    one stands unneeded for STANDING_TICKS,
    or more than OVERFULL wait                   two are blended into one: the delay shrinks
    none came for conceal.FADE_FRAMES            the other side is silent (hold, suppressed silence): nothing is added to the noise

So the delay is what the network's unevenness asks for, and none on an even one. The voice comes in and goes out by a ramp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.conceal import FADE_FRAMES, Concealer
from media.frames import LINE_SAMPLES, Pcm

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]
Rows = NDArray[np.intp]

NOBODY = -1
DEPTH = 16
"""Frames that a queue holds, 320 ms; of more the oldest are lost."""
OVERFULL = 6
STANDING_TICKS = 50
RAMP_SAMPLES = 40


class Bridges:
    """Who is bridged to whom, and what waits to be played to each. A row's queue holds what *it* is to hear."""

    def __init__(self, rows: int) -> None:
        self.any = False
        """Whether there is any bridge: while there is none, the tick passes by here."""
        self.partner = np.full(rows, NOBODY, np.intp)
        self._relaying = np.zeros(rows, np.bool_)
        self._rows = np.zeros(0, np.intp)
        self._leaving: set[int] = set()
        self._frames = np.zeros((rows * DEPTH, LINE_SAMPLES), np.int16)
        self._first = np.arange(rows) * DEPTH
        self._head, self._tail = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._least = np.zeros(rows, np.int64)
        self._misses = np.zeros(rows, np.int64)
        # Something is being heard, and its first frame has yet to leave.
        self._flowing, self._fresh = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
        self._conceal = Concealer(rows)
        self._ticks = 0
        self._rise = np.minimum(np.arange(1, LINE_SAMPLES + 1, dtype=np.float32) / RAMP_SAMPLES, 1)
        self._along = np.arange(1, LINE_SAMPLES + 1, dtype=np.float32) / LINE_SAMPLES

    def join(self, row: int, other: int, relay: bool) -> None:
        """Bridge two rows that have no bridge. relay: whether keys heard of one are sent to the other."""
        for side, far in ((row, other), (other, row)):
            self.partner[side], self._relaying[side] = far, relay
            self._head[side] = self._tail[side] = 0
            self._least[side] = DEPTH
            self._stop(side)
            self._leaving.discard(side)
        self._count()

    def set_relay(self, row: int, relay: bool) -> None:
        """Whether keys are sent on over the row's bridge, both ways."""
        self._relaying[row] = self._relaying[self.partner[row]] = relay

    def part(self, row: int) -> int:
        """End the row's bridge. Returns the other side, NOBODY where there was no bridge."""
        other = int(self.partner[row])
        if other == NOBODY:
            return NOBODY
        for side in (row, other):
            self.partner[side] = NOBODY
            if self._flowing[side]:
                self._leaving.add(side)
        self._count()
        return other

    def keys_to(self, row: int) -> int:
        """The row to which a key heard on `row` is sent on; NOBODY."""
        return int(self.partner[row]) if self._relaying[row] else NOBODY

    def heard(self, rows: Rows, pcm: Pcm, lost: Bools) -> None:
        """Frames the ear has taken. rows: (k,), distinct; pcm: int16, (k, 160), 8 kHz; lost: (k,), made up by the ear."""
        to = self.partner[rows]
        # Nothing begins with what was made up: that is the ear going on where the peer is silent.
        lines = np.flatnonzero((to != NOBODY) & ~(lost & ~self._flowing[to]))
        if not lines.size:
            return
        to = to[lines]
        self._frames[self._first[to] + self._head[to] % DEPTH] = pcm[lines]
        self._head[to] += 1
        self._tail[to] = np.maximum(self._tail[to], self._head[to] - DEPTH)
        self._fresh[to] |= ~self._flowing[to]
        self._flowing[to] = True

    def mix(self, pcm: Pcm) -> None:
        """Add to what leaves in this tick what the other sides say, in place, with saturation. pcm: int16, (rows, 160)."""
        self._ticks += 1
        if self._leaving:
            self._fade_out(pcm)
        rows = self._rows[self._flowing[self._rows]]
        if rows.size:
            _add(pcm, rows, self._next(rows))

    def _next(self, rows: Rows) -> Pcm:
        waiting = self._head[rows] - self._tail[rows]
        there = waiting > 0
        frames = self._frames[self._cells(rows)]
        if not there.all():
            frames[~there] = self._miss(rows[~there])
        hurried = np.flatnonzero(self._has_too_many(rows, waiting - 1))
        if hurried.size:
            frames[hurried] = self._hurry(rows[hurried], frames[hurried])
        taken = rows[there]
        frames[there] = self._conceal.follow(frames[there], taken)
        self._tail[taken] += 1
        self._misses[taken] = 0
        fresh = np.flatnonzero(self._fresh[rows])
        if fresh.size:
            frames[fresh] = np.rint(frames[fresh] * self._rise)
            self._fresh[rows[fresh]] = False
        return frames

    def _cells(self, rows: Rows) -> Rows:
        return self._first[rows] + self._tail[rows] % DEPTH

    def _miss(self, rows: Rows) -> Pcm:
        made = self._conceal.make_up(rows)
        self._misses[rows] += 1
        for row in rows[self._misses[rows] >= FADE_FRAMES].tolist():
            self._stop(row)
        return made

    def _stop(self, row: int) -> None:
        """Nothing is heard of the other side, until something comes."""
        self._flowing[row] = self._fresh[row] = False
        self._misses[row] = 0
        self._conceal.reset(row)

    def _has_too_many(self, rows: Rows, left: Longs) -> Bools:
        """Where frames wait that the network's unevenness does not ask for. left: those that wait once this tick's is taken."""
        self._least[rows] = np.minimum(self._least[rows], left)
        too_many: Bools = left > OVERFULL
        if self._ticks % STANDING_TICKS == 0:
            too_many |= self._least[rows] > 0
            self._least[rows] = DEPTH
        return too_many

    def _hurry(self, rows: Rows, frames: Pcm) -> Pcm:
        """One frame from two: the next glides into the one after it."""
        self._tail[rows] += 1
        after = self._frames[self._cells(rows)]
        return np.asarray(np.rint(frames * (1 - self._along) + after * self._along), np.int16)

    def _fade_out(self, pcm: Pcm) -> None:
        """Sides whose bridge has ended: the voice goes on for the length of a ramp, so that it ends without a click."""
        rows = np.array(sorted(self._leaving), np.intp)
        self._leaving.clear()
        _add(pcm, rows, np.asarray(np.rint(self._next(rows) * (1 - self._rise)), np.int16))
        for row in rows.tolist():
            self._stop(row)
        self._count()

    def _count(self) -> None:
        self._rows = np.flatnonzero(self.partner != NOBODY)
        self.any = bool(self._rows.size or self._leaving)


def _add(pcm: Pcm, rows: Rows, frames: Pcm) -> None:
    pcm[rows] = np.clip(pcm[rows].astype(np.int32) + frames, -32768, 32767)
