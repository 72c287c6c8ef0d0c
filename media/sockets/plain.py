"""The backend that always works: plain Python sockets, one epoll per tick, packets read into rows of one array.

Most of the cost of UDP in Python is waking up for each packet; read once per tick, a packet costs little more than its
system call (the figures are in docs/benchmarks.md).
"""

from __future__ import annotations

import ipaddress
import select
import socket
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.sockets.face import NOT_TIMED, PACKET_BYTES, Address, PortsExhausted, Received, source_key
from media.sockets.ports import PortPairs

_ROUNDS = 8
"""Packets taken from one socket per tick, at most: 160 ms of a peer that had been held up."""
_CAPACITY = 16384
_TIMED_SHARES = 8
_TIMED_TURNS = 50
"""An eighth of the rows is read with the kernel's times, each for 50 ticks in turn."""
_EXPEDITED = 0xB8
"""DSCP 46, expedited forwarding, in the place of the type of service (RFC 3246)."""
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_IP_RECVERR = 11
_IPV6_RECVERR = 25


class PlainSockets:
    """Sockets (media.sockets) on one address and a range of ports."""

    def __init__(self, host: str, ports: PortPairs) -> None:
        self.refused = 0
        self._host = host
        self._family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        self._ports = ports
        self._epoll = select.epoll()
        self._rtp: dict[int, socket.socket] = {}
        self._rtcp: dict[int, socket.socket] = {}
        self._port: dict[int, int] = {}
        self._by_fd: dict[int, tuple[socket.socket, int, bool]] = {}
        self._data = np.zeros((_CAPACITY, PACKET_BYTES), np.uint8)
        self._slots = [row.data for row in self._data]
        self._turn = 0

    def open(self, row: int) -> int:
        """Bind the next free pair; one that something else holds (EADDRINUSE, EACCES) is passed over."""
        for port in self._ports.candidates():
            try:
                rtp = self._bind(port)
            except OSError:
                continue
            try:
                rtcp = self._bind(port + 1)
            except OSError:
                rtp.close()
                continue
            self._watch(row, port, rtp, rtcp)
            return port
        raise PortsExhausted(f"No pair of UDP ports is free on {self._host}.")

    def _bind(self, port: int) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if self._host == "::":
                # IPv4 too, whatever the system's default is; its addresses are mapped ones here.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind((self._host, port))
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if self._family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
                sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED)
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
                if self._host == "::":
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
                    sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        except OSError:
            sock.close()
            raise
        return sock

    def _watch(self, row: int, port: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        self._rtp[row], self._rtcp[row], self._port[row] = rtp, rtcp, port
        for sock, control in ((rtp, False), (rtcp, True)):
            self._by_fd[sock.fileno()] = (sock, row, control)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def close(self, row: int) -> None:
        """Unbind both sockets and put the pair at the end of the queue."""
        if row not in self._port:
            return
        for sock in (self._rtp.pop(row), self._rtcp.pop(row)):
            self._epoll.unregister(sock.fileno())
            del self._by_fd[sock.fileno()]
            sock.close()
        self._ports.give_back(self._port.pop(row))

    def shut(self) -> None:
        """Close everything, for the end of the process or of a test."""
        for row in list(self._port):
            self.close(row)
        self._epoll.close()

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
                self._take_errors(sock)
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

    def _take_errors(self, sock: socket.socket) -> None:
        """Empty the socket's queue of ICMP errors; until that is done epoll reports it again and again."""
        for _ in range(64):
            try:
                sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            self.refused += 1

    def send(self, rows: Sequence[int], packets: Sequence[memoryview], addresses: Sequence[Address]) -> None:
        """Send one packet per row; a full socket buffer loses the packet, as a full network would."""
        rtp = self._rtp
        for row, packet, address in zip(rows, packets, addresses, strict=True):
            try:
                rtp[row].sendto(packet, address)
            except OSError:
                self._send_again(rtp[row], packet, address)

    def send_control(self, row: int, packet: bytes, address: Address) -> None:
        """Send an RTCP packet from the odd port."""
        try:
            self._rtcp[row].sendto(packet, address)
        except OSError:
            self._send_again(self._rtcp[row], packet, address)

    def _send_again(self, sock: socket.socket, packet: bytes | memoryview, address: Address) -> None:
        """The first try reported the ICMP error of an earlier packet (ECONNREFUSED …), which cleared it; once more."""
        try:
            sock.sendto(packet, address)
        except OSError:
            self.refused += 1


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
