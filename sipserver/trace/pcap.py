"""Packets as a capture file that Wireshark reads: pcap with the time in µs, each message in a UDP datagram of its own.

The Ethernet, IP and UDP headers are made up from the addresses. What went over TCP or TLS is written as UDP as well: the
connections' own packets are not known here, and an encrypted port would hide the text. The Via says what it was. Of RTP there are the
headers, and how long the packets were: a capture that was cut, as by a snap length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import itemgetter

from sipserver.trace.masking import without_credentials
from sipserver.trace.packet import Address, Packet
from sipserver.trace.rtp import RtpHeader

MEDIA_TYPE = "application/vnd.tcpdump.pcap"
HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
"""The file's header: µs, version 2.4, UTC, snap length, Ethernet."""

Ends = tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address]

_MAX_PAYLOAD = 65_535 - 20 - 8
_RECORD = struct.Struct("<IIII")
_UDP = struct.Struct("!HHHH")
_MACS = b"\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
"""Locally administered: these machines are not on any Ethernet."""


def pcap(packets: Iterable[Packet], rtp: Iterable[RtpHeader] = ()) -> bytes:
    """A whole file, in the order of time."""
    timed = [*((packet.at, record(packet)) for packet in packets), *((packet.at, rtp_record(packet)) for packet in rtp)]
    return HEAD + b"".join(written for _, written in sorted(timed, key=itemgetter(0)))


def record(packet: Packet) -> bytes:
    """One record, as it follows the header or another record. A message that no datagram could hold is cut."""
    data = without_credentials(packet.data)[:_MAX_PAYLOAD]
    return _record(packet.at, _frame(addresses(packet), packet.ends, data, len(data)), 0)


def rtp_record(packet: RtpHeader) -> bytes:
    """One record of a packet whose payload is left out."""
    length = max(packet.length, len(packet.head))
    source, target = packet.source, packet.target
    # Our own end has no address of its peer's family where it is bound to all.
    ends = _one_family(source, target) if _address(target).version == 4 else _one_family(target, source)[::-1]
    frame = _frame(ends, (packet.source, packet.target), packet.head, length)
    return _record(packet.at, frame, length - len(packet.head))


def addresses(packet: Packet) -> Ends:
    """From and to, of one family; what is no address, or not of the peer's family, is the unspecified one."""
    ends = _one_family(packet.peer, packet.local)
    return ends if packet.direction == "<" else ends[::-1]


def _one_family(leading: Address, other: Address) -> Ends:
    first, second = _address(leading), _address(other)
    if isinstance(first, IPv6Address):
        return first, second if isinstance(second, IPv6Address) else IPv6Address(0)
    return first, second if isinstance(second, IPv4Address) else IPv4Address(0)


def _address(address: Address) -> IPv4Address | IPv6Address:
    try:
        found = ip_address(address[0].strip("[]").partition("%")[0])
    except ValueError:
        return IPv4Address(0)
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _record(at: int, frame: bytes, left_out: int) -> bytes:
    seconds, micros = divmod(at, 1_000_000)
    return _RECORD.pack(seconds, micros, len(frame), len(frame) + left_out) + frame


def _frame(ends: Ends, ports: tuple[Address, Address], payload: bytes, whole: int) -> bytes:
    """`whole` is how long the payload was before it was cut; the checksum of one that was cut cannot be known, and is left out."""
    source, target = ends
    (_, source_port), (_, target_port) = ports
    length = _UDP.size + whole
    pseudo = source.packed + target.packed
    pseudo += struct.pack("!BBH", 0, 17, length) if source.version == 4 else struct.pack("!II", length, 17)
    checksum = 0
    if whole == len(payload):
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
