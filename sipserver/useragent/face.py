"""A leg as its owner sees it: the face of `legs.Leg` over one of the core's legs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from sipserver.legs import LegEvent, Progress, ReferProgress
from sipserver.referto import ReferTo
from sipserver.replaces import DialogName, Replaces
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.server_leg import ServerLeg

_MAX_WAITING = 64
"""Events that wait for the owner. When there are so many, further news of progress are dropped, nothing else is."""


class EndpointLeg:
    """Implements `legs.Leg`. `act` runs what the owner does, at the time it does it, and sends what comes of it."""

    def __init__(self, leg: AgentLeg, act: Callable[[Callable[[], None]], None]) -> None:
        self.call_id = leg.call_id
        self.invite = leg.invite
        self.source = leg.source
        self.replaces = leg.replaces
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

    def ring(self, status: int = 180, sdp: bytes | None = None, reliable: bool = False) -> None:
        """A provisional answer (UAS)."""
        if isinstance(leg := self._leg, ServerLeg):
            self._act(lambda: leg.ring(status, sdp, reliable))

    def answer(self, sdp: bytes | None, session_timer: int | None = None) -> None:
        """200 (UAS)."""
        if isinstance(leg := self._leg, ServerLeg):
            self._act(lambda: leg.answer(sdp, session_timer))

    def reject(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        """A final answer of 3xx–6xx (UAS)."""
        if isinstance(leg := self._leg, ServerLeg):
            self._act(lambda: leg.reject(status, reason, headers))

    def accept(self, sdp: bytes) -> None:
        """Answer the pending offer."""
        self._act(lambda: self._leg.accept(sdp))

    def decline(self, status: int = 488, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Refuse the pending offer."""
        self._act(lambda: self._leg.decline(status, headers))

    def offer(self, sdp: bytes) -> None:
        """Offer another session."""
        self._act(lambda: self._leg.offer(sdp))

    def hang_up(self, reason: str | None = None) -> None:
        """CANCEL, BYE or 487. The events end at once; what is still to be said is the endpoint's business."""
        self._act(lambda: self._leg.hang_up(reason))

    @property
    def dialog(self) -> DialogName | None:
        """What names the leg's dialog."""
        dialog = self._leg.dialog
        return None if dialog is None else DialogName(*dialog.id)

    @property
    def peer(self) -> str | None:
        """The URI of the peer's Contact."""
        return None if self._leg.dialog is None else self._leg.dialog.remote_target

    def refer(self, to: str, replaces: Replaces | None = None, referred_by: str | None = None) -> bool:
        """Send a REFER. Raises MessageError for what cannot be written as SIP."""
        sent = False

        def send() -> None:
            nonlocal sent
            sent = self._leg.refers.refer(ReferTo(to, replaces), referred_by)

        self._act(send)
        return sent

    def accept_refer(self) -> None:
        """202 for the pending REFER, and its first NOTIFY."""
        self._act(self._leg.refers.accept)

    def notify_refer(self, status: int, reason: str | None = None) -> None:
        """What became of the call that the peer asked for."""
        self._act(lambda: self._leg.refers.tell(status, reason))

    def decline_refer(self, status: int = 603) -> None:
        """Refuse the pending REFER."""
        self._act(lambda: self._leg.refers.decline(status))

    def put(self, event: LegEvent) -> None:
        """An event of the core."""
        if len(self._waiting) < _MAX_WAITING or not _is_passing(event):
            self._waiting.append(event)
            self._news.set()

    def end(self) -> None:
        """There will be no more events."""
        self._over = True
        self._news.set()


def _is_passing(event: LegEvent) -> bool:
    """Whether what comes later says all that is needed of it: a peer may send as many of these as it likes."""
    return isinstance(event, Progress) or (isinstance(event, ReferProgress) and not event.final)
