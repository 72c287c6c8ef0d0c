"""All registrations of a node, in simulated time: trunks come, change and go, connections fail, the node stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sipserver.legs import Invitation, Source
from sipserver.locate import Target
from sipserver.message import Headers, Request, SipUri, response_to
from sipserver.probes import Probes
from sipserver.protocols import RegistrationState, Trunk, TrunkHealth, TrunkOptions
from sipserver.registrar_client import Means, Registrations
from sipserver.useragent.addresses import Addresses, Told
from sipserver.useragent.exchange import Errand, Outcome
from sipserver.useragent.identity import Identity
from sipserver.useragent.placing import placing_of
from tests import virtual_time
from tests.sipserver.transcripts import counting_random

ALICE = Trunk("alice", "o", "registration", "192.0.2.9", transport="tcp", username="alice", password="secret")
BOB = replace(ALICE, id="bob", username="bob")
PEER = Trunk("peer", "o", "ip_allowlist", "192.0.2.9")
FLOW = Source("tcp", "192.0.2.9", 5060)
DAY = 86_400_000_000


class FakeFlows:
    """Answers requests with what `answer` says (None: never), and remembers everything. `alive`: whether the connection is there."""

    def __init__(self) -> None:
        self.identity = Identity.make(
            Addresses(lambda _peer: "192.0.2.1", Told(learn=True)),
            {"udp": 5060, "tcp": 5060},
            "Test",
            counting_random(),
        )
        self.requests: list[tuple[float, Request]] = []
        self.pings: list[float] = []
        self.dropped: list[Target] = []
        self.alive = True
        self.says: list[tuple[str, str]] = []
        self.answer: Callable[[Request], int | None] = lambda _request: 200
        self._on_flow: Callable[[Any, Source], None] = lambda *_: None

    def request(self, errand: Errand, done: Callable[[Outcome], None]) -> None:
        request = errand.request
        self.requests.append((round(virtual_time.now(), 3), request))
        status = self.answer(request)
        if status is None:
            return
        request.headers.insert("Via", "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1")
        response = response_to(
            request, status, to_tag="r", headers=[("Expires", request.headers.get("Expires") or "0"), *self.says]
        )
        outcome = Outcome(status, "", response, request, Target("tcp", "192.0.2.9", 5060))
        asyncio.get_running_loop().call_soon(done, outcome)

    def watch_flows(self, on_flow: Callable[[Any, Source], None]) -> None:
        self._on_flow = on_flow

    def ping(self, target: Target) -> bool:
        self.pings.append(round(virtual_time.now(), 3))
        return self.alive

    def drop(self, target: Target) -> None:
        self.dropped.append(target)
        self.tell("closed")

    def tell(self, what: str) -> None:
        self._on_flow(what, FLOW)

    def sent(self) -> list[tuple[str, str]]:
        """User and Expires of each REGISTER."""
        return [
            (request.to.uri.partition("@")[0][4:], request.headers.get("Expires") or "") for _, request in self.requests
        ]


def means() -> Means:
    return Means(
        lambda trunk: f"ln-{trunk.id}", virtual_time.now, lambda: DAY + virtual_time.microseconds(), lambda: 0.5
    )


def run(test: Callable[[Registrations, FakeFlows], Any], *trunks: Trunk) -> None:
    async def main() -> None:
        flows, registrations = FakeFlows(), Registrations(means())
        registrations.start(flows)
        registrations.follow(trunks)
        await asyncio.sleep(1)
        await test(registrations, flows)
        await registrations.stop()

    virtual_time.run(main())


def invite(uri: str) -> Request:
    return Request("INVITE", uri, Headers(), b"")


def test_each_registration_trunk_is_registered_and_told() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        assert flows.sent() == [("alice", "600"), ("bob", "600")]
        state = registrations.state("alice")
        assert state is not None
        assert (state.status, state.last_error) == ("registered", None)
        assert abs((state.expires_at or 0) - DAY - 600_000_000) < 10
        assert registrations.state("peer") is None

    run(test, ALICE, BOB, PEER)


def test_requests_are_known_by_the_contact_that_they_were_sent_to() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        assert registrations.trunk_of(invite("sip:ln-bob@192.0.2.1:5060;transport=tcp")) == BOB
        assert registrations.trunk_of(invite("sip:+12025550100@192.0.2.1")) is None
        assert registrations.trunk_of(invite("sip:192.0.2.1")) is None
        assert registrations.trunk_of(invite("tel:+12025550100")) is None
        registrations.follow((ALICE,))
        assert registrations.trunk_of(invite("sip:ln-bob@192.0.2.1:5060")) is None

    run(test, ALICE, BOB)


def test_trunks_come_and_go_while_it_runs() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        registrations.follow((ALICE, BOB))
        registrations.follow((ALICE, BOB))
        registrations.follow((BOB,))
        await asyncio.sleep(1)
        assert flows.sent() == [("alice", "600"), ("bob", "600"), ("alice", "0")]
        assert registrations.state("alice") is None

    run(test, ALICE)


def test_a_changed_password_registers_anew_and_another_user_leaves_first() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        registrations.follow((replace(ALICE, password="other"),))
        await asyncio.sleep(1)
        registrations.follow((replace(ALICE, password="other", username="carol"),))
        await asyncio.sleep(1)
        assert flows.sent() == [("alice", "600"), ("alice", "600"), ("alice", "0"), ("carol", "600")]
        contacts = {request.headers.all("Contact")[0].partition(";expires")[0] for _, request in flows.requests}
        assert contacts == {"<sip:ln-alice@192.0.2.1:5060;transport=tcp>"}

    run(test, ALICE)


def test_what_403_stopped_begins_again_when_the_trunk_is_changed() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        flows.answer = lambda _request: 403
        registrations.follow((ALICE, BOB))
        await asyncio.sleep(100_000)
        assert flows.sent().count(("bob", "600")) == 1
        assert registrations.state("bob") == RegistrationState("stopped", None, "403 Forbidden")
        flows.answer = lambda _request: 200
        registrations.follow((ALICE, replace(BOB, password="right")))
        await asyncio.sleep(1)
        state = registrations.state("bob")
        assert state is not None
        assert state.status == "registered"

    run(test, ALICE)


def test_a_lost_connection_is_registered_again_at_once() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        await asyncio.sleep(39)
        flows.tell("closed")
        assert [at for at, _ in flows.requests] == [0, 40]

    run(test, ALICE)


def test_calls_say_that_they_want_what_comes_over_the_connection_that_the_registrar_keeps_to() -> None:
    """RFC 5626 section 4.3; the registrar says by Require that it does (section 6)."""

    def placed(flows: FakeFlows, trunk: Trunk = ALICE) -> Request:
        return placing_of(Invitation(trunk, "+12025550199", "+12025550123", sdp=b""), flows.identity).request

    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        assert flows.identity.outbound == set()
        assert "ob" not in SipUri.parse(placed(flows).contacts[0].uri).params
        assert "outbound" not in placed(flows).headers.all("Supported")
        flows.says = [("Require", "outbound")]
        flows.tell("closed")
        await asyncio.sleep(30)
        assert flows.identity.outbound == {"alice"}
        request = placed(flows)
        assert "ob" in SipUri.parse(request.contacts[0].uri).params
        assert "outbound" in request.headers.all("Supported")
        assert "ob" not in SipUri.parse(placed(flows, PEER).contacts[0].uri).params
        registrations.follow([replace(ALICE, username="alice2")])
        await asyncio.sleep(5)
        assert flows.identity.outbound == {"alice"}, "Who left under the former name takes nothing from who has come."
        flows.answer = lambda _request: None
        flows.tell("closed")
        assert flows.identity.outbound == set()

    run(test, ALICE)


def test_the_end_of_another_connection_is_nothing_to_us() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        flows._on_flow("closed", Source("tcp", "192.0.2.10", 5060))
        flows._on_flow("closed", Source("tcp", "192.0.2.9", 40000))
        assert len(flows.requests) == 1

    run(test, ALICE)


def test_a_flow_that_stops_answering_pings_is_dropped_and_made_anew() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        await asyncio.sleep(45)
        assert flows.pings == [45.0]
        flows.tell("pong")
        await asyncio.sleep(60)
        assert flows.dropped == [Target("tcp", "192.0.2.9", 5060)]
        assert [at for at, _ in flows.requests] == [0, 101.0]

    run(test, ALICE)


def test_a_ping_that_finds_no_connection_is_a_failed_flow() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        flows.alive = False
        await asyncio.sleep(45)
        assert [at for at, _ in flows.requests] == [0, 45.0]

    run(test, ALICE)


def test_draining_unregisters_and_keeps_the_flow_for_the_calls_that_go_on() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        registrations.drain()
        registrations.follow((ALICE, BOB))
        await asyncio.sleep(50)
        assert flows.sent() == [("alice", "600"), ("alice", "0")]
        assert flows.pings
        assert registrations.state("alice") == RegistrationState("stopped", None, None)
        assert registrations.trunk_of(invite("sip:ln-alice@192.0.2.1")) == ALICE

    run(test, ALICE)


def test_stopping_waits_a_few_seconds_for_a_registrar_that_is_silent() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        flows.answer = lambda _request: None
        began = virtual_time.now()
        await registrations.stop()
        assert virtual_time.now() - began == 4.0
        assert flows.sent() == [("alice", "600"), ("alice", "0")]

    run(test, ALICE)


def test_a_trunk_that_cannot_be_written_as_sip_says_so() -> None:
    async def test(registrations: Registrations, flows: FakeFlows) -> None:
        state = registrations.state("alice")
        assert state is not None
        assert (state.status, flows.requests) == ("failed", [])
        assert state.last_error

    run(test, replace(ALICE, host="not a host"))


def probe(test: Callable[[Probes, FakeFlows], Any], *, seconds: float = 60) -> None:
    async def main() -> None:
        flows, probes = FakeFlows(), Probes(seconds, virtual_time.now, virtual_time.microseconds, lambda: 1.0)
        probes.start(flows)
        probes.follow((ALICE, PEER, replace(PEER, id="block", host="")))
        await test(probes, flows)
        probes.stop()

    virtual_time.run(main())


def test_only_trunks_with_an_address_that_we_do_not_register_at_are_probed() -> None:
    async def test(probes: Probes, flows: FakeFlows) -> None:
        assert probes.health("peer") == TrunkHealth("unknown", None, None, None)
        assert (probes.health("alice"), probes.health("block")) == (None, None)
        await asyncio.sleep(61)
        assert [request.method for _, request in flows.requests] == ["OPTIONS"]
        health = probes.health("peer")
        assert health is not None
        assert (health.status, health.last_error) == ("up", None)
        probes.follow((ALICE,))
        assert probes.health("peer") is None
        await asyncio.sleep(600)
        assert len(flows.requests) == 1

    probe(test)


def test_each_host_of_a_trunk_is_probed_and_one_that_answers_is_enough() -> None:
    async def test(probes: Probes, flows: FakeFlows) -> None:
        several = replace(PEER, options=replace(PEER.options, failover_hosts=("b.example",)))
        probes.follow((several,))
        flows.answer = lambda request: 408 if "b.example" in request.uri else 200
        await asyncio.sleep(61)
        assert len(flows.requests) == 2
        health = probes.health("peer")
        assert health is not None
        assert (health.status, (health.last_error or "")[:14]) == ("up", "b.example: 408")

    probe(test)


def test_a_refusal_is_a_sign_of_life_and_two_misses_are_none() -> None:
    async def test(probes: Probes, flows: FakeFlows) -> None:
        seen = []
        for status in (405, 503, 503, 200):
            flows.answer = lambda _request, status=status: status  # type: ignore[misc]
            await asyncio.sleep(60.1)
            health = probes.health("peer")
            assert health is not None
            seen.append(health.status)
        assert seen == ["up", "up", "down", "up"]

    probe(test)


def test_a_trunk_that_never_answers_is_not_called_down_and_asked_less_often() -> None:
    async def test(probes: Probes, flows: FakeFlows) -> None:
        flows.answer = lambda _request: 408
        await asyncio.sleep(60 * 3 + 600 + 1)
        assert [at for at, _ in flows.requests] == [60, 120, 180, 780]
        health = probes.health("peer")
        assert health is not None
        assert health.status == "unknown"

    probe(test)


def test_probing_can_be_switched_off() -> None:
    async def test(probes: Probes, flows: FakeFlows) -> None:
        await asyncio.sleep(1000)
        assert (flows.requests, probes.health("peer")) == ([], None)

    probe(test, seconds=0)


def contacts(flows: FakeFlows) -> list[tuple[str, ...]]:
    """Of each REGISTER: its Contacts without the time that they are asked for."""
    return [tuple(contact.uri for contact in request.contacts) for _, request in flows.requests]


def test_where_the_registrar_was_found_decides_under_which_address_we_register() -> None:
    """A name does not tell whether it leads into our own network, nor by which transport."""
    house = replace(ALICE, host="pbx.house", transport="auto", options=TrunkOptions(local_nets=("192.0.2.0/24",)))

    async def main() -> None:
        flows, registrations = FakeFlows(), Registrations(means())
        flows.identity = replace(
            flows.identity, addresses=Addresses(lambda _peer: "192.0.2.1", Told("203.0.113.7", learn=True))
        )
        registrations.start(flows)
        registrations.follow((house,))
        await asyncio.sleep(1)
        outside, inside = "sip:ln-alice@203.0.113.7:5060", "sip:ln-alice@192.0.2.1:5060;transport=tcp"
        assert contacts(flows) == [(outside,), (inside, outside)]
        await registrations.stop()

    virtual_time.run(main())
