"""Whose RTP headers a call's trace has: those of its own media, and of the second legs to which it is handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from media.seen import Look
from sipserver.trace.packet import Address

LookFrom = Callable[[Address], Look]
"""Who is told of the packets of an end of ours."""


class Looked(Protocol):
    """A media session, as far as it is looked at."""

    def look(self, who: LookFrom | None) -> None: ...


class RtpView:
    """The sessions of one call: all of them are looked at, or none; `on`, and `show` changes it. One that is gone is no longer known."""

    def __init__(self, who: LookFrom, *, on: bool = False) -> None:
        self.on = on
        self._who = who
        self._sessions: WeakSet[Looked] = WeakSet()

    def follow(self, session: Looked) -> None:
        """This session is the call's too."""
        self._sessions.add(session)
        if self.on:
            session.look(self._who)

    def show(self, *, on: bool) -> None:
        """Look at all of them, or at none."""
        self.on = on
        for session in list(self._sessions):
            session.look(self._who if on else None)
