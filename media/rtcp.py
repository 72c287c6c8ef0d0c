"""RTCP (RFC 3550 section 6, RFC 3611): reports read and written. The statistics behind them are in `media.reception`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from media.xr import VOIP_METRICS, VoipMetrics

VERSION = 2
SR, RR, SDES, BYE, XR = 200, 201, 202, 203, 207
CNAME = 1

_HEADER = struct.Struct("!BBH")
_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!QIII")


class RtcpError(ValueError):
    """The octets are no compound RTCP packet; the text says why."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source (RFC 3550 section 6.4.1).

    fraction_lost: in 1/256, since the last report. lost: in all, may be negative (duplicates). highest: extended sequence number.
    jitter: in timestamp units. last_sr: middle 32 bits of the source's last SR. delay: since then, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_sr: int = 0
    delay: int = 0

    @classmethod
    def parse(cls, data: bytes, start: int) -> ReportBlock:
        """Read 24 octets from `start`."""
        ssrc, losses, highest, jitter, last_sr, delay = _BLOCK.unpack_from(data, start)
        lost = (losses & 0xFFFFFF ^ 0x800000) - 0x800000
        return cls(ssrc, losses >> 24, lost, highest, jitter, last_sr, delay)

    def __bytes__(self) -> bytes:
        lost = min(max(self.lost, -0x800000), 0x7FFFFF) & 0xFFFFFF
        losses = self.fraction_lost << 24 | lost
        return _BLOCK.pack(self.ssrc, losses, self.highest, self.jitter, self.last_sr, self.delay)


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR. ntp: 64 bits, seconds since 1900 in 1/2**32; timestamp: the RTP time of the same instant."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        sender = _SENDER.pack(self.ntp, self.timestamp, self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF)
        return _packet(SR, len(self.blocks), self.ssrc.to_bytes(4, "big") + sender + b"".join(map(bytes, self.blocks)))


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR: reports of one who does not send."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    def __bytes__(self) -> bytes:
        return _packet(RR, len(self.blocks), self.ssrc.to_bytes(4, "big") + b"".join(map(bytes, self.blocks)))


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SDES of one source: items of (type, octets); CNAME is the one that has to be there."""

    ssrc: int
    items: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def of(cls, ssrc: int, cname: str) -> SourceDescription:
        """A description that gives the canonical name only."""
        return cls(ssrc, ((CNAME, cname.encode()),))

    def __bytes__(self) -> bytes:
        items = b"".join(bytes([kind, len(text)]) + text for kind, text in self.items)
        # The list ends with a null octet, and more up to the next word (RFC 3550 section 6.5).
        body = self.ssrc.to_bytes(4, "big") + items
        return _packet(SDES, 1, body + bytes(4 - len(body) % 4))


@dataclass(frozen=True, slots=True)
class Bye:
    """BYE: these sources have left."""

    ssrcs: tuple[int, ...]
    reason: str = ""

    def __bytes__(self) -> bytes:
        body = b"".join(ssrc.to_bytes(4, "big") for ssrc in self.ssrcs)
        if self.reason:
            text = self.reason.encode()[:255]
            body += bytes([len(text)]) + text
        return _packet(BYE, len(self.ssrcs), body + bytes(-len(body) % 4))


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """XR (RFC 3611): of its blocks those with VoIP metrics."""

    ssrc: int
    blocks: tuple[VoipMetrics, ...] = ()

    def __bytes__(self) -> bytes:
        return _packet(XR, 0, self.ssrc.to_bytes(4, "big") + b"".join(map(bytes, self.blocks)))


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Bye | ExtendedReport


def compound(packets: Sequence[RtcpPacket]) -> bytes:
    """One datagram. The first has to be an SR or RR (RFC 3550 section 6.1)."""
    return b"".join(map(bytes, packets))


def parse_compound(data: bytes) -> tuple[RtcpPacket, ...]:
    """Read one datagram; packet types other than SR, RR, SDES, BYE and XR are stepped over. Raises RtcpError."""
    packets: list[RtcpPacket] = []
    start = 0
    while start < len(data):
        kind, count, body, start = _split(data, start)
        if not packets and kind not in (SR, RR):
            raise RtcpError("the first packet is neither SR nor RR")
        packets += _read(kind, count, body)
    if not packets:
        raise RtcpError("the datagram is empty")
    return tuple(packets)


def round_trip(block: ReportBlock, now: int) -> float | None:
    """Seconds to the peer and back, by its report on us; None before our first SR reached it. now: middle 32 bits of NTP."""
    if not block.last_sr:
        return None
    # Clocks may wrap, and a peer may round its delay up by a little (RFC 3550 section 6.4.1).
    units = (now - block.last_sr - block.delay + 0x80000000) % 0x100000000 - 0x80000000
    return max(units, 0) / 65536


def middle(ntp: int) -> int:
    """The middle 32 bits of an NTP timestamp: seconds in 1/65536."""
    return ntp >> 16 & 0xFFFFFFFF


def ntp_from_unix(seconds: float) -> int:
    """The 64-bit NTP timestamp of a time since 1970 (2 208 988 800 s after 1900)."""
    return int((seconds + 2_208_988_800) * 2**32) & 0xFFFFFFFFFFFFFFFF


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(VERSION << 6 | count, kind, len(body) // 4) + body


def _split(data: bytes, start: int) -> tuple[int, int, bytes, int]:
    if len(data) < start + _HEADER.size:
        raise RtcpError("a packet ends within its header")
    first, kind, words = _HEADER.unpack_from(data, start)
    end = start + 4 + 4 * words
    if first >> 6 != VERSION:
        raise RtcpError(f"RTCP version is {first >> 6}, not 2")
    if len(data) < end:
        raise RtcpError("a packet is longer than the datagram")
    body = data[start + 4 : end]
    if first & 0x20:
        # Padding may end only the last packet (RFC 3550 section 6.4.1); its last octet counts it.
        if end != len(data) or not body or not 0 < body[-1] <= len(body) or body[-1] % 4:
            raise RtcpError("the padding is wrong")
        body = body[: -body[-1]]
    return kind, first & 0x1F, body, end


def _read(kind: int, count: int, body: bytes) -> Sequence[RtcpPacket]:
    if kind == SR:
        _need(body, 24 + 24 * count)
        ntp, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
        return [SenderReport(_ssrc(body, 0), ntp, timestamp, packets, octets, _blocks(body, 24, count))]
    if kind == RR:
        _need(body, 4 + 24 * count)
        return [ReceiverReport(_ssrc(body, 0), _blocks(body, 4, count))]
    if kind == SDES:
        return _read_sdes(body, count)
    if kind == XR:
        return [_read_xr(body)]
    return [_read_bye(body, count)] if kind == BYE else []


def _read_sdes(body: bytes, count: int) -> list[RtcpPacket]:
    chunks: list[RtcpPacket] = []
    start = 0
    for _ in range(count):
        _need(body, start + 4)
        ssrc, at = _ssrc(body, start), start + 4
        items = []
        while at < len(body) and body[at]:
            _need(body, at + 2)
            _need(body, at + 2 + body[at + 1])
            items.append((body[at], body[at + 2 : at + 2 + body[at + 1]]))
            at += 2 + body[at + 1]
        chunks.append(SourceDescription(ssrc, tuple(items)))
        start = at + 4 - at % 4
    return chunks


def _read_bye(body: bytes, count: int) -> Bye:
    _need(body, 4 * count)
    ssrcs = tuple(_ssrc(body, 4 * k) for k in range(count))
    rest = body[4 * count :]
    return Bye(ssrcs, rest[1 : 1 + rest[0]].decode(errors="replace") if rest else "")


def _read_xr(body: bytes) -> ExtendedReport:
    """Blocks of other types are stepped over (RFC 3611 section 3), and one that is cut off: the rest of the datagram is sound."""
    _need(body, 4)
    blocks, start = [], 4
    while start + 4 <= len(body):
        end = start + 4 + 4 * int.from_bytes(body[start + 2 : start + 4], "big")
        metrics = VoipMetrics.parse(body[start:end]) if body[start] == VOIP_METRICS else None
        blocks += [] if metrics is None else [metrics]
        start = end
    return ExtendedReport(_ssrc(body, 0), tuple(blocks))


def _need(body: bytes, octets: int) -> None:
    if len(body) < octets:
        raise RtcpError("a packet is shorter than what it counts")


def _ssrc(body: bytes, start: int) -> int:
    return int.from_bytes(body[start : start + 4], "big")


def _blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    return tuple(ReportBlock.parse(body, start + 24 * k) for k in range(count))
