"""Calls that we place: the way from an order to the answer of whoever is called."""

from __future__ import annotations

import asyncio
from functools import partial

from sipserver.call import Call
from sipserver.capacity import Capacity
from sipserver.legs import Endpoint, Invitation, Leg, Refused
from sipserver.live import LiveCalls
from sipserver.media_session import MediaSession
from sipserver.message import MessageError
from sipserver.offer import NotAcceptable
from sipserver.outcome import NOT_ACCEPTABLE, NotEstablished, Outcome, unplaceable, unusable
from sipserver.party import Party, Services
from sipserver.protocols import CallDirection, DialOrder, EndedReason

_INSECURE = "The callee takes no encrypted media, and the trunk is set to nothing else (srtp: required)."


class Outbound:
    """Places calls."""

    def __init__(self, endpoint: Endpoint, services: Services, live: LiveCalls, capacity: Capacity) -> None:
        self._endpoint = endpoint
        self._services = services
        self._live = live
        self._capacity = capacity

    async def dial(self, order: DialOrder) -> None:
        """Place the call and see it through. Returns when its row is final, whatever came of it."""
        call = Call(_party(order), self._services)
        if self._capacity.refusal() is not None or self._capacity.agent_is_full(order.agent.id):
            call.end(Outcome(EndedReason.AT_CAPACITY))
        with self._live.place(call):
            await call.run(partial(self._establish, order))

    async def _establish(self, order: DialOrder, call: Call) -> None:
        session = await call.open_session()
        try:
            leg = self._endpoint.invite(_invitation(order, session.offer()))
        except MessageError as error:
            raise unplaceable(error) from None
        call.again = partial(self._plainly, order, call, session)
        call.follow(leg)
        try:
            async with asyncio.timeout(order.ring_timeout_seconds):
                sdp = await call.agreed.wait()
        except TimeoutError:
            raise NotEstablished(Outcome(EndedReason.NO_ANSWER)) from None
        try:
            session.accept_answer(sdp)
        except NotAcceptable as error:
            raise unusable(error) from None
        call.answered()

    def _plainly(self, order: DialOrder, call: Call, session: MediaSession, refusal: Refused) -> Leg | None:
        """Many who do without SRTP say 488 to an offer with it: they are asked once more, where the trunk permits plain media."""
        if refusal.status not in NOT_ACCEPTABLE:
            return None
        if order.trunk.options.srtp == "required":
            call.complain(_INSECURE)
        offer = session.plain_offer()
        return None if offer is None else self._endpoint.invite(_invitation(order, offer))


def _invitation(order: DialOrder, sdp: bytes) -> Invitation:
    trunk = order.trunk
    refer = trunk.options.accept_refer
    return Invitation(trunk=trunk, to=order.to, from_user=order.from_number, sdp=sdp, takes_refer=refer)


def _party(order: DialOrder) -> Party:
    return Party(
        call_id=order.call_id,
        direction=CallDirection.OUTBOUND,
        agent=order.agent,
        customer_number=order.to,
        agent_number=order.from_number,
        variables=order.variables,
        trunk=order.trunk,
    )
