"""A REFER of the peer's, obeyed: the call gets another leg, to whom the peer named, and the conversation goes on with them (RFC 5589).

    peer                we                  target
    REFER ───────────────→
    ←─────────────── 202
    ←──────── NOTIFY 100   ── INVITE ─────────→     over the trunk of the call, under the dialling policy
    ←──────── NOTIFY 180 ←──── 180 ───────────
    ←──────── NOTIFY 200 ←──── 200 ───────────      their media take the place of the peer's
    BYE ─────────────────→

A peer that hangs up before the target has answered (Teams does, 300 ms after the 202) takes the call with it only when nobody answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, cast

import structlog

from sipserver.legs import Answered, Ended, Invitation, Leg, LegEvent, Progress, Referred, Refused
from sipserver.message import MessageError, user_of
from sipserver.offer import NotAcceptable, OfferAnswer
from sipserver.outcome import Outcome
from sipserver.party import TransferParts
from sipserver.protocols import EndedReason, Trunk
from sipserver.transfer.caller import Caller
from sipserver.transfer.channel import has_channel, own_turn
from sipserver.transfer.failure import NotTransferred

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

RING_SECONDS = 60.0
"""How long the target may ring, where the trunk does not say."""

LET_GO_SECONDS = 2.0
"""How long a peer that was told of the target's answer may take to hang up."""

logger = structlog.get_logger()


class ObeyedRefers:
    """Those of one call, one at a time. `follow` makes a leg the call's, `end` ends the call."""

    def __init__(self, caller: Caller, follow: Callable[[Leg], None], end: Callable[[Outcome], bool]) -> None:
        self._caller = caller
        self._follow = follow
        self._end = end
        self._old: Leg | None = None
        self._left = False

    @property
    def under_way(self) -> bool:
        """Whether another leg is on its way."""
        return self._old is not None

    def outlives(self, leg: Leg) -> bool:
        """The leg is over. Whether the call goes on without it, for another one is on its way."""
        self._left = self._left or leg is self._old
        return leg is self._old

    def referred(self, leg: Leg, event: Referred, *, allowed: bool) -> None:
        """Obey where `allowed`, and the trunk and the dialling policy permit it; else decline: who pays is not the peer's choice."""
        parts, trunk = self._caller.services.transfer, self._caller.party.trunk
        if not allowed or parts is None or trunk is None or not trunk.options.accept_refer or self._old is not None:
            leg.decline_refer()
            return
        why = _refusal(parts, event.to, self._caller.party.agent_number, trunk.options.region)
        if why is not None:
            self._caller.problem(f"The peer's REFER was declined: {why}")
            leg.decline_refer()
            return
        if not has_channel(self._caller, trunk):
            leg.decline_refer()
            return
        leg.accept_refer()
        self._old, self._left = leg, False
        self._caller.spawn(self._obey(parts, trunk, leg, event))

    async def _obey(self, parts: TransferParts, trunk: Trunk, old: Leg, event: Referred) -> None:
        try:
            await own_turn(self._caller, trunk)
        except NotTransferred:
            self._give_up(old, 486, "all calls that may be placed now are placed")
            return
        exchange = self._caller.session().another(self._caller.services.clock())
        try:
            new = parts.endpoint.invite(_invitation(self._caller, trunk, event, exchange.offer()))
        except MessageError as error:
            self._give_up(old, 503, str(error))
            return
        self._caller.services.ladder.watch(new.call_id, self._caller.party.call_id)
        taken = False
        try:
            status = await self._answer(old, new, exchange, trunk)
            if status != 200:
                self._give_up(old, status, "nobody answered")
                return
            await self._replace(old, new, exchange)
            taken = True
        finally:
            if not taken:
                new.hang_up()

    async def _answer(self, old: Leg, new: Leg, exchange: OfferAnswer, trunk: Trunk) -> int:
        """What the target's final answer is; meanwhile the peer is told how it goes."""
        events = cast("AsyncGenerator[LegEvent]", new.events())
        try:
            async with asyncio.timeout(trunk.options.ring_timeout_seconds or RING_SECONDS):
                return await _final(events, old, exchange)
        except TimeoutError:
            return 408
        finally:
            await events.aclose()

    async def _replace(self, old: Leg, new: Leg, exchange: OfferAnswer) -> None:
        session = self._caller.session()
        session.adopt(exchange)
        self._old = None
        self._follow(new)
        old.notify_refer(200)
        self._caller.spawn(_let_go(old))
        logger.info("leg referred", call_id=self._caller.party.call_id)
        await session.connect()

    def _give_up(self, old: Leg, status: int, why: str) -> None:
        """The call goes on with the peer, if it is still there."""
        self._old = None
        old.notify_refer(status)
        self._caller.problem(f"The peer's REFER came to nothing: {status}, {why}.")
        if self._left:
            self._end(Outcome(EndedReason.CUSTOMER_ENDED))


async def _let_go(old: Leg) -> None:
    """The peer hangs up when it is told (RFC 5589 section 5.1); our BYE would overtake the NOTIFY, and comes where theirs does not."""
    try:
        await asyncio.sleep(LET_GO_SECONDS)
    finally:
        old.hang_up("referred")


async def _final(events: AsyncIterator[LegEvent], old: Leg, exchange: OfferAnswer) -> int:
    async for event in events:
        match event:
            case Progress(status=status, reason=reason):
                old.notify_refer(status, reason)
            case Refused(status=status):
                return status
            case Answered(sdp=sdp):
                return _agreed(exchange, sdp)
            case Ended():
                break
    return 487


def _agreed(exchange: OfferAnswer, sdp: bytes | None) -> int:
    try:
        exchange.accept_answer(sdp or b"")
    except NotAcceptable:
        return 488
    return 200


def _refusal(parts: TransferParts, to: str, from_number: str, region: str | None) -> str | None:
    """Why this URI must not be called, by the user or number in it; None when it may. A trunk's own extensions cost nothing."""
    return parts.desk.refusal(user_of(to) or "", from_number, region, extension=True)


def _invitation(caller: Caller, trunk: Trunk, event: Referred, sdp: bytes) -> Invitation:
    """A tel: URI is a number at the trunk; a SIP URI is called by way of the trunk, as it was given."""
    return Invitation(
        trunk=trunk,
        to=user_of(event.to) or "",
        from_user=caller.party.agent_number,
        sdp=sdp,
        uri=None if event.to.lower().startswith("tel:") else event.to,
        replaces=event.replaces,
        referred_by=event.referred_by,
        takes_refer=True,
    )
