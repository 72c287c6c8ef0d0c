"""SIP over UDP: one socket, read by `add_reader` in a loop that takes all that is there.

A datagram protocol of asyncio costs three to four times as much for each datagram. The kernel is asked to tell of ICMP errors
(IP_RECVERR), so that a trunk that is not there is known at once and not after 32 s (RFC 3261 section 18.4).
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.transport.family import as_peer, for_socket
from sipserver.transport.lateness import Lateness

_AT_ONCE = 256
"""Datagrams taken in one go, before others of the loop get their turn."""
_BUFFER = 4 * 1024 * 1024
_RCVBUFFORCE = 33
"""Linux's asm-generic/socket.h: as SO_RCVBUF, beyond net.core.rmem_max, for who may (CAP_NET_ADMIN)."""
_TIMESTAMPNS = 35
"""SO_TIMESTAMPNS of Linux's asm-generic/socket.h."""
_STAMP = struct.Struct("=qq")
_MAX_DATAGRAM = 65535
# Linux's linux/in.h and linux/in6.h; the socket module does not name them in every version.
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_NOBODY = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})


class UdpTransport:
    """`on_datagram` gets each datagram and where it came from, `on_unreachable` each target that the network cannot reach."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_datagram: Callable[[bytes, Source], None],
        on_unreachable: Callable[[Target], None],
    ) -> None:
        """Takes over `sock`, which is bound."""
        self._loop = loop
        self._sock = sock
        self._family = sock.family  # Asked of the socket it is looked up among the enumeration's members each time.
        self._on_datagram = on_datagram
        self._on_unreachable = on_unreachable
        self._lateness = Lateness()
        sock.setblocking(False)
        _widen(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        sock.setsockopt(*_RECVERR[sock.family], 1)
        if sock.family == socket.AF_INET6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            sock.setsockopt(*_RECVERR[socket.AF_INET], 1)
        loop.add_reader(sock, self._readable)

    @property
    def is_late(self) -> bool:
        """Whether for a while more has come than could be taken: what waits is old, and its repetitions come on top of it.

        A wall clock that is set forward makes late what waits at that moment, and nothing after it.
        """
        return self._lateness.is_late

    def send(self, data: bytes, target: Target) -> None:
        """Send one datagram. A full buffer is a lost datagram, as it is anywhere on the way. Raises OSError."""
        address = (for_socket(target.host, self._family), target.port)
        try:
            self._sock.sendto(data, address)
        except BlockingIOError:
            return
        except ConnectionRefusedError:
            # The error of an earlier datagram, told late; it says nothing about this one.
            self._read_errors()
            self._sock.sendto(data, address)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _readable(self) -> None:
        for taken in range(_AT_ONCE):
            try:
                data, notes, _, address = self._sock.recvmsg(_MAX_DATAGRAM, 64)
            except BlockingIOError:
                self._lateness.drained()
                if not taken:
                    self._read_errors()
                return
            except OSError:
                self._read_errors()
                continue
            self._lateness.took(_waited(notes), self._loop.time())
            self._on_datagram(data, _source(address[0], address[1]))
            if self._sock.fileno() < 0:
                return

    def _read_errors(self) -> None:
        """Empty the error queue; what is left in it would wake the loop for ever."""
        for _ in range(_AT_ONCE):
            try:
                _, notes, _, address = self._sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if address and any(_is_unreachable(note) for _, _, note in notes):
                self._on_unreachable(Target("udp", as_peer(address[0]), address[1]))


@lru_cache(1024)
def _source(host: str, port: int) -> Source:
    """The same few peers send most datagrams."""
    return Source("udp", as_peer(host), port)


def _waited(notes: Sequence[tuple[int, int, bytes]]) -> float:
    """For how many seconds a datagram was in the kernel, by the time of its arrival; 0 where the kernel tells none."""
    if not notes:
        return 0.0
    seconds, nanoseconds = _STAMP.unpack_from(notes[0][2])
    return time.time() - float(seconds) - float(nanoseconds) / 1e9


def _widen(sock: socket.socket) -> None:
    """Room for what comes while the loop is busy with something else."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)


def _is_unreachable(note: bytes) -> bool:
    """Whether a `struct sock_extended_err` says that nobody is there."""
    return len(note) >= _EXTENDED_ERROR.size and _EXTENDED_ERROR.unpack_from(note)[0] in _NOBODY
