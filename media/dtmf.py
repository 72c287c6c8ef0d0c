"""Telephone events, RFC 4733: a key pressed is told by packets that share the timestamp at which it was pressed.

`EventSender` makes the packets of one key, one a tick; `EventReceiver` makes one key of however many packets arrive.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
"""Event codes 0–15 are the keys (RFC 4733 section 3.2)."""
RATE = 8000
"""The usual clock rate of events; they may have any codec's (RFC 4733 section 2.1), as Opus's 48 kHz."""
TICKS = 50
"""A second's."""
LONGEST_SEGMENT = 0xFFFF
"""The duration field is 16 bits: a longer event goes on as a segment with a new timestamp (RFC 4733 section 2.5.1.3)."""
END_PACKETS = 3
"""The last packet is sent three times, for it may be lost (RFC 4733 section 2.5.1.4)."""
SILENT_TICKS = 10
"""An event of which nothing more is heard is over: its end packets were lost."""
REMEMBERED_SECONDS = 10

_PAYLOAD = struct.Struct("!BBH")


class DtmfError(ValueError):
    """These are no telephone events; the text says why."""


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """The payload of one packet. `duration` in ticks of the clock rate so far, `volume` in -dBm0 (0–63)."""

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """Read a payload; further events after the first are not looked at. Raises DtmfError."""
        if len(payload) < _PAYLOAD.size:
            raise DtmfError(f"{len(payload)} octets are less than a telephone event")
        event, flags, duration = _PAYLOAD.unpack_from(payload)
        return cls(event, bool(flags & 0x80), flags & 0x3F, duration)

    def __bytes__(self) -> bytes:
        return _PAYLOAD.pack(self.event, self.end << 7 | self.volume, self.duration)


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What goes into the packet of a tick. `offset`: its timestamp, in ticks of the clock rate, after that of the event's first tick."""

    payload: bytes
    marker: bool
    offset: int


class EventSender:
    """The packets of one key: iterate, one packet a tick; the event's timestamp is that of the first tick plus `offset`.

    The last three are the end packets, the first of which is due when the key is released.
    """

    def __init__(self, digit: str, duration_ms: int = 100, volume: int = 10, rate: int = RATE) -> None:
        """Raises DtmfError for what is no key, no duration or no volume."""
        if len(digit) != 1 or digit.upper() not in DIGITS:
            raise DtmfError(f"{digit!r} is no key of a telephone")
        if duration_ms < 1 or not 0 <= volume <= 63:
            raise DtmfError(f"an event of {duration_ms} ms at -{volume} dBm0 cannot be sent")
        self._event = DIGITS.index(digit.upper())
        self._volume = volume
        self._samples = duration_ms * rate // 1000
        self._tick = rate // TICKS

    @property
    def ticks(self) -> int:
        """How many packets there will be."""
        return -(-self._samples // self._tick) + END_PACKETS - 1

    def __iter__(self) -> Iterator[EventPacket]:
        start, first = 0, True
        for heard in range(self._tick, self._samples, self._tick):
            if heard - start > LONGEST_SEGMENT:
                start = heard - self._tick
            yield self._packet(start, heard, first, end=False)
            first = False
        if self._samples - start > LONGEST_SEGMENT:
            start = self._samples - self._tick
        for _ in range(END_PACKETS):
            yield self._packet(start, self._samples, first, end=True)
            first = False

    def _packet(self, start: int, heard: int, first: bool, end: bool) -> EventPacket:
        payload = TelephoneEvent(self._event, end, self._volume, heard - start)
        return EventPacket(bytes(payload), first, start)


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """One key. `duration` in ticks of `rate`, as far as it was told; `timestamp` is the RTP time at which it was pressed."""

    digit: str
    duration: int
    timestamp: int
    rate: int = RATE

    @property
    def duration_ms(self) -> int:
        """The duration in milliseconds."""
        return self.duration * 1000 // self.rate


@dataclass(slots=True)
class _Held:
    event: int
    timestamp: int
    segment: int
    duration: int
    heard_at: int


class EventReceiver:
    """Keys of one call's telephone-event packets, each told once.

    A key is told at its end packet; where those are lost, at the next key's first packet or after SILENT_TICKS. Packets of a
    key that was told already, or of one before it, are let pass.
    """

    def __init__(self, rate: int = RATE) -> None:
        """rate: the clock rate of the events."""
        self.rate = rate
        # Peers change segments when the next packet would not fit; none sends fewer than one a second.
        self._shortest_segment = max(1, LONGEST_SEGMENT - rate)
        self._held: _Held | None = None
        self._told: int | None = None

    def receive(self, timestamp: int, payload: bytes, now: int) -> list[KeyPressed]:
        """One packet's RTP timestamp and payload; now: the tick. Returns the keys that it completes. Never raises."""
        try:
            event = TelephoneEvent.parse(payload)
        except DtmfError:
            return []
        if event.event >= len(DIGITS) or self._is_over(timestamp):
            return []
        return self._hear(timestamp, event, now)

    def poll(self, now: int) -> list[KeyPressed]:
        """The key that was held and of which nothing was heard for SILENT_TICKS. Call it each tick while `holding`."""
        if self._held is None or now - self._held.heard_at < SILENT_TICKS:
            return []
        return self._tell(self._held)

    @property
    def holding(self) -> bool:
        """Whether a key is pressed."""
        return self._held is not None

    def _is_over(self, timestamp: int) -> bool:
        # Only shortly before: a stream that starts anew may have any timestamp.
        return self._told is not None and -REMEMBERED_SECONDS * self.rate < _later(timestamp, self._told) <= 0

    def _hear(self, timestamp: int, event: TelephoneEvent, now: int) -> list[KeyPressed]:
        held, keys = self._held, []
        if held is not None and not self._goes_on(held, timestamp, event):
            if _later(timestamp, held.segment) < 0:
                return []
            keys = self._tell(held)
            held = None
        if held is None:
            held = self._held = _Held(event.event, timestamp, timestamp, 0, now)
        self._lengthen(held, timestamp, event, now)
        return keys + self._tell(held) if event.end else keys

    def _goes_on(self, held: _Held, timestamp: int, event: TelephoneEvent) -> bool:
        if timestamp == held.segment:
            return True
        # A segment of a long event begins where the one before it ended.
        return (
            event.event == held.event and self._shortest_segment <= _later(timestamp, held.segment) <= LONGEST_SEGMENT
        )

    def _lengthen(self, held: _Held, timestamp: int, event: TelephoneEvent, now: int) -> None:
        if timestamp != held.segment:
            held.segment, held.duration = timestamp, 0
        held.duration = max(held.duration, event.duration)
        held.heard_at = now

    def _tell(self, held: _Held) -> list[KeyPressed]:
        self._held, self._told = None, held.segment
        duration = _later(held.segment, held.timestamp) + held.duration
        return [KeyPressed(DIGITS[held.event], duration, held.timestamp, self.rate)]


def _later(timestamp: int, other: int) -> int:
    """By how many samples `timestamp` is after `other`, across the wrap-around."""
    return (timestamp - other + 0x80000000) % 0x100000000 - 0x80000000
