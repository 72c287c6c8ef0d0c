"""How late packets come, and how much delay evens that out: the delay manager of NetEQ, for all bridged calls at once.

A packet's delay is counted from the fastest of the last WINDOW_BLOCKS blocks of half a second, so a peer whose clock runs slower or
faster than ours takes its reference along. From each block the largest delay goes into a histogram that forgets, and the
target is the delay that QUANTILE of them stay within.

The parameters are NetEQ's (MEDIA.md section 6), with these differences. Delays are counted in ticks, because in which tick a packet
is there is all that matters to who plays on the tick. Nothing is known at first, and nothing is stretched before the first block:
NetEQ's 80 ms to begin with would be heard on every good line. Packets that were overtaken count like all others, where NetEQ has a
rule of its own for them: on a network that reorders much it made up 3 % at a delay of 102 ms, where this makes up 0.4 % at 137.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Longs = NDArray[np.int64]
Rows = NDArray[np.intp]

QUANTILE = 0.95
FORGET = 0.983
START_FORGET_WEIGHT = 2
BLOCK_TICKS = 25
WINDOW_BLOCKS = 4
BUCKETS = 25
"""Delays of up to 480 ms are told apart."""
_FAR = 1 << 40


class Arrivals:
    """The rows whose arrivals are followed, `on`; the others cost nothing. `any` says whether there is one.

    target: int64, (rows,), ticks that the fastest packet is to wait so that few come too late; expected: float32, (rows,), ticks that
    packets then wait in the mean; known: bool, (rows,), whether a block has told either.
    """

    def __init__(self, rows: int) -> None:
        self.any = False
        self.on = np.zeros(rows, np.bool_)
        self.known = np.zeros(rows, np.bool_)
        self.target = np.zeros(rows, np.int64)
        self.expected = np.zeros(rows, np.float32)
        self._blocks = np.zeros(rows, np.int64)
        self._late = np.zeros((rows, BUCKETS), np.float32)
        self._least = np.full((rows, WINDOW_BLOCKS), _FAR, np.int64)
        self._most = np.full(rows, -_FAR, np.int64)
        self._sum, self._count = np.zeros(rows, np.int64), np.zeros(rows, np.int64)

    def follow(self, row: int) -> None:
        """From now on, with nothing known."""
        self.on[row] = self.any = True
        self.known[row] = False
        self.target[row] = self.expected[row] = self._blocks[row] = 0
        self._late[row] = 0
        self.restart(row)

    def leave(self, row: int) -> None:
        """No more."""
        self.on[row] = False
        self.any = bool(self.on.any())

    def restart(self, row: int) -> None:
        """The row's stream is another one: what the network is like stays known, the clock does not."""
        self._least[row] = _FAR
        self._begin_block(np.array([row]))

    def came(self, rows: Rows, slot: Longs, now: int) -> None:
        """Slots that came in this tick, also those that are of no use any more. rows, slot: (k,), a row may come again."""
        on = self.on[rows]
        if not on.all():
            rows, slot = rows[on], slot[on]
        delay = now - slot
        np.minimum.at(self._least[:, 0], rows, delay)
        np.maximum.at(self._most, rows, delay)
        np.add.at(self._sum, rows, delay)
        np.add.at(self._count, rows, 1)

    def learn(self, now: int) -> None:
        """Once in each tick: at the end of a block the targets follow what came in it."""
        if now % BLOCK_TICKS:
            return
        rows = np.flatnonzero(self.on & (self._count > 0))
        if rows.size:
            self._learn(rows)
        self._least[rows] = np.roll(self._least[rows], 1, axis=1)
        self._least[rows, 0] = _FAR
        self._begin_block(rows)

    def _begin_block(self, rows: Rows) -> None:
        self._most[rows] = -_FAR
        self._sum[rows] = self._count[rows] = 0

    def _learn(self, rows: Rows) -> None:
        least, count = self._least[rows].min(axis=1), self._count[rows]
        self._blocks[rows] += 1
        # A young histogram believes new blocks more: the first one wholly.
        keep = np.minimum(FORGET, 1 - START_FORGET_WEIGHT / (self._blocks[rows] + 1)).astype(np.float32)
        late = self._late[rows] * keep[:, None]
        bucket = np.minimum(self._most[rows] - least, BUCKETS - 1)
        late[np.arange(len(rows)), bucket] += 1 - keep
        self._late[rows] = late
        self.target[rows] = np.argmax(np.cumsum(late, axis=1) >= QUANTILE - 1e-6, axis=1)
        self.expected[rows] = np.maximum(self.target[rows] - (self._sum[rows] / count - least), 0)
        self.known[rows] = True
