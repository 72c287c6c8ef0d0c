"""Keeping a flow open, and noticing that it is not (RFC 5626 section 4.4). Sans-I/O.

On a connection a CRLFCRLF is answered by a CRLF. Not every registrar does: only one that has answered on this flow is taken
for dead when it does not within ten seconds. On UDP the CRLFCRLF keeps the binding of a NAT open, and has no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Deed = Literal["ping", "dead"]

CONNECTION_SECONDS = 50.0
"""The longest time between two pings on a connection: proxies close quiet ones after a minute or two."""
DATAGRAM_SECONDS = 29.0
"""The same on UDP (RFC 5626 section 4.4.2): the bindings of many NATs last for thirty seconds."""
PONG_SECONDS = 10.0


class KeepAlive:
    """Of one flow at a time. `random` gives numbers of [0, 1)."""

    def __init__(self, reliable: bool, random: Callable[[], float]) -> None:
        self._reliable = reliable
        self._random = random
        self._longest = 0.0
        self._due: float | None = None
        self._answers = False
        self._waiting = False

    def begin(self, now: float, flow_timer: int | None = None) -> None:
        """A new flow; `flow_timer` is what the registrar asked for (its Flow-Timer header), in seconds."""
        usual = CONNECTION_SECONDS if self._reliable else DATAGRAM_SECONDS
        self._longest = usual if not flow_timer else min(usual, max(5.0, float(flow_timer)))
        self._answers = self._waiting = False
        self._schedule(now)

    def end(self) -> None:
        """There is no flow any more."""
        self._due = None

    @property
    def running(self) -> bool:
        """Whether a flow is kept."""
        return self._due is not None

    def ponged(self, now: float) -> None:
        """The peer answered a ping."""
        if self._due is not None:
            self._answers, self._waiting = True, False
            self._schedule(now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called."""
        return self._due

    def handle_timer(self, now: float) -> Deed | None:
        """What is to be done now: `ping` the peer, or take the flow for `dead`."""
        if self._due is None or now < self._due:
            return None
        if self._waiting and self._answers:
            self.end()
            return "dead"
        self._waiting = self._reliable
        if self._waiting and self._answers:
            self._due = now + PONG_SECONDS
        else:
            self._schedule(now)
        return "ping"

    def _schedule(self, now: float) -> None:
        """After 80–100 % of the longest time (section 4.4.1), so that a restarted proxy is not met by all at once."""
        self._due = now + self._longest * (0.8 + 0.2 * self._random())
