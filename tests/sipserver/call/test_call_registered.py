"""Calls that come to a Contact that we registered: whose they are, and who may send them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sipserver.capacity import Capacity, Limits
from sipserver.guard import SourceGuard
from sipserver.inbound import Inbound, Manners
from sipserver.legs import Source
from sipserver.live import LiveCalls
from sipserver.message import Request, SipUri
from sipserver.protocols import Route, Trunk
from sipserver.trunk_room import TrunkRoom
from tests.sipserver.call.fakes import AGENT, CALLEE, TRUNK, TRUNK_HOST, FakeDirectory, FakeLeg, Stage, invite, peer
from tests.virtual_time import run

REGISTERED = Trunk("trunk-2", "org-1", "registration", "sip.example.com", username="alice")
LINE = "ln4711"


class ByTrunk(FakeDirectory):
    """Routes by trunk and number."""

    def __init__(self, known: dict[tuple[str, str], str]) -> None:
        super().__init__({TRUNK_HOST: (TRUNK, REGISTERED)})
        self.known = known

    async def route(self, called: str, trunks: Sequence[Trunk]) -> Route | None:
        for trunk in trunks:
            number = self.known.get((trunk.id, called))
            if number is not None:
                return Route(number, f"+{number}", "org-1", trunk, AGENT)
        return None


def registered(request: Request) -> Trunk | None:
    return REGISTERED if SipUri.parse(request.uri).user == LINE else None


def called(
    known: dict[tuple[str, str], str], request: Request, host: str = TRUNK_HOST, caught: Sequence[Route] = ()
) -> str:
    """The number that the call came to, or what was answered instead. `caught`: routes of catch-all agents."""
    stage = Stage()
    stage.directory = ByTrunk(known)
    stage.directory.caught = {route.trunk.id: route for route in caught}
    capacity = Capacity(Limits(5), LiveCalls(), stage.log.accepting, stage.plane.free)

    async def scene() -> str:
        live = LiveCalls()
        room = TrunkRoom(live, lambda: 0.0)
        inbound = Inbound(
            stage.services, stage.directory, live, capacity, room, lambda: "call-1", Manners(), registered
        )
        leg = FakeLeg(request, Source("udp", host, 5060))
        task = asyncio.create_task(inbound.take(leg))
        await asyncio.sleep(1)
        leg.hang_up()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if stage.log.begun:
            route = next(iter(stage.log.begun.values())).route
            return route.phone_number_id or f"all calls of {route.trunk.id}"
        return leg.did[0]

    return run(scene())


def to_line(to: str = CALLEE, user: str = LINE) -> Request:
    request = invite(peer().offer(), to=to)
    return Request("INVITE", f"sip:{user}@192.0.2.1", request.headers, request.body)


def test_the_registered_contact_wins_over_the_source() -> None:
    """Both trunks share an address and have the number; the call came to the Contact that was registered for one of them."""
    both = {("trunk-1", CALLEE): "listed", ("trunk-2", CALLEE): "registered"}
    assert called(both, to_line()) == "registered"
    assert called(both, to_line(user=CALLEE)) == "listed"


def test_the_only_number_of_a_registration_is_meant_whatever_to_says() -> None:
    """A forwarded call names the number that was dialled first; the Contact is ours all the same."""
    assert called({("trunk-2", "alice"): "only"}, to_line("+12025550177")) == "only"


def test_a_contact_whose_trunk_has_no_such_number_leaves_it_to_the_source() -> None:
    assert called({("trunk-1", CALLEE): "listed"}, to_line()) == "listed"
    assert called({}, to_line()) == "reject 404"


def test_who_knows_the_contact_may_call_from_an_address_that_nobody_named() -> None:
    """A provider's calls may come from other machines than its registrar."""
    guard = SourceGuard(FakeDirectory(), lambda: 0.0, registered=registered)
    stranger = Source("udp", "203.0.113.200", 5060)
    assert guard.admit(to_line(), stranger) is None
    assert guard.admit(to_line(user="ln4712"), stranger) == 403
    assert called({("trunk-2", CALLEE): "registered"}, to_line(), "203.0.113.200") == "registered"
    assert called({("trunk-2", CALLEE): "registered"}, to_line(user="ln4712"), "203.0.113.200") == "reject 403"


def test_a_catch_all_agent_takes_what_is_no_number_the_registered_trunk_s_first() -> None:
    caught = [Route(None, CALLEE, "org-1", trunk, AGENT) for trunk in (TRUNK, REGISTERED)]
    assert called({("trunk-1", CALLEE): "listed"}, to_line(), caught=caught) == "listed"
    assert called({}, to_line(), caught=caught) == "all calls of trunk-2"
    assert called({}, to_line(user=CALLEE), caught=caught) == "all calls of trunk-1"
