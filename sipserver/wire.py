"""Everything that passes between the sockets and the user agent: asked of the guard first, then seen by the tap."""

from __future__ import annotations

from sipserver.guard import SourceGuard
from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.trace.wiretap import Wiretap


class GuardedWire:
    """Implements `useragent.endpoint.Wire`."""

    def __init__(self, guard: SourceGuard, tap: Wiretap) -> None:
        self._guard = guard
        self._tap = tap

    def received(self, data: bytes, source: Source) -> bool:
        """Whether the message is to be read. Keep-alives are no messages (RFC 5626 section 3.5.1)."""
        if len(data) <= 4 and not data.strip(b"\r\n\0"):
            return True
        if not self._guard.hears(data, source):
            return False
        self._tap.received(data, source)
        return True

    def sent(self, data: bytes, target: Target) -> None:
        """The message is being sent."""
        if not data.startswith(b"SIP/"):
            self._guard.met(target.host.strip("[]"))
        self._tap.sent(data, target)
