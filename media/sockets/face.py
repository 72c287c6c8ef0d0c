"""What the tick knows of sockets: open a pair for a row, take everything that came, send one packet per row."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Address = tuple[str, int]
"""Host as a numeric string, and port."""

PACKET_BYTES = 1024
"""The longest packet that is read: 120 ms of G.711 with its header. A longer one comes truncated and is malformed."""

NOT_TIMED = -1

_KNOWN_MAX = 1 << 16
_known: dict[Address, int] = {}


class PortsExhausted(Exception):
    """No pair of ports of the range could be bound."""


def source_key(address: Address) -> int:
    """A number for an address that fits an array: equal for equal addresses.

    For IPv4 it is the address itself; for IPv6 it is a 62-bit digest, which an attacker cannot steer to a given value.
    """
    key = _known.get(address)
    if key is None:
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        key = _known[address] = _key_of(address)
    return key


def _key_of(address: Address) -> int:
    host, port = address
    ip = ipaddress.ip_address(host.partition("%")[0])
    if ip.version == 4:
        return int(ip) << 16 | port
    digest = hashlib.blake2b(ip.packed + port.to_bytes(2, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2 | 1 << 62


@dataclass(slots=True)
class Received:
    """What came since the last call, in the order of arrival per row.

    data: uint8 (n, PACKET_BYTES), a view that the next `receive` overwrites; lengths, rows, sources (`source_key`):
    int64 (n,); addresses: the same sources as pairs. arrivals: int64 (n,), when the packet came by the kernel's clock, in
    samples at 8 kHz, or NOT_TIMED. `control` is RTCP: row, packet, source address.
    """

    data: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    rows: NDArray[np.int64]
    sources: NDArray[np.int64]
    addresses: Sequence[Address]
    arrivals: NDArray[np.int64]
    control: list[tuple[int, bytes, Address]] = field(default_factory=list)


class Sockets(Protocol):
    """A pair of UDP sockets per row. No method blocks, and none raises for what a peer does."""

    @property
    def refused(self) -> int:
        """Sends answered by an ICMP error, in all."""

    def open(self, row: int) -> int:
        """Bind an even port for RTP and the next for RTCP. Returns the even one; raises PortsExhausted."""

    def close(self, row: int) -> None:
        """Free the pair; nothing happens when the row has none."""

    def receive(self) -> Received:
        """Everything that has come, within a bound per row, so that a flood on one port costs the others little."""

    def aim(self, row: int, address: Address | None) -> None:
        """Where `send_rows` sends the row's packets from now on; None: nowhere."""

    def send_rows(self, rows: Rows, packets: NDArray[np.uint8]) -> None:
        """One RTP packet per row, to where that row aims. packets: uint8, (n, octets), line j of row `rows[j]`, C-contiguous."""

    def send(self, rows: Sequence[int], packets: Sequence[memoryview], addresses: Sequence[Address]) -> None:
        """One RTP packet per row, of any length and to any address."""

    def send_control(self, row: int, packet: bytes, address: Address) -> None:
        """One RTCP packet, from the odd port."""
