"""The backend in C: all packets of a tick in one call, and all that leave in another (`native.c`, built by `media.sockets.build`).

It is called through ctypes: two calls a tick cost nothing, and there is neither a package to install nor a header of Python's
to build against. Every packet comes with the kernel's receive time. Where the library was not built, the plain backend serves.
"""

from __future__ import annotations

import ctypes
import ipaddress
import select
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from media.sockets.bound import BoundSockets
from media.sockets.face import PACKET_BYTES, Address, Received, Rows, source_key
from media.sockets.ports import PortPairs

LIBRARY = Path(__file__).with_name("_native.so")
_VERSION = 1
_CAPACITY = 16384
_CONTROL_CAPACITY = 1024
_PLACE = np.dtype([("address", "u1", 28), ("length", "u4")])
"""A socket address of either family and how much of it is used."""
_FOUR = np.dtype([("family", "u2"), ("port", ">u2"), ("host", ">u4"), ("rest", "V20")])
_KNOWN_MAX = 1 << 16


class NativeMissing(Exception):
    """There is no library, or it is not of this release; the text says what to do."""


class _Inbox(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("capacity", "stride", "count", "padding")),
        *((name, ctypes.c_void_p) for name in ("data", "lengths", "rows", "arrivals", "sources")),
        *((name, ctypes.c_void_p) for name in ("messages", "parts", "ancillary")),
    )


def load(path: Path = LIBRARY) -> ctypes.CDLL:
    """The library. Raises NativeMissing."""
    if not path.exists():
        raise NativeMissing(f"{path.name} is not built (make native)")
    try:
        library = ctypes.CDLL(str(path))
        version = library.antiphon_version()
    except (OSError, AttributeError) as error:
        raise NativeMissing(f"{path.name} does not work here (make native): {error}") from None
    if version != _VERSION:
        raise NativeMissing(f"{path.name} is of another release (make native)")
    # Addresses of arrays are numbers here; without their types ctypes would cut them to 32 bits.
    pointer, number, wide = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
    library.antiphon_prepare.argtypes = library.antiphon_release.argtypes = [pointer]
    library.antiphon_watch.argtypes = [number, number, ctypes.c_uint32, number]
    library.antiphon_receive.argtypes = [number, pointer, pointer]
    library.antiphon_send.argtypes = [number, pointer, pointer, pointer, pointer, wide, wide]
    return library


class _Lines:
    """The arrays of one inbox, and what C knows of them."""

    def __init__(self, library: ctypes.CDLL, capacity: int) -> None:
        self._library = library
        self.data = np.zeros((capacity, PACKET_BYTES), np.uint8)
        self.lengths, self.rows, self.arrivals = (np.zeros(capacity, np.int64) for _ in range(3))
        self.places = np.zeros(capacity, _PLACE)
        self.inbox = _Inbox(capacity=capacity, stride=PACKET_BYTES)
        for name, array in (
            ("data", self.data), ("lengths", self.lengths), ("rows", self.rows), ("arrivals", self.arrivals),
            ("sources", self.places),
        ):  # fmt: skip
            setattr(self.inbox, name, array.ctypes.data)
        if library.antiphon_prepare(ctypes.byref(self.inbox)):
            raise MemoryError("no memory for the packets of a tick")

    def release(self) -> None:
        """Give back what C allocated."""
        self._library.antiphon_release(ctypes.byref(self.inbox))


class NativeSockets(BoundSockets):
    """Sockets (media.sockets) on one address and a range of ports. Raises NativeMissing."""

    def __init__(self, host: str, ports: PortPairs, library: Path = LIBRARY) -> None:
        self._library = load(library)
        super().__init__(host, ports)
        self._epoll = select.epoll()
        self._audio = _Lines(self._library, _CAPACITY)
        self._control = _Lines(self._library, _CONTROL_CAPACITY)
        self._pointers = ctypes.addressof(self._audio.inbox), ctypes.addressof(self._control.inbox)
        self._descriptors = np.full(64, -1, np.int32)
        self._aims = np.zeros(64, _PLACE)
        self._known: dict[bytes, int] = {}

    def watch(self, row: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        """Have epoll look at both."""
        while row >= len(self._descriptors):
            self._descriptors = np.concatenate([self._descriptors, np.full_like(self._descriptors, -1)])
            self._aims = np.concatenate([self._aims, np.zeros_like(self._aims)])
        self._descriptors[row] = rtp.fileno()
        for sock, control in ((rtp, 0), (rtcp, 1)):
            error = self._library.antiphon_watch(self._epoll.fileno(), sock.fileno(), row, control)
            if error:
                raise OSError(error, "epoll_ctl")

    def unwatch(self, row: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        """No more."""
        for sock in (rtp, rtcp):
            self._epoll.unregister(sock.fileno())
        self._descriptors[row] = -1
        self.aim(row, None)

    def shut(self) -> None:
        """Close everything, for the end of the process or of a test."""
        super().shut()
        self._epoll.close()
        for lines in (self._audio, self._control):
            lines.release()

    def aim(self, row: int, address: Address | None) -> None:
        """Where `send_rows` sends the row's packets from now on; None: nowhere."""
        self._aims[row] = place_of(address, self.family)

    def send_rows(self, rows: Rows, packets: NDArray[np.uint8]) -> None:
        """One RTP packet per row, to where that row aims."""
        self.refused += self._library.antiphon_send(
            len(rows), rows.ctypes.data, self._descriptors.ctypes.data, self._aims.ctypes.data,
            packets.ctypes.data, packets.strides[0], packets.shape[1],
        )  # fmt: skip

    def receive(self) -> Received:
        """Everything that has come, within a bound per row."""
        self.refused += self._library.antiphon_receive(self._epoll.fileno(), *self._pointers)
        audio, count = self._audio, int(self._audio.inbox.count)
        places = audio.places["address"][:count]
        return Received(
            data=audio.data[:count],
            lengths=audio.lengths[:count],
            rows=audio.rows[:count],
            sources=self._keys(places),
            addresses=_Sources(places),
            arrivals=audio.arrivals[:count],
            control=self._reports(),
        )

    def _reports(self) -> list[tuple[int, bytes, Address]]:
        lines, count = self._control, int(self._control.inbox.count)
        sources = _Sources(lines.places["address"])
        return [(int(lines.rows[k]), lines.data[k, : lines.lengths[k]].tobytes(), sources[k]) for k in range(count)]

    def _keys(self, places: NDArray[np.uint8]) -> NDArray[np.int64]:
        """`source_key` of each line."""
        if self.family == socket.AF_INET:
            four = np.ascontiguousarray(places).view(_FOUR)[:, 0]
            return np.asarray(four["host"].astype(np.int64) << 16 | four["port"], np.int64)
        if len(self._known) > _KNOWN_MAX:
            self._known.clear()
        return np.fromiter((self._key(place) for place in places), np.int64, len(places))

    def _key(self, place: NDArray[np.uint8]) -> int:
        octets = place.tobytes()
        key = self._known.get(octets)
        if key is None:
            key = self._known[octets] = source_key(address_of(octets))
        return key


class _Sources(Sequence[Address]):
    """Addresses that are read when somebody asks: of nearly every packet nobody does."""

    def __init__(self, places: NDArray[np.uint8]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Address: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Address]: ...

    def __getitem__(self, index: int | slice) -> Address | Sequence[Address]:
        if isinstance(index, slice):
            return _Sources(self._places[index])
        return address_of(self._places[index].tobytes())

    def __iter__(self) -> Iterator[Address]:
        return (address_of(place.tobytes()) for place in self._places)


def address_of(octets: bytes) -> Address:
    """The address in a `sockaddr_in` or `sockaddr_in6`, as Python's sockets say it."""
    port = int.from_bytes(octets[2:4], "big")
    if int.from_bytes(octets[:2], sys.byteorder) == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, octets[4:8]), port
    host = socket.inet_ntop(socket.AF_INET6, octets[8:24])
    scope = int.from_bytes(octets[24:28], sys.byteorder)
    return (f"{host}%{socket.if_indextoname(scope)}" if scope else host), port


def place_of(address: Address | None, family: int) -> NDArray[np.void]:
    """An address as the kernel wants it, for sockets of `family`; of no length where it is none, or of another family."""
    place = np.zeros((), _PLACE)
    try:
        octets = _octets(address, family) if address is not None else b""
    except (OSError, ValueError):
        return place
    place["address"][: len(octets)] = np.frombuffer(octets, np.uint8)
    place["length"] = len(octets)
    return place


def _octets(address: Address, family: int) -> bytes:
    host, port = address
    ip = ipaddress.ip_address(host)
    if (ip.version == 4) != (family == socket.AF_INET):
        raise ValueError(f"{host} is of another family")
    start = family.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big")
    if isinstance(ip, ipaddress.IPv4Address):
        return start + ip.packed + bytes(8)
    scope = socket.if_nametoindex(ip.scope_id) if ip.scope_id else 0
    return start + bytes(4) + ip.packed + scope.to_bytes(4, sys.byteorder)
