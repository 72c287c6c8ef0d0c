"""Binding pairs of UDP sockets, which every backend on a real network does alike."""

from __future__ import annotations

import ipaddress
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.sockets.face import Address, PortsExhausted, Received, Rows
from media.sockets.ports import PortPairs

EXPEDITED = 0xB8
"""DSCP 46, expedited forwarding, in the place of the type of service (RFC 3246)."""
_SO_TIMESTAMPNS = 35
_IP_RECVERR = 11
_IPV6_RECVERR = 25


class BoundSockets(ABC):
    """The pairs of sockets of all rows, on one address and a range of ports; what is done with them is the backend's."""

    def __init__(self, host: str, ports: PortPairs) -> None:
        self.refused = 0
        self.host = host
        self.family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        self._ports = ports
        self.rtp: dict[int, socket.socket] = {}
        self.rtcp: dict[int, socket.socket] = {}
        self._port: dict[int, int] = {}

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
            self.rtp[row], self.rtcp[row], self._port[row] = rtp, rtcp, port
            self.watch(row, rtp, rtcp)
            return port
        raise PortsExhausted(f"No pair of UDP ports is free on {self.host}.")

    def _bind(self, port: int) -> socket.socket:
        sock = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if self.host == "::":
                # IPv4 too, whatever the system's default is; its addresses are mapped ones here.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind((self.host, port))
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if self.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
                sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED)
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
                if self.host == "::":
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
                    sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        except OSError:
            sock.close()
            raise
        return sock

    @abstractmethod
    def watch(self, row: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        """A backend's part of `open`: the row's sockets are there."""

    @abstractmethod
    def unwatch(self, row: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        """A backend's part of `close`: they are about to be closed."""

    @abstractmethod
    def receive(self) -> Received:
        """Everything that has come, within a bound per row, so that a flood on one port costs the others little."""

    @abstractmethod
    def aim(self, row: int, address: Address | None) -> None:
        """Where `send_rows` sends the row's packets from now on; None: nowhere."""

    @abstractmethod
    def send_rows(self, rows: Rows, packets: NDArray[np.uint8]) -> None:
        """One RTP packet per row, to where that row aims."""

    def close(self, row: int) -> None:
        """Unbind both sockets and put the pair at the end of the queue."""
        if row not in self._port:
            return
        rtp, rtcp = self.rtp.pop(row), self.rtcp.pop(row)
        self.unwatch(row, rtp, rtcp)
        rtp.close()
        rtcp.close()
        self._ports.give_back(self._port.pop(row))

    def shut(self) -> None:
        """Close everything, for the end of the process or of a test."""
        for row in list(self._port):
            self.close(row)

    def send(self, rows: Sequence[int], packets: Sequence[memoryview], addresses: Sequence[Address]) -> None:
        """Send one packet per row; a full socket buffer loses the packet, as a full network would."""
        rtp = self.rtp
        for row, packet, address in zip(rows, packets, addresses, strict=True):
            try:
                rtp[row].sendto(packet, address)
            except OSError:
                self._send_again(rtp[row], packet, address)

    def send_control(self, row: int, packet: bytes, address: Address) -> None:
        """Send an RTCP packet from the odd port."""
        try:
            self.rtcp[row].sendto(packet, address)
        except OSError:
            self._send_again(self.rtcp[row], packet, address)

    def _send_again(self, sock: socket.socket, packet: bytes | memoryview, address: Address) -> None:
        """The first try reported the ICMP error of an earlier packet (ECONNREFUSED …), which cleared it; once more."""
        try:
            sock.sendto(packet, address)
        except OSError:
            self.refused += 1

    def take_errors(self, sock: socket.socket) -> None:
        """Empty the socket's queue of ICMP errors; until that is done epoll reports it again and again."""
        for _ in range(64):
            try:
                sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            self.refused += 1
