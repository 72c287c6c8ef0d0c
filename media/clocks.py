"""What a peer's timestamps mean: the position of each packet in its row, and whether it is of the row's stream at all.

Positions are samples at 8 kHz since the row's first packet, by RTP timestamp. A packet is strange when it is of another SSRC, or away
from our own clock by more than RESTART_SAMPLES; it is believed when its successor follows it (RFC 3550 appendix A.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.slots import SAMPLES, Bools, Longs, Rows

RESTART_SAMPLES = 2 * 8000
"""How far a timestamp may be from our own clock before the stream counts as a new one."""
NEVER = -1


class PeerClocks:
    """Arrays of shape (rows,). A slot is at 160 times its number plus the row's `phase`."""

    def __init__(self, rows: int) -> None:
        self.phase = np.zeros(rows, np.int64)
        self.strange_next = np.zeros(rows, np.int64)
        """The sequence number that would confirm the strange packet before it; NEVER."""
        self._ssrc = np.zeros(rows, np.uint32)
        # `_timestamp` is at `_position`.
        self._timestamp = np.zeros(rows, np.uint32)
        self._position = np.zeros(rows, np.int64)
        self._first_tick = np.zeros(rows, np.int64)

    def start(self, row: int, timestamp: int, now: int, ssrc: int | None) -> None:
        """The row's first packet: it is at 0."""
        self._ssrc[row] = ssrc or 0
        self._timestamp[row] = timestamp
        self._position[row] = self.phase[row] = 0
        self._first_tick[row] = now
        self.strange_next[row] = NEVER

    def restart(self, row: int, timestamp: int, position: int, ssrc: int | None) -> None:
        """The stream goes on with another clock: this timestamp is at this position."""
        self._timestamp[row] = timestamp
        self._position[row] = position
        self._ssrc[row] = self._ssrc[row] if ssrc is None else ssrc

    def positions(self, rows: Rows, timestamp: NDArray[np.uint32]) -> Longs:
        """Where packets lie, int64, (k,)."""
        found: Longs = self._position[rows] + (timestamp - self._timestamp[rows]).view(np.int32)
        return found

    def position(self, row: int, timestamp: int) -> int:
        """Where a packet lies."""
        # The difference of two timestamps is a signed 32-bit number: that is how they wrap around.
        forward = (timestamp - int(self._timestamp[row]) + 0x80000000) % 0x100000000 - 0x80000000
        return int(self._position[row]) + forward

    def now(self, row: int, tick: int) -> int:
        """Our own clock."""
        return (tick - int(self._first_tick[row])) * SAMPLES

    def on_clock(self, rows: Rows, position: Longs, tick: int) -> Bools:
        """Which of these positions are near our own clock."""
        near: Bools = np.abs(position - (tick - self._first_tick[rows]) * SAMPLES) <= RESTART_SAMPLES
        return near

    def are_of(self, rows: Rows, ssrc: NDArray[np.uint32]) -> Bools:
        """Which packets are of their rows' streams."""
        same: Bools = ssrc == self._ssrc[rows]
        return same

    def is_strange(self, row: int, position: int, tick: int, ssrc: int | None) -> bool:
        """Whether a packet is not of the row's stream."""
        other = ssrc is not None and ssrc != self._ssrc[row]
        return other or abs(position - self.now(row, tick)) > RESTART_SAMPLES

    def confirms(self, row: int, sequence: int) -> bool:
        """Whether a strange packet follows another one. If not, its successor would."""
        if self.strange_next[row] == sequence:
            return True
        self.strange_next[row] = (sequence + 1) & 0xFFFF
        return False
