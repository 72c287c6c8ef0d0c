"""Slots of 20 ms that the jitter buffer gives, and where they lie until then: the latest SLOTS of every row, in cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]
Rows = NDArray[np.intp]

SLOTS = 32
SAMPLES = 160
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Taken:
    """One slot of every row. The arrays are overwritten by the next `take`.

    payload: uint8, (rows, 160), meaningful where `have`. lost: the slot is missing and is to be concealed; where neither
    is set nothing is to be heard this tick, and no stage may move on. position: int64, (rows,), of the slot's first sample.
    """

    payload: Octets
    have: Bools
    lost: Bools
    position: Longs


@dataclass(frozen=True, slots=True)
class More:
    """A further slot of those rows that have one. rows: (k,); payload: uint8, (k, 160), of no meaning where `lost`.

    position: int64, (k,); lost: bool, (k,), the slot is missing, and a person has heard already what stood for it.
    """

    rows: Rows
    payload: Octets
    position: Longs
    lost: Bools


class Slots:
    """The cells: `payload`, uint8, (cells, 160), and the `sequence` number of each, int64, (cells,)."""

    def __init__(self, rows: int) -> None:
        self.payload = np.zeros((rows * SLOTS, SAMPLES), np.uint8)
        self.sequence = np.zeros(rows * SLOTS, np.int64)
        self._number = np.full(rows * SLOTS, -1, np.int64)
        self._first = np.arange(rows) * SLOTS

    def clear(self, row: int) -> None:
        """Nothing lies in the row."""
        self._number[row * SLOTS : (row + 1) * SLOTS] = -1

    def every_cell(self, slot: Longs) -> Rows:
        """Of each row the cell in which this slot lies if it has come. slot: (rows,)."""
        return self._first + slot % SLOTS

    def cells(self, rows: Rows, slot: Longs) -> Rows:
        """The same of some rows."""
        found: Rows = self._first[rows] + slot % SLOTS
        return found

    def are_there(self, cells: Rows, slot: Longs, out: Bools | None = None) -> Bools:
        """Which of the slots have come."""
        there: Bools = np.equal(self._number.take(cells), slot, out=out)
        return there

    def is_there(self, row: int, slot: int) -> bool:
        """Whether one has come."""
        return bool(self._number[row * SLOTS + slot % SLOTS] == slot)

    def octets(self, row: int, slot: int) -> bytes:
        """What lies in a slot that has come."""
        found: Octets = self.payload[row * SLOTS + slot % SLOTS]
        return found.tobytes()

    def keep(self, cells: Rows, slot: Longs, sequence: NDArray[np.uint16], payload: Octets) -> None:
        """Lay slots into their cells."""
        self._number[cells] = slot
        self.sequence[cells] = sequence
        self.payload[cells] = payload

    def earliest(self, rows: Rows, after: Longs) -> Longs:
        """The first slot from `after` on that has come, of rows that have one."""
        number = self._number[self._first[rows][:, None] + np.arange(SLOTS)]
        queued: Longs = np.where(number >= after[:, None], number, _NEVER).min(axis=1)
        return queued
