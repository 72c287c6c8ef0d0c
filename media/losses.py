"""Which packets of a stream are missing, and how they cluster: bursts and gaps (RFC 3611 section 4.7.2), for all rows at once.

A packet that is missing now may still come, out of order, so the latest 32 of each stream stand open, one bit each; what leaves
this window is settled. That is as long as the ear waits at most (`media.jitter`), so what comes later was discarded anyway.

A *burst* begins and ends with a loss and has fewer than G_MIN packets in a row received between its losses; all else is *gap*, a
loss with G_MIN received on either side too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

G_MIN = 16
WINDOW = 32

Longs = NDArray[np.int64]
Rows = NDArray[np.intp]

_ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Clusters:
    """How a row's losses cluster. Densities are shares of 0–1; lengths are means, in packets, 0 where there was none."""

    runs: int
    burst_density: float
    gap_density: float
    burst_packets: float
    gap_packets: float


class LossPattern:
    """The settled and the open packets of every row.

    Counters, int64, (rows,): `lost` packets that never came or came too late; `runs` of such packets in a row; `late` packets that
    came and were discarded; `duplicate` packets that had come before.
    """

    def __init__(self, rows: int) -> None:
        def zeros() -> Longs:
            return np.zeros(rows, np.int64)

        # Bit k: the packet k before the newest has come and was kept.
        self._window = np.full(rows, _ALL, np.uint32)
        # Packets since the last loss, as settled; a window that is filled with none stands before them.
        self._since, self._total = zeros() - WINDOW, zeros()
        # The burst that may still grow: its losses, and its length in packets.
        self._losses, self._length = zeros(), zeros()
        self._bursts, self._burst_packets, self._burst_lost = zeros(), zeros(), zeros()
        self.lost, self.runs, self.late, self.duplicate = zeros(), zeros(), zeros(), zeros()
        self._again: set[tuple[int, int]] = set()

    def open_row(self, row: int) -> None:
        """A new call: nothing has come."""
        self._window[row] = _ALL
        for counter in (
            self._total, self._losses, self._length, self._bursts, self._burst_packets, self._burst_lost,
            self.lost, self.runs, self.late, self.duplicate,
        ):  # fmt: skip
            counter[row] = 0
        self._since[row] = -WINDOW

    def start(self, row: int) -> None:
        """A stream begins with this packet; what the one before it left open is settled."""
        self.settle(row)
        self._window[row] = _ALL
        self._since[row] += 1
        self._total[row] += 1

    def received(self, rows: Rows, forward: Longs, sequence: NDArray[np.uint16]) -> None:
        """Packets came. rows: intp, (m,), distinct; forward: how far each is beyond the newest of its stream, below 1 for an older one."""
        following = forward == 1
        if not following.all():
            older, jumped = forward < 1, forward > 1
            if older.any():
                self._fill(rows[older], -forward[older], sequence[older])
            if jumped.any():
                self._jump(rows[jumped], forward[jumped])
            rows = rows[following]
        window = self._window[rows]
        kept = window >> 31
        self._window[rows] = window << 1 | 1
        self._total[rows] += 1
        self._since[rows] += kept
        if not kept.all():
            self._lose(rows[kept == 0], 1)

    def discarded(self, row: int, sequence: int, newest: int) -> None:
        """A packet was too late to be heard. newest: the sequence number that `received` was told of last."""
        if (row, sequence) in self._again:
            return
        self.late[row] += 1
        back = (newest - sequence) & 0xFFFF
        if back < WINDOW:
            self._window[row] &= _ALL ^ 1 << back

    def forget(self) -> None:
        """The tick is over: nothing that came in it is discarded any more."""
        self._again.clear()

    def settle(self, row: int) -> None:
        """No packet that is missing now will come."""
        if not self._total[row]:
            return
        self._jump(np.array([row]), np.array([WINDOW]))
        self._window[row] = _ALL
        # `_jump` counts packets that the stream never had.
        self._total[row] -= WINDOW
        self._since[row] -= WINDOW

    def clusters(self, row: int) -> Clusters:
        """What has been settled so far."""
        bursts, packets, lost = int(self._bursts[row]), int(self._burst_packets[row]), int(self._burst_lost[row])
        if self._losses[row] > 1:
            bursts, packets, lost = bursts + 1, packets + int(self._length[row]), lost + int(self._losses[row])
        rest = max(0, int(self._total[row]) - packets)
        return Clusters(
            int(self.runs[row]),
            burst_density=lost / packets if packets else 0.0,
            gap_density=(int(self.lost[row]) - lost) / rest if rest else 0.0,
            burst_packets=packets / bursts if bursts else 0.0,
            # A call begins and ends in a gap: there is one more of them than of bursts.
            gap_packets=rest / (bursts + 1),
        )

    def _fill(self, rows: Rows, back: Longs, sequence: NDArray[np.uint16]) -> None:
        near = back < WINDOW
        rows, back, sequence = rows[near], back[near], sequence[near]
        bit = np.left_shift(np.uint32(1), back.astype(np.uint32))
        there = self._window[rows] & bit != 0
        self._window[rows] |= bit
        self.duplicate[rows] += there
        self._again.update(zip(rows[there].tolist(), sequence[there].tolist(), strict=True))

    def _jump(self, rows: Rows, forward: Longs) -> None:
        """The packets between are missing: what leaves the window is settled bit after bit, at most WINDOW times."""
        steps = np.minimum(forward, WINDOW)
        for step in range(int(steps.max())):
            on = rows[steps > step]
            window = self._window[on]
            kept = window >> 31
            self._window[on] = window << 1
            self._since[on] += kept
            if not kept.all():
                self._lose(on[kept == 0], 1)
        beyond = forward > WINDOW
        if beyond.any():
            self._lose(rows[beyond], forward[beyond] - WINDOW)
        self._window[rows] |= 1
        self._total[rows] += forward

    def _lose(self, rows: Rows, count: Longs | int) -> None:
        since, length = self._since[rows], self._length[rows]
        self.lost[rows] += count
        self.runs[rows] += since > 0
        anew = (since >= G_MIN) | (length == 0)
        self._close(rows[anew])
        self._losses[rows] = np.where(anew, 0, self._losses[rows]) + count
        self._length[rows] = np.where(anew, 0, length + since) + count
        self._since[rows] = 0

    def _close(self, rows: Rows) -> None:
        losses = self._losses[rows]
        burst = losses > 1
        self._bursts[rows] += burst
        self._burst_packets[rows] += np.where(burst, self._length[rows], 0)
        self._burst_lost[rows] += np.where(burst, losses, 0)
