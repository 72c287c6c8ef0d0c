"""The latest messages of the calls, in memory: bounded for each call and for all of them together.

An INVITE comes before anybody knows its call, so messages of unknown Call-IDs wait apart: whatever strangers send can only displace each
other. Call-IDs that begin with an INVITE have tables of their own, one for trunks and one for strangers, so that neither pings nor scans
displace a trunk's call that was refused.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sipserver.trace.packet import Packet


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: messages and bytes of one call, bytes of all calls, Call-IDs of no call yet in each table and messages of each."""

    messages: int = 200
    call_bytes: int = 256 * 1024
    all_bytes: int = 64 * 1024 * 1024
    early: int = 256
    early_messages: int = 16


@dataclass(slots=True)
class Ring:
    """The last messages of one call; `dropped` is how many were before them."""

    packets: deque[Packet] = field(default_factory=deque)
    size: int = 0
    dropped: int = 0

    def add(self, packet: Packet, messages: int, size: int) -> None:
        """Add the newest; the oldest give way."""
        self.packets.append(packet)
        self.size += len(packet.data)
        while len(self.packets) > 1 and (len(self.packets) > messages or self.size > size):
            self.size -= len(self.packets.popleft().data)
            self.dropped += 1


@dataclass(frozen=True, slots=True)
class CallTrace:
    """A call's messages, oldest first, and how many older ones were not kept."""

    packets: Sequence[Packet] = ()
    dropped: int = 0


class Keeper:
    """See the module. `knows` says whether a host is a trunk's."""

    def __init__(self, bounds: Bounds = Bounds(), knows: Callable[[str], bool] = lambda host: True) -> None:
        self.size = 0
        self._bounds = bounds
        self._knows = knows
        self._early: OrderedDict[str, Ring] = OrderedDict()
        self._strangers: OrderedDict[str, Ring] = OrderedDict()
        self._others: OrderedDict[str, Ring] = OrderedDict()
        self._calls: OrderedDict[str, Ring] = OrderedDict()
        self._of: dict[str, str] = {}
        self._legs: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._calls) + sum(map(len, self._waiting))

    @property
    def _waiting(self) -> tuple[OrderedDict[str, Ring], ...]:
        return self._early, self._strangers, self._others

    def take(self, sip_call_id: str, packet: Packet) -> None:
        """A message with this Call-ID came or went."""
        call_id = self._of.get(sip_call_id)
        if call_id is None:
            self._wait(sip_call_id, packet)
        else:
            self._add(self._calls[call_id], packet)
            self._shorten()

    def watch(self, sip_call_id: str, call_id: str) -> None:
        """From now on, and for what has waited: this Call-ID belongs to that call. A call may have several."""
        if sip_call_id in self._of:
            return
        self._of[sip_call_id] = call_id
        self._legs.setdefault(call_id, []).append(sip_call_id)
        ring = self._calls.setdefault(call_id, Ring())
        early = next((table.pop(sip_call_id) for table in self._waiting if sip_call_id in table), None)
        for packet in early.packets if early else ():
            self._add(ring, packet)
        self._shorten()

    def of(self, call_id: str) -> CallTrace | None:
        """What is kept of a call; None where nothing is."""
        ring = self._calls.get(call_id)
        return None if ring is None else CallTrace(tuple(ring.packets), ring.dropped)

    def unclaimed(self) -> list[tuple[str, CallTrace]]:
        """The latest Call-IDs of INVITEs that became no call of ours, or not yet, and what was said on each; the newest first."""
        found = [*reversed(self._early.items()), *reversed(self._strangers.items())]
        found.sort(key=lambda one: -one[1].packets[0].at)
        return [(sip_call_id, CallTrace(tuple(ring.packets), ring.dropped)) for sip_call_id, ring in found]

    def forget(self, call_id: str) -> None:
        """Keep nothing more of this call."""
        ring = self._calls.pop(call_id, None)
        if ring is not None:
            self.size -= ring.size
        for sip_call_id in self._legs.pop(call_id, ()):
            del self._of[sip_call_id]

    def _wait(self, sip_call_id: str, packet: Packet) -> None:
        ring = self._early.get(sip_call_id) or self._strangers.get(sip_call_id) or self._others.get(sip_call_id)
        if ring is None:
            table = self._table(packet)
            ring = table[sip_call_id] = Ring()
            if len(table) > self._bounds.early:
                table.popitem(last=False)
        ring.add(packet, self._bounds.early_messages, self._bounds.call_bytes // self._bounds.early_messages)

    def _table(self, packet: Packet) -> OrderedDict[str, Ring]:
        """Where a Call-ID waits that begins with this message."""
        if not packet.data.startswith(b"INVITE "):
            return self._others
        return self._early if packet.direction == ">" or self._knows(packet.peer[0]) else self._strangers

    def _add(self, ring: Ring, packet: Packet) -> None:
        before = ring.size
        ring.add(packet, self._bounds.messages, self._bounds.call_bytes)
        self.size += ring.size - before

    def _shorten(self) -> None:
        """All calls together: the one that began first gives way."""
        while self.size > self._bounds.all_bytes and len(self._calls) > 1:
            self.forget(next(iter(self._calls)))
