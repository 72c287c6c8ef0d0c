"""Sockets some of whose rows are looked at: the header of each RTP packet of theirs goes into a ring for the main process.

Rows that nobody looks at cost one comparison for all of them. What the ring has no room for is not told; the packets go their way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from media.rings import Counts, RecordRing
from media.rtp import HEADER
from media.seen import RtpSeen
from media.sockets.face import NOT_TIMED, Address, Received, Rows, Sockets

_US_PER_SAMPLE = 125
_NOWHERE: Address = ("", 0)


class LookedAt:
    """`media.sockets.face.Sockets` on others. `wall` tells µs since the epoch."""

    def __init__(
        self, sockets: Sockets, ring: RecordRing[RtpSeen], generation: Counts, wall: Callable[[], int]
    ) -> None:
        self._sockets = sockets
        self._ring = ring
        self._generation = generation
        self._wall = wall
        self._looked_at = np.zeros(len(generation), np.bool_)
        self._any = False
        self._aims: dict[int, Address] = {}

    @property
    def refused(self) -> int:
        """Sends answered by an ICMP error, in all."""
        return self._sockets.refused

    def look(self, row: int, *, on: bool) -> None:
        """Look at the packets of this row, or no more."""
        self._looked_at[row] = on
        self._any = bool(self._looked_at.any())

    def open(self, row: int) -> int:
        """As `Sockets` has it."""
        return self._sockets.open(row)

    def close(self, row: int) -> None:
        """As `Sockets` has it; the row is looked at no more."""
        self.look(row, on=False)
        self._aims.pop(row, None)
        self._sockets.close(row)

    def receive(self) -> Received:
        """As `Sockets` has it."""
        received = self._sockets.receive()
        if self._any and len(received.rows):
            self._see_received(received)
        return received

    def aim(self, row: int, address: Address | None) -> None:
        """As `Sockets` has it."""
        self._aims[row] = address or _NOWHERE
        self._sockets.aim(row, address)

    def send_rows(self, rows: Rows, packets: NDArray[np.uint8]) -> None:
        """As `Sockets` has it."""
        self._sockets.send_rows(rows, packets)
        if self._any:
            now = self._wall()
            for line in np.flatnonzero(self._looked_at[rows]).tolist():
                row = int(rows[line])
                self._see(row, now, packets[line].tobytes(), self._aims.get(row, _NOWHERE), sent=True)

    def send(self, rows: Sequence[int], packets: Sequence[memoryview], addresses: Sequence[Address]) -> None:
        """As `Sockets` has it."""
        self._sockets.send(rows, packets, addresses)
        if self._any:
            now = self._wall()
            for row, packet, address in zip(rows, packets, addresses, strict=True):
                if self._looked_at[row]:
                    self._see(int(row), now, bytes(packet), address, sent=True)

    def send_control(self, row: int, packet: bytes, address: Address) -> None:
        """As `Sockets` has it."""
        self._sockets.send_control(row, packet, address)

    def _see_received(self, received: Received) -> None:
        now = self._wall()
        for line in np.flatnonzero(self._looked_at[received.rows]).tolist():
            arrival = int(received.arrivals[line])
            packet = received.data[line, : received.lengths[line]].tobytes()
            at = now if arrival == NOT_TIMED else arrival * _US_PER_SAMPLE
            self._see(int(received.rows[line]), at, packet, received.addresses[line], sent=False)

    def _see(self, row: int, at_us: int, packet: bytes, other: Address, *, sent: bool) -> None:
        host, port = other
        head = packet[:HEADER].ljust(HEADER, b"\0")
        generation = int(self._generation[row])
        self._ring.push(RtpSeen(row, generation, at_us, int(sent), len(packet), port, host.encode("ascii"), head))
