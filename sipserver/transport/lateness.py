"""Whether more comes than can be taken: datagrams that wait long before they are read, for a while without exception. Sans-I/O."""

from __future__ import annotations

TARGET = 0.1
INTERVAL = 0.2
"""Seconds. Callers repeat their INVITE after 0.5 (T1), so that what waits must be turned away before that; and a burst, or a loop that
stood still for a moment, is over sooner and costs nobody a call."""


class Lateness:
    """As CoDel (RFC 8289) tells a standing queue from a burst: by the least time that anything has waited lately."""

    def __init__(self) -> None:
        self._since: float | None = None
        self.is_late = False
        """Of the latest datagram."""

    def took(self, waited: float, now: float) -> None:
        """A datagram is taken that has waited so many seconds."""
        if waited <= TARGET:
            self.drained()
        elif self._since is None:
            self._since = now
        else:
            self.is_late = now - self._since > INTERVAL

    def drained(self) -> None:
        """Nothing waits."""
        self._since = None
        self.is_late = False
