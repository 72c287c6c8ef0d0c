"""A leg as its owner sees it: the face of `legs.Leg` over one of the core's legs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from sipserver.legs import LegEvent, Progress
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.server_leg import ServerLeg

_MAX_WAITING = 64
"""Events that wait for the owner. When there are so many, further `Progress` is dropped, nothing else is."""


class EndpointLeg:
    """Implements `legs.Leg`. `act` runs what the owner does, at the time it does it, and sends what comes of it."""

    def __init__(self, leg: AgentLeg, act: Callable[[Callable[[], None]], None]) -> None:
        self.call_id = leg.call_id
        self.invite = leg.invite
        self.source = leg.source
        self._leg = leg
        self._act = act
        self._waiting: deque[LegEvent] = deque()
        self._news = asyncio.Event()
        self._over = False

    async def events(self) -> AsyncIterator[LegEvent]:
        """Every event in order; ends when the leg is over."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._over:
                return
            self._news.clear()
            await self._news.wait()

    def ring(self, status: int = 180, sdp: bytes | None = None) -> None:
        """A provisional answer (UAS)."""
        if isinstance(leg := self._leg, ServerLeg):
            self._act(lambda: leg.ring(status, sdp))

    def answer(self, sdp: bytes) -> None:
        """200 (UAS)."""
        if isinstance(leg := self._leg, ServerLeg):
            self._act(lambda: leg.answer(sdp))

    def reject(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        """A final answer of 3xx–6xx (UAS)."""
        if isinstance(leg := self._leg, ServerLeg):
            self._act(lambda: leg.reject(status, reason, headers))

    def accept(self, sdp: bytes) -> None:
        """Answer the pending offer."""
        self._act(lambda: self._leg.accept(sdp))

    def decline(self, status: int = 488) -> None:
        """Refuse the pending offer."""
        self._act(lambda: self._leg.decline(status))

    def hang_up(self, reason: str | None = None) -> None:
        """CANCEL, BYE or 487. The events end at once; what is still to be said is the endpoint's business."""
        self._act(lambda: self._leg.hang_up(reason))

    def put(self, event: LegEvent) -> None:
        """An event of the core."""
        if len(self._waiting) < _MAX_WAITING or not isinstance(event, Progress):
            self._waiting.append(event)
            self._news.set()

    def end(self) -> None:
        """There will be no more events."""
        self._over = True
        self._news.set()
