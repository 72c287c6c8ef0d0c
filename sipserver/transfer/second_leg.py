"""The second leg of a transfer: whoever is to take the caller over, called by us, with media beside the caller's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from media.frames import CallMedia, MediaEvent, MediaFailed, MediaTimeout, MediaUnavailable
from sipserver.background import to_the_end
from sipserver.legs import (
    Answered,
    Ended,
    Endpoint,
    Invitation,
    Leg,
    LegEvent,
    OfferAnswered,
    Offered,
    OfferRefused,
    Progress,
    Referred,
    Refused,
)
from sipserver.media_session import MediaSession
from sipserver.message import MessageError
from sipserver.offer import NotAcceptable
from sipserver.once import Once
from sipserver.outcome import NOT_ACCEPTABLE
from sipserver.protocols import TransferFailure, TransferTarget, Trunk
from sipserver.renegotiation import Renegotiation
from sipserver.transfer.caller import Caller
from sipserver.transfer.failure import NotTransferred, not_reached

logger = structlog.get_logger()


class SecondLeg:
    """A leg and its media, until either is over (`over`). `run` sees it through, in a task of the call's."""

    def __init__(
        self,
        invite: Callable[[bytes], Leg],
        session: MediaSession,
        on_ringing: Callable[[], None],
        problem: Callable[[str], None],
    ) -> None:
        self.over: Once[NotTransferred] = Once()
        self._invite = invite
        self._leg = invite(session.offer())
        self._session = session
        self._on_ringing = on_ringing
        self._offers = Renegotiation(problem)
        self._answer: Once[bytes | NotTransferred | None] = Once()

    @classmethod
    async def place(
        cls, caller: Caller, trunk: Trunk, target: TransferTarget, id_: str, on_ringing: Callable[[], None]
    ) -> SecondLeg:
        """Call the target over this trunk, from the agent's number. `run` it at once. Raises NotTransferred."""
        services, parts = caller.services, caller.services.transfer
        if parts is None:
            raise NotTransferred(TransferFailure.UNAVAILABLE)
        beside, host = caller.session().media, await services.media_host(trunk, None)
        try:
            session = await MediaSession.open(services.media, id_, None, services.clock(), host, trunk.options, beside)
        except MediaUnavailable as error:
            caller.problem(f"Nobody could be called to take the caller over: {error}")
            raise NotTransferred(TransferFailure.UNAVAILABLE) from None
        caller.rtp.follow(session)
        try:
            return cls(partial(_invite, caller, parts.endpoint, trunk, target), session, on_ringing, caller.problem)
        except MessageError as error:
            await session.media.close()
            caller.problem(f"The transfer target cannot be called on this trunk: {error}")
            raise NotTransferred(TransferFailure.UNAVAILABLE) from None

    @property
    def media(self) -> CallMedia:
        """What they hear and say."""
        return self._session.media

    async def run(self) -> None:
        """See the leg through: when either side of it is over it is hung up, and its media are closed."""
        try:
            async with asyncio.TaskGroup() as group:
                works = (self._watch_leg(), self._session.watched.watch(self._observe), self._read_events())
                tasks = [group.create_task(work) for work in works]
                await self.over.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self._finish(NotTransferred(TransferFailure.UNAVAILABLE))
            self._leg.hang_up()
            # The call may end in this moment: its row is there to be given back all the same.
            await to_the_end(self._close_media())

    async def answered(self, seconds: float) -> None:
        """Returns when they have answered and media flow. Raises NotTransferred; the leg is over then."""
        try:
            async with asyncio.timeout(seconds):
                answer = await self._answer.wait()
        except TimeoutError:
            self.leave()
            raise NotTransferred(TransferFailure.NO_ANSWER) from None
        if isinstance(answer, NotTransferred):
            raise answer
        try:
            self._session.accept_answer(answer)
        except NotAcceptable:
            self.leave()
            raise NotTransferred(TransferFailure.UNAVAILABLE, 488) from None
        await self._session.connect()

    def leave(self) -> None:
        """Hang up."""
        self._finish(NotTransferred(TransferFailure.UNAVAILABLE))

    async def _watch_leg(self) -> None:
        """To the end of the leg. Many who do without SRTP say 488 to an offer with it: they are asked once more, without."""
        async for event in self._leg.events():
            if isinstance(event, Refused) and event.status in NOT_ACCEPTABLE and self._ask_plainly():
                await self._watch_leg()
                return
            await self._happened(event)
        self.leave()

    def _ask_plainly(self) -> bool:
        offer = self._session.plain_offer()
        if offer is None:
            return False
        self._leg = self._invite(offer)
        return True

    async def _happened(self, event: LegEvent) -> None:
        match event:
            case Progress(status=status) if 180 <= status <= 189:
                self._on_ringing()
            case Answered(sdp=sdp):
                if not self._answer.set(sdp) and sdp is not None:
                    await self._offers.late_answer(self._session, sdp)
            case Refused(status=status):
                self._finish(not_reached(status))
            case Offered(sdp=sdp):
                await self._offers.offered(self._leg, self._session, sdp, flowing=True)
            case OfferAnswered():
                await self._offers.answered(self._session, event)
            case OfferRefused():
                self._offers.refused(self._session, event)
            case Referred():
                self._leg.decline_refer()
            case Ended():
                self._finish(NotTransferred(TransferFailure.REJECTED))

    def _observe(self, event: MediaEvent) -> None:
        if isinstance(event, MediaTimeout | MediaFailed):
            self.leave()

    async def _read_events(self) -> None:
        """Nobody converses here: what happens to these media is only observed."""
        async for _ in self._session.media.events():
            pass

    def _finish(self, why: NotTransferred) -> None:
        self._answer.set(why)
        self.over.set(why)

    async def _close_media(self) -> None:
        try:
            await self._session.close()
        except Exception:  # a time-out, or a defect over there: neither may cost the call its last word
            logger.exception("media of a transfer did not close")


def _invite(caller: Caller, endpoint: Endpoint, trunk: Trunk, target: TransferTarget, sdp: bytes) -> Leg:
    """A SIP URI is called by way of the trunk too: it decides whether it goes there. Raises MessageError."""
    leg = endpoint.invite(
        Invitation(
            trunk=trunk, to=target.number or "", from_user=caller.party.agent_number, sdp=sdp, uri=target.sip_uri
        )
    )
    caller.services.ladder.watch(leg.call_id, caller.party.call_id)
    return leg
