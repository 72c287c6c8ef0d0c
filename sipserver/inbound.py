"""Calls that come in: what is refused and how, and the way from an INVITE to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from sipserver.call import Call, Establish
from sipserver.callerid import caller_of, caller_variables
from sipserver.capacity import Capacity
from sipserver.guard import Registered, nothing_registered
from sipserver.legs import Leg
from sipserver.live import LiveCalls
from sipserver.media_session import MediaSession, exchange_of
from sipserver.message import Request, escape_user
from sipserver.message.extensions import RELIABLE, requires, supports
from sipserver.numbers import called_numbers, region_of
from sipserver.offer import NotAcceptable
from sipserver.outcome import NotEstablished, later, unusable
from sipserver.party import Party, Services
from sipserver.presentation import dialled
from sipserver.protocols import Agent, AgentDirectory, CallDirection, EndedReason, Fallback, InboundCall, Route, Trunk
from sipserver.reception import Declined, Elsewhere, Taken, fallback_for, receive, stand_in
from sipserver.replaces import Replaces
from sipserver.sdp import sdp_body
from sipserver.trunk_room import TrunkRoom
from sipserver.useragent.placing import trunk_uri

logger = structlog.get_logger()


_OUR_FAULT = (EndedReason.ERROR, EndedReason.AT_CAPACITY)
"""Why a call that was taken comes to nothing by no doing of the caller's."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How inbound calls are treated: seconds of ringing before the answer."""

    ring_seconds: float = 0.0


class Rejected(Exception):
    """The INVITE is refused with this status. The sentence is for our log, not for the caller."""

    def __init__(self, status: int, why: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers


class Inbound:
    """Takes INVITEs. `new_id` makes the ids of calls."""

    def __init__(
        self,
        services: Services,
        directory: AgentDirectory,
        live: LiveCalls,
        capacity: Capacity,
        room: TrunkRoom,
        new_id: Callable[[], str],
        manners: Manners = Manners(),
        registered: Registered = nothing_registered,
        shown: Registered = nothing_registered,
    ) -> None:
        self._services = services
        self._directory = directory
        self._live = live
        self._capacity = capacity
        self._room = room
        self._new_id = new_id
        self._manners = manners
        self._registered = registered
        self._shown = shown

    async def take(self, leg: Leg) -> None:
        """Refuse the call, or see it through to its end. Raises nothing but CancelledError."""
        try:
            await self._take(leg)
        except Rejected as refusal:
            self._reject(leg, refusal)
        except Exception:  # the edge of a call without a row: it is refused, and the others go on
            logger.exception("inbound call could not be kept")
            self._reject(leg, Rejected(503, "A defect of ours, or the store is down."))

    async def _take(self, leg: Leg) -> None:
        if leg.replaces is not None:
            await self._replace(leg, leg.replaces)
            return
        self._check_node()
        route = await self._route(leg)
        self._check_node()
        if self._room.is_full(route.trunk):
            raise Rejected(486, "All channels of the trunk are taken.")
        options = route.trunk.options
        region = options.region or region_of(route.number)
        caller = caller_of(leg.invite, options.caller_id, region)
        route, agent = self._received(route, caller)
        must_be_reliable = _must_be_reliable(leg.invite, route.trunk)
        await self._check_offer(leg, route.trunk)
        called = InboundCall(
            call_id=self._new_id(),
            route=route,
            customer_number=caller,
            sip_call_id=leg.call_id,
            at=self._services.clock(),
            variables=caller_variables(leg.invite, caller, options.caller_id, region, options.context_headers),
        )
        call = Call(_party(called, agent), self._services, leg)
        with self._live.place(call):
            timer = route.trunk.options.session_timer
            establish = partial(self._answer, route, partial(self._establish, leg, must_be_reliable, timer), leg)
            await call.run(establish, begin=self._services.log.begin(called))

    async def _replace(self, leg: Leg, replaces: Replaces) -> None:
        """Whoever is on the call has handed it to somebody else, who now takes the other's place (RFC 3891 section 3).

        It costs no room, so a node that is full or drains lets it pass. A call that is not answered yet is not replaced.
        """
        call = self._live.named_by(replaces)
        if call is None or not self._same_trunk(call, leg):
            raise Rejected(481, "The call to be replaced is not here.")
        if call.is_over:
            raise Rejected(603, "The call to be replaced has ended.")
        if replaces.early_only and call.answered_at is not None:
            raise Rejected(486, "The call to be replaced has been answered.")
        try:
            replaced = await call.replace_leg(leg)
        except NotAcceptable as error:
            raise Rejected(488, str(error), (error.warning,)) from None
        if not replaced:
            raise Rejected(481, "The call to be replaced is not established.")

    def _same_trunk(self, call: Call, leg: Leg) -> bool:
        """Whether the INVITE comes from the trunk of the call: a Call-ID and two tags are no proof of being allowed."""
        line, trunks = self._callers_trunks(leg)
        known = {trunk.id for trunk in (*trunks, *(() if line is None else (line,)))}
        return call.party.trunk is not None and call.party.trunk.id in known

    # -- what is refused -------------------------------------------------------------------------------------------------

    def _check_node(self) -> None:
        why = self._capacity.refusal()
        if why is not None:
            raise Rejected(503, why)

    async def _route(self, leg: Leg) -> Route:
        """By the registered Contact that was called, before the source: several trunks may share their addresses.

        An unknown source has been refused by the guard; it is asked again here, for trunks come and go.
        """
        line, trunks = self._callers_trunks(leg)
        if line is None and not trunks:
            raise Rejected(403, "The source belongs to no trunk.")
        route = (
            None
            if line is None
            else await self._first_route((*called_numbers(leg.invite), line.username or ""), (line,))
        )
        route = route or await self._first_route(called_numbers(leg.invite), trunks)
        route = route or await self._directory.catch_all(
            called_numbers(leg.invite), (line, *trunks) if line else tuple(trunks)
        )
        if route is None:
            raise Rejected(404, "No such number on the trunks of this source.")
        return route

    def _callers_trunks(self, leg: Leg) -> tuple[Trunk | None, Sequence[Trunk]]:
        """The trunk that was named, and those of the source. Credentials count where the guard has asked for them: of no known source."""
        trunks = self._directory.trunks_of(leg.source.host) if leg.source else ()
        line = self._registered(leg.invite)
        return line or (None if trunks else self._shown(leg.invite)), trunks

    async def _first_route(self, called: Sequence[str], trunks: Sequence[Trunk]) -> Route | None:
        for number in called:
            route = await self._directory.route(number, trunks)
            if route is not None:
                return route
        return None

    def _received(self, route: Route, caller: str) -> tuple[Route, Agent]:
        """Who answers, by the number's hours, its blocked callers and its fallback; the route is then that agent's."""
        match receive(route, caller, self._services.clock(), self._capacity.agent_is_full):
            case Taken(agent, not_ready):
                return replace(route, agent=agent, not_ready=not_ready), agent
            case Elsewhere(fallback):
                raise Rejected(302, "The call goes to the number's fallback.", _contact(route.trunk, fallback))
            case Declined(status, why):
                raise Rejected(status, why)

    def _reject(self, leg: Leg, refusal: Rejected) -> None:
        retry = later(refusal.status, self._services.retry_after)
        host = leg.source.host if leg.source else None
        logger.info("call refused", sip_code=refusal.status, why=refusal.why, source=host)
        leg.reject(refusal.status, headers=(*refusal.headers, *retry))

    async def _check_offer(self, leg: Leg, trunk: Trunk) -> None:
        """Whether the offer can be answered at all, before a row and a recording are begun. Where our media are bound is not known

        yet: the source's address stands for that, being of the same family.
        """
        offer = sdp_body(leg.invite)
        if offer is None or leg.source is None:
            return
        host = await self._services.media_host(trunk, leg) or leg.source.host
        try:
            exchange_of(host, 9, 0, trunk.options).check(offer)
        except NotAcceptable as error:
            raise Rejected(488, str(error), (error.warning,)) from None

    # -- the way to the answer -------------------------------------------------------------------------------------------

    async def _answer(self, route: Route, establish: Establish, leg: Leg, call: Call) -> None:
        """A caller whom we fail (no media, no room) is sent to the number's fallback, where it has one for that."""
        try:
            await establish(call)
        except NotEstablished as failure:
            fallback = fallback_for(route, "error") if failure.outcome.reason in _OUR_FAULT else None
            if fallback is not None and fallback.agent is None:
                leg.reject(302, headers=_contact(route.trunk, fallback))
            raise

    async def _establish(self, leg: Leg, reliably: bool, session_timer: int | None, call: Call) -> None:
        """180, media and row, 200. Without an offer in the INVITE ours goes into the 200, and the ACK brings the answer."""
        offer = sdp_body(leg.invite)
        if offer is None and reliably:
            await self._establish_early(leg, session_timer, call)
            return
        leg.ring(reliable=reliably)
        session = await call.open_session()
        await asyncio.sleep(self._manners.ring_seconds)
        await call.kept()
        try:
            sdp = session.offer(plain=True) if offer is None else session.answer(offer)
        except NotAcceptable as error:
            raise unusable(error, sip_code=488) from None
        leg.answer(sdp, session_timer)
        call.answered()
        if offer is None:
            await self._late_answer(call, session)

    async def _establish_early(self, leg: Leg, session_timer: int | None, call: Call) -> None:
        """The first reliable answer has to bring the offer (RFC 3261 section 13.2.1); its PRACK brings the answer."""
        session = await call.open_session()
        leg.ring(180, session.offer(plain=True), reliable=True)
        try:
            session.accept_answer(await call.agreed.wait())
        except NotAcceptable as error:
            raise unusable(error, sip_code=488) from None
        await asyncio.sleep(self._manners.ring_seconds)
        await call.kept()
        leg.answer(None, session_timer)
        call.answered()

    async def _late_answer(self, call: Call, session: MediaSession) -> None:
        try:
            session.accept_answer(await call.agreed.wait())
        except NotAcceptable as error:
            raise unusable(error) from None


def _must_be_reliable(invite: Request, trunk: Trunk) -> bool:
    """Whether the 180 needs a PRACK. A trunk that is set to `required` cannot be served without (RFC 3261 section 21.4.15)."""
    if trunk.options.reliable100 == "required" and not supports(invite, RELIABLE):
        raise Rejected(421, "The trunk is set to reliable provisional answers only.", (("Require", RELIABLE),))
    return trunk.options.reliable100 == "required" or requires(invite, RELIABLE)


def _contact(trunk: Trunk, fallback: Fallback) -> tuple[tuple[str, str], ...]:
    """Where the trunk finds whoever answers instead: it places that call itself, and knows what it may."""
    number = dialled(fallback.number or "", trunk.options)
    return (("Contact", f"<{fallback.sip_uri or trunk_uri(trunk, escape_user(number))}>"),)


def _party(called: InboundCall, agent: Agent) -> Party:
    return Party(
        call_id=called.call_id,
        direction=CallDirection.INBOUND,
        agent=agent,
        customer_number=called.customer_number,
        agent_number=called.route.number,
        variables=called.variables,
        not_ready=called.route.not_ready,
        trunk=called.route.trunk,
        stand_in=stand_in(called.route, agent),
    )
