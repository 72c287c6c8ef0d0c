"""The headers of a call's RTP packets, for its capture file: the latest ones, bounded for each call and for all of them together.

Headers alone: a payload is somebody's voice, or the digits of a card, and belongs into the recording or nowhere.
"""

from __future__ import annotations

import struct
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from media.seen import Look, RtpSeen
from sipserver.trace.packet import Address

_RECORD = struct.Struct("!qBHH12s")
SIZE = _RECORD.size
_MOST_ENDS = 255
_ELSEWHERE: Address = ("0.0.0.0", 0)
"""Where packets are said to come from when somebody sends from more addresses than are kept."""


class RtpHeader(NamedTuple):
    """One packet: when, in µs since the epoch, from where, where to, its length in octets, and the first twelve of them."""

    at: int
    source: Address
    target: Address
    length: int
    head: bytes


@dataclass(slots=True)
class RtpTrace:
    """Packets of one call, each `SIZE` bytes, oldest first; `dropped` older ones were not kept. `ends`: ours and the other by number."""

    ends: list[tuple[Address, Address]]
    records: deque[bytes] = field(default_factory=deque)
    dropped: int = 0

    def headers(self) -> Iterator[RtpHeader]:
        """Them, unpacked."""
        for record in self.records:
            at, sent, number, length, head = _RECORD.unpack(record)
            ours, other = self.ends[number]
            source, target = (ours, other) if sent else (other, ours)
            yield RtpHeader(at, source, target, length, head)

    def add(self, ours: Address, seen: RtpSeen, most: int) -> int:
        """The newest, at this end of ours; returns by how many there are more now."""
        number = self._number((ours, (seen.host.decode("ascii", "replace"), seen.port)))
        self.records.append(_RECORD.pack(seen.at_us, seen.sent, number, min(seen.length, 0xFFFF), seen.head))
        if len(self.records) <= most:
            return 1
        self.records.popleft()
        self.dropped += 1
        return 0

    def _number(self, ends: tuple[Address, Address]) -> int:
        try:
            return self.ends.index(ends)
        except ValueError:
            if len(self.ends) > _MOST_ENDS:
                return 0
            self.ends.append(ends)
            return len(self.ends) - 1


class RtpTraces:
    """Of the calls whose packets are looked at. `always`: all are, from their beginning."""

    def __init__(self, *, always: bool = False, call_packets: int = 30_000, all_packets: int = 500_000) -> None:
        self.always = always
        self.packets = 0
        """How many are kept, of all calls."""
        self._call_packets = call_packets
        self._all_packets = all_packets
        self._calls: OrderedDict[str, RtpTrace] = OrderedDict()

    def __len__(self) -> int:
        return len(self._calls)

    def look(self, call_id: str, local: Address) -> Look:
        """What is to be told of a call's packets from now on; `local` is our end, each leg has its own."""
        trace = self._calls.setdefault(call_id, RtpTrace([(local, _ELSEWHERE)]))

        def take(seen: RtpSeen) -> None:
            if self._calls.get(call_id) is trace:
                self.packets += trace.add(local, seen, self._call_packets)
                self._shorten()

        return take

    def of(self, call_id: str) -> RtpTrace | None:
        """What is kept of a call; None where nothing is."""
        return self._calls.get(call_id)

    def forget(self, call_id: str) -> None:
        """Keep nothing more of this call."""
        trace = self._calls.pop(call_id, None)
        if trace is not None:
            self.packets -= len(trace.records)

    def _shorten(self) -> None:
        """All calls together: the one that was looked at first gives way."""
        while self.packets > self._all_packets and len(self._calls) > 1:
            self.forget(next(iter(self._calls)))


def records_of(packed: bytes) -> deque[bytes]:
    """Records that were written one behind the other. ValueError where the last is not whole."""
    if len(packed) % SIZE:
        raise ValueError("The last record is not whole.")
    return deque(packed[start : start + SIZE] for start in range(0, len(packed), SIZE))
