"""RTP (RFC 3550 section 5): packets one by one, and the headers of all calls at once.

`RtpPacket` reads and writes any packet; it serves the slow path and the tests. `parse_rows` reads the headers of a whole
tick's packets where they are of the plain form (no padding, extension or contributing sources, 20 ms of G.711), which is
nearly all of them. `Sender` writes the headers of every call's next packet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VERSION = 2
HEADER = 12
FRAME_SAMPLES = 160
LINE_RATE = 8000
PLAIN_LENGTH = HEADER + FRAME_SAMPLES

Rows = NDArray[np.intp]
Octets = NDArray[np.uint8]

_FIXED = struct.Struct("!BBHII")
_HEADER_FIELDS = np.dtype(
    [("first", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)
_PLAIN_FIRST_OCTET = VERSION << 6


class RtpError(ValueError):
    """The octets are no RTP packet; the text says why."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet. `padding` is how many octets of padding follow the payload, the count octet included (0: none).

    `extension` is the profile number and the octets of a header extension (RFC 3550 section 5.3.1), whole words.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None
    padding: int = 0

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read one datagram. Raises RtpError."""
        if len(data) < HEADER:
            raise RtpError(f"{len(data)} octets are less than an RTP header")
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
        if first >> 6 != VERSION:
            raise RtpError(f"RTP version is {first >> 6}, not 2")
        csrc, start = _parse_csrc(data, first & 0x0F)
        extension, start = _parse_extension(data, start) if first & 0x10 else (None, start)
        padding = _parse_padding(data, start) if first & 0x20 else 0
        payload = bytes(data[start : len(data) - padding])
        return cls(second & 0x7F, sequence, timestamp, ssrc, payload, bool(second & 0x80), csrc, extension, padding)

    def __bytes__(self) -> bytes:
        first = VERSION << 6 | (self.padding > 0) << 5 | (self.extension is not None) << 4 | len(self.csrc)
        second = self.marker << 7 | self.payload_type
        parts = [_FIXED.pack(first, second, self.sequence, self.timestamp, self.ssrc)]
        parts += [source.to_bytes(4, "big") for source in self.csrc]
        if self.extension is not None:
            profile, body = self.extension
            parts.append(struct.pack("!HH", profile, len(body) // 4) + body)
        parts.append(self.payload)
        if self.padding:
            parts.append(bytes(self.padding - 1) + bytes([self.padding]))
        return b"".join(parts)


def _parse_csrc(data: bytes, count: int) -> tuple[tuple[int, ...], int]:
    end = HEADER + 4 * count
    if len(data) < end:
        raise RtpError("the packet ends within the contributing sources")
    return struct.unpack_from(f"!{count}I", data, HEADER), end


def _parse_extension(data: bytes, start: int) -> tuple[tuple[int, bytes], int]:
    if len(data) < start + 4:
        raise RtpError("the packet ends within the header extension")
    profile, words = struct.unpack_from("!HH", data, start)
    end = start + 4 + 4 * words
    if len(data) < end:
        raise RtpError("the header extension is longer than the packet")
    return (profile, bytes(data[start + 4 : end])), end


def _parse_padding(data: bytes, start: int) -> int:
    # The last octet counts the padding, itself included (RFC 3550 section 5.1).
    if len(data) == start or not 1 <= data[-1] <= len(data) - start:
        raise RtpError("the padding is longer than the payload, or counts nothing")
    return data[-1]


@dataclass(frozen=True, slots=True)
class ParsedRows:
    """The header fields of m packets, each array (m,). Where `fast` is false the other fields mean nothing."""

    fast: NDArray[np.bool_]
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    ssrc: NDArray[np.uint32]
    payload_type: NDArray[np.uint8]
    marker: NDArray[np.bool_]


def parse_rows(data: Octets, length: NDArray[np.integer]) -> ParsedRows:
    """Read the headers of many packets at once.

    data: uint8, (m, at least 172), one packet a line. length: (m,) octets of each packet. `fast` marks those with version
    2, no padding, no extension, no contributing sources and exactly 160 octets of payload, which then start at column 12.
    """
    fields = np.ascontiguousarray(data[:, :HEADER]).view(_HEADER_FIELDS)[:, 0]
    second = fields["second"]
    return ParsedRows(
        fast=(fields["first"] == _PLAIN_FIRST_OCTET) & (length == PLAIN_LENGTH),
        sequence=fields["sequence"].astype(np.uint16),
        timestamp=fields["timestamp"].astype(np.uint32),
        ssrc=fields["ssrc"].astype(np.uint32),
        payload_type=second & np.uint8(0x7F),
        marker=second >= 0x80,
    )


class Sender:
    """What every call's outgoing RTP stream has come to: one row a call.

    The timestamp of a packet follows from the tick alone, so it runs on while nothing is sent (RFC 3264 section 8.4, RFC
    3550 section 5.1); the sequence number counts packets, audio and telephone-events alike (RFC 4733 section 2.3).
    """

    def __init__(self, rows: int) -> None:
        self._sequence = np.zeros(rows, np.uint16)
        self._origin = np.zeros(rows, np.uint32)
        self._ssrc = np.zeros(rows, np.uint32)
        self._payload_type = np.zeros(rows, np.uint8)
        self._spacing = np.ones(rows, np.int64)
        self._due = np.zeros(rows, np.int64)
        self._clock = np.full(rows, LINE_RATE, np.int64)
        self.packets = np.zeros(rows, np.int64)
        self.octets = np.zeros(rows, np.int64)

    def open_row(
        self, row: int, *, ssrc: int, sequence: int, timestamp: int, payload_type: int, now: int, spacing: int = 1
    ) -> None:
        """Begin a stream at tick `now`. ssrc, sequence and timestamp are the random starts of RFC 3550 section 5.1.

        `spacing` is how many ticks lie between two packets: ptime / 20.
        """
        self._ssrc[row], self._sequence[row] = ssrc, sequence
        self._origin[row] = (timestamp - now * FRAME_SAMPLES) & 0xFFFFFFFF
        self._clock[row] = LINE_RATE
        # An instant that never comes: the first packet begins a talkspurt, so it carries the marker.
        self._due[row] = -1
        self.packets[row] = self.octets[row] = 0
        self.set_format(row, payload_type, spacing)

    def set_format(self, row: int, payload_type: int, spacing: int = 1) -> None:
        """What the next packets carry (after a re-INVITE); sequence and timestamp go on."""
        self._payload_type[row], self._spacing[row] = payload_type, spacing

    def set_clock(self, row: int, clock: int, ssrc: int, timestamp: int) -> None:
        """The codec's clock has another rate from now on: another stream begins (RFC 7160 section 4.1), with these random numbers.

        The sequence numbers and the counters run on.
        """
        self._clock[row] = clock
        self._ssrc[row], self._origin[row] = ssrc, timestamp
        self._due[row] = -1

    def clock(self, row: int) -> int:
        """Ticks a second of the row's timestamps."""
        return int(self._clock[row])

    def close_row(self, row: int) -> None:
        """The stream is over; the row's counters stay readable until it is opened again."""
        self._ssrc[row] = 0

    def ssrc(self, row: int) -> int:
        """The row's synchronisation source."""
        return int(self._ssrc[row])

    def timestamp(self, row: int, now: int) -> int:
        """The RTP timestamp of the first sample of tick `now`."""
        return self.timestamp_at(row, now * FRAME_SAMPLES)

    def timestamp_at(self, row: int, at: int) -> int:
        """The RTP timestamp of an instant, in samples at 8 kHz since tick 0."""
        return (int(self._origin[row]) + at * int(self._clock[row]) // LINE_RATE) & 0xFFFFFFFF

    def packet(self, row: int, payload: bytes, at: int, samples: int) -> bytes:
        """A packet of audio, for rows that `headers` is not for. at: where it begins, since tick 0; samples: how much it holds;
        both in samples at 8 kHz."""
        marker, self._due[row] = bool(self._due[row] != at), at + samples
        return self.event_packet(
            row, payload, payload_type=int(self._payload_type[row]), timestamp=self.timestamp_at(row, at), marker=marker
        )

    def headers(self, rows: Rows, out: Octets, now: int, payload_octets: int = FRAME_SAMPLES) -> None:
        """Write the headers of the packets that leave at tick `now`, of rows whose clock is 8 kHz.

        rows: (n,) distinct rows. out: uint8, (n, at least 12), C-contiguous lines; line j belongs to row `rows[j]`, and
        only its first 12 columns are written. A packet after a pause carries the marker (RFC 3551 section 4.1).
        """
        sequence = self._sequence[rows]
        head = np.empty(len(rows), _HEADER_FIELDS)
        head["first"] = _PLAIN_FIRST_OCTET
        head["second"] = self._payload_type[rows] | ((self._due[rows] != now * FRAME_SAMPLES).view(np.uint8) << 7)
        head["sequence"] = sequence
        head["timestamp"] = self._origin[rows] + np.uint32(now * FRAME_SAMPLES & 0xFFFFFFFF)
        head["ssrc"] = self._ssrc[rows]
        out[:, :HEADER] = head.view(np.uint8).reshape(-1, HEADER)
        self._sequence[rows] = sequence + np.uint16(1)
        self._due[rows] = (now + self._spacing[rows]) * FRAME_SAMPLES
        self.packets[rows] += 1
        self.octets[rows] += payload_octets

    def event_packet(self, row: int, payload: bytes, *, payload_type: int, timestamp: int, marker: bool) -> bytes:
        """A telephone-event packet of the row's stream: the next sequence number, the event's own timestamp."""
        sequence = int(self._sequence[row])
        self._sequence[row] = (sequence + 1) & 0xFFFF
        self.packets[row] += 1
        self.octets[row] += len(payload)
        return bytes(RtpPacket(payload_type, sequence, timestamp, self.ssrc(row), payload, marker))
