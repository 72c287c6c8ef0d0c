"""The backend that always works: plain Python sockets, one epoll per tick, packets read into rows of one array.

Most of the cost of UDP in Python is waking up for each packet; read once per tick, a packet costs little more than its
system call (the figures are in docs/benchmarks.md).
"""

from __future__ import annotations

import select
import socket
import struct

import numpy as np
from numpy.typing import NDArray

from media.sockets.bound import BoundSockets
from media.sockets.face import NOT_TIMED, PACKET_BYTES, Address, Received, Rows, source_key
from media.sockets.ports import PortPairs

_ROUNDS = 8
"""Packets taken from one socket per tick, at most: 160 ms of a peer that had been held up."""
_CAPACITY = 16384
_TIMED_SHARES = 8
_TIMED_TURNS = 50
"""The kernel's time costs half as much as the packet: an eighth of the rows is read with it, each for 50 ticks in turn."""
_TIMESPEC = struct.Struct("@qq")


class PlainSockets(BoundSockets):
    """Sockets (media.sockets) on one address and a range of ports."""

    def __init__(self, host: str, ports: PortPairs) -> None:
        super().__init__(host, ports)
        self._epoll = select.epoll()
        self._by_fd: dict[int, tuple[socket.socket, int, bool]] = {}
        self._aims: dict[int, Address] = {}
        self._data = np.zeros((_CAPACITY, PACKET_BYTES), np.uint8)
        self._slots = [row.data for row in self._data]
        self._turn = 0

    def watch(self, row: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        """Have epoll look at both."""
        for sock, control in ((rtp, False), (rtcp, True)):
            self._by_fd[sock.fileno()] = (sock, row, control)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def unwatch(self, row: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        """No more."""
        for sock in (rtp, rtcp):
            self._epoll.unregister(sock.fileno())
            del self._by_fd[sock.fileno()]
        self._aims.pop(row, None)

    def shut(self) -> None:
        """Close everything, for the end of the process or of a test."""
        super().shut()
        self._epoll.close()

    def aim(self, row: int, address: Address | None) -> None:
        """Where `send_rows` sends the row's packets from now on; None: nowhere."""
        if address is None:
            self._aims.pop(row, None)
        else:
            self._aims[row] = address

    def send_rows(self, rows: Rows, packets: NDArray[np.uint8]) -> None:
        """One RTP packet per row, to where that row aims."""
        aims, rtp, octets = self._aims, self.rtp, packets.shape[1]
        # Slices of one view cost less than lines of an array.
        whole = np.ascontiguousarray(packets).reshape(-1).data
        for place, row in enumerate(rows.tolist()):
            address = aims.get(row)
            if address is None:
                continue
            packet = whole[place * octets : (place + 1) * octets]
            try:
                rtp[row].sendto(packet, address)
            except OSError:
                self._send_again(rtp[row], packet, address)

    def receive(self) -> Received:
        """Take what is there: one packet of each readable socket per round, until a round finds nothing."""
        self._turn += 1
        timed = self._turn // _TIMED_TURNS % _TIMED_SHARES
        found = _Found()
        for _ in range(_ROUNDS):
            ready = self._epoll.poll(0, len(self._by_fd) or 1)
            if not ready or len(found.rows) + len(ready) > _CAPACITY:
                break
            self._round(ready, timed, found)
        return found.batch(self._data)

    def _round(self, ready: list[tuple[int, int]], timed: int, found: _Found) -> None:
        for fd, mask in ready:
            sock, row, control = self._by_fd[fd]
            if mask & select.EPOLLERR:
                self.take_errors(sock)
            if not mask & select.EPOLLIN:
                continue
            slot = self._slots[len(found.rows)]
            arrival = NOT_TIMED
            try:
                if row % _TIMED_SHARES == timed and not control:
                    length, ancillary, _, address = sock.recvmsg_into([slot], 64)
                    arrival = _arrival(ancillary)
                else:
                    length, address = sock.recvfrom_into(slot)
            except OSError:
                # A pending ICMP error, or a datagram whose checksum turned out to be wrong: there is no packet.
                continue
            if control:
                found.control.append((row, bytes(slot[:length]), address[:2]))
                continue
            found.lengths.append(length)
            found.rows.append(row)
            found.addresses.append(address[:2])
            found.arrivals.append(arrival)


class _Found:
    """What the rounds of one `receive` have read."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.rows: list[int] = []
        self.addresses: list[Address] = []
        self.arrivals: list[int] = []
        self.control: list[tuple[int, bytes, Address]] = []

    def batch(self, data: NDArray[np.uint8]) -> Received:
        return Received(
            data=data[: len(self.rows)],
            lengths=np.array(self.lengths, np.int64),
            rows=np.array(self.rows, np.int64),
            sources=np.array([source_key(address) for address in self.addresses], np.int64),
            addresses=self.addresses,
            arrivals=np.array(self.arrivals, np.int64),
            control=self.control,
        )


def _arrival(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The kernel's receive time in samples at 8 kHz, where it came with the packet."""
    if not ancillary:
        return NOT_TIMED
    seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
    return int(seconds) * 8000 + int(nanoseconds) // 125_000
