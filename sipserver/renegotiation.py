"""Offers in a running call, the peer's and ours: hold and resume, a moved peer, a change of codec (RFC 3264 section 8, RFC 6337)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from media.frames import Direction
from sipserver.legs import Leg, OfferAnswered, OfferRefused
from sipserver.media_session import MediaSession
from sipserver.offer import NotAcceptable

MAX_OFFERS = 3
"""How often an offer of ours is made anew that one of the peer's has overtaken."""
OVERTAKEN = 491


class Renegotiation:
    """Those of one call. `problem` takes sentences for the call's problems."""

    def __init__(self, problem: Callable[[str], None]) -> None:
        self._problem = problem
        self._turn = asyncio.Lock()
        self._offer: bytes | None = None
        self._outcome: asyncio.Future[int] | None = None

    # -- ours ---------------------------------------------------------------------------------------------------------

    async def ask(self, leg: Leg, session: MediaSession, direction: Direction) -> bool:
        """Offer this direction, seen from us, and wait for what the peer says: whether it agreed. Media follow before this returns."""
        async with self._turn:
            for _ in range(MAX_OFFERS):
                status = await self._ask(leg, session, direction)
                if status != OVERTAKEN:
                    return status == 200
            return False

    async def _ask(self, leg: Leg, session: MediaSession, direction: Direction) -> int:
        self._outcome = asyncio.get_running_loop().create_future()
        self._offer = session.propose(direction)
        try:
            leg.offer(self._offer)
            return await self._outcome
        finally:
            self._outcome = self._offer = None

    async def answered(self, session: MediaSession, event: OfferAnswered) -> None:
        """The peer's answer. That of a session refresh, which an offer of ours has overtaken since, has nothing to say any more."""
        if event.offer != session.local:
            return
        status = 200
        try:
            session.accept_answer(event.sdp)
        except NotAcceptable as error:
            status = 488
            session.withdraw()
            self._problem(f"The peer's session description cannot be used: {error}")
        else:
            await session.connect()
        self._tell(event.offer, status)

    def refused(self, session: MediaSession, event: OfferRefused) -> None:
        """The peer refused our offer, or one of its own came first."""
        session.withdraw()
        self._tell(self._offer, event.status)

    def over(self) -> None:
        """The leg is over, or another one took its place: nobody answers any more."""
        self._tell(self._offer, 481)

    def _tell(self, offer: bytes | None, status: int) -> None:
        if self._outcome is not None and offer == self._offer and not self._outcome.done():
            self._outcome.set_result(status)

    # -- the peer's ---------------------------------------------------------------------------------------------------

    async def offered(self, leg: Leg, session: MediaSession | None, sdp: bytes | None, *, flowing: bool) -> None:
        """A re-INVITE or an UPDATE. While the first exchange is not done there cannot be a second (RFC 3311 section 5.2).

        What cannot be agreed to, such as a fax (T.38), is refused with the reason, and the call goes on. Media flow from the
        call's answer on (`flowing`), by what was agreed last until then.
        """
        if session is None or not session.is_agreed:
            leg.decline(491)
            return
        try:
            body = session.offer() if sdp is None else session.answer(sdp)
        except NotAcceptable as error:
            leg.decline(488, (error.warning,))
            return
        leg.accept(body)
        if sdp is not None and flowing:
            await session.connect()

    async def late_answer(self, session: MediaSession, sdp: bytes) -> None:
        """The ACK of a re-INVITE that brought no offer, with the answer to ours."""
        try:
            session.accept_answer(sdp)
        except NotAcceptable as error:
            self._problem(f"The peer's session description cannot be used: {error}")
            return
        await session.connect()
