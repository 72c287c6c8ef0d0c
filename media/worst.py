"""The worst ten seconds of every call: the largest share of packets that were missing in any window of that length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]

SECONDS = 10
FEWEST = 100
"""Packets that a window must have been expected to bring: two seconds of them."""


class WorstWindow:
    """`share`, float64, (rows,): of 0–1, negative while no window was full enough. `since`: the row's second at which it ended."""

    def __init__(self, rows: int) -> None:
        self._expected = np.zeros((SECONDS, rows), np.int64)
        self._missing = np.zeros((SECONDS, rows), np.int64)
        self._seconds = np.zeros(rows, np.int64)
        self._at = 0
        self.share = np.full(rows, -1.0)
        self.since = np.zeros(rows, np.int64)

    def open_row(self, row: int) -> None:
        """A new call."""
        self._expected[:, row] = self._missing[:, row] = 0
        self._seconds[row] = self.since[row] = 0
        self.share[row] = -1.0

    def step(self, expected: Longs, missing: Longs) -> None:
        """A second has passed. expected, missing: int64, (rows,), packets in all so far."""
        self._seconds += 1
        came = expected - self._expected[self._at]
        share = (missing - self._missing[self._at]) / np.maximum(came, 1)
        worse = (came >= FEWEST) & (share > self.share)
        np.copyto(self.share, share, where=worse)
        np.copyto(self.since, self._seconds, where=worse)
        self._expected[self._at], self._missing[self._at] = expected, missing
        self._at = (self._at + 1) % SECONDS
