"""Sequence numbers of packets that are no audio (keys, comfort noise): they count in the stream, and nothing is missing for them."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

_KEPT = 64
"""Numbers that are remembered for each row: a key is told by some twenty packets."""


class NotedNumbers:
    """The rows that have had such packets."""

    def __init__(self) -> None:
        self._numbers: dict[int, deque[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def add(self, row: int, sequence: int) -> None:
        """This number was no audio."""
        numbers = self._numbers.setdefault(row, deque(maxlen=_KEPT))
        if sequence not in numbers:
            numbers.append(sequence)

    def forget(self, row: int) -> None:
        """The row is over."""
        self._numbers.pop(row, None)

    def between(self, rows: NDArray[np.intp], after: NDArray[np.int64], steps: NDArray[np.int64]) -> list[int]:
        """Of each row: how many of the numbers between `after` and the one that is so many steps on were no audio."""
        table = zip(rows.tolist(), after.tolist(), steps.tolist(), strict=True)
        return [
            sum(0 < (number - first & 0xFFFF) < count for number in self._numbers.get(row, ()))
            for row, first, count in table
        ]
