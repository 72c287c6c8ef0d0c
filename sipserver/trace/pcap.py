"""Packets as a capture file that Wireshark reads: pcap with the time in µs, each message in a UDP datagram of its own.

The Ethernet, IP and UDP headers are made up from the addresses. What went over TCP or TLS is written as UDP as well: the
connections' own packets are not known here, and an encrypted port would hide the text. The Via says what it was.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from sipserver.trace.masking import without_credentials
from sipserver.trace.packet import Address, Packet

MEDIA_TYPE = "application/vnd.tcpdump.pcap"
HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
"""The file's header: µs, version 2.4, UTC, snap length, Ethernet."""

_MAX_PAYLOAD = 65_535 - 20 - 8
_RECORD = struct.Struct("<IIII")
_UDP = struct.Struct("!HHHH")
_MACS = b"\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
"""Locally administered: these machines are not on any Ethernet."""


def pcap(packets: Iterable[Packet]) -> bytes:
    """A whole file."""
    return HEAD + b"".join(map(record, packets))


def record(packet: Packet) -> bytes:
    """One record, as it follows the header or another record. A message that no datagram could hold is cut."""
    frame = _frame(packet, without_credentials(packet.data)[:_MAX_PAYLOAD])
    seconds, micros = divmod(packet.at, 1_000_000)
    return _RECORD.pack(seconds, micros, len(frame), len(frame)) + frame


def addresses(packet: Packet) -> tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address]:
    """From and to, of one family; what is no address, or of the other family, is the unspecified one."""
    peer = _address(packet.peer)
    local = _address(packet.local)
    if isinstance(peer, IPv6Address):
        here6 = local if isinstance(local, IPv6Address) else IPv6Address(0)
        return (peer, here6) if packet.direction == "<" else (here6, peer)
    here4 = local if isinstance(local, IPv4Address) else IPv4Address(0)
    return (peer, here4) if packet.direction == "<" else (here4, peer)


def _address(address: Address) -> IPv4Address | IPv6Address:
    try:
        found = ip_address(address[0].strip("[]").partition("%")[0])
    except ValueError:
        return IPv4Address(0)
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _frame(packet: Packet, payload: bytes) -> bytes:
    source, target = addresses(packet)
    (_, source_port), (_, target_port) = packet.ends
    length = _UDP.size + len(payload)
    pseudo = source.packed + target.packed
    pseudo += struct.pack("!BBH", 0, 17, length) if source.version == 4 else struct.pack("!II", length, 17)
    checksum = _checksum(pseudo + _UDP.pack(source_port, target_port, length, 0) + payload) or 0xFFFF
    datagram = _UDP.pack(source_port, target_port, length, checksum) + payload
    if source.version == 4:
        return _MACS + b"\x08\x00" + _ip4(source.packed, target.packed, length) + datagram
    return _MACS + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, length, 17, 64) + pseudo[:32] + datagram


def _ip4(source: bytes, target: bytes, length: int) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, 17, 0) + source + target
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:]


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    words: tuple[int, ...] = struct.unpack(f"!{len(padded) // 2}H", padded)
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
