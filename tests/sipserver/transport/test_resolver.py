"""The resolver against a DNS server of the test's own, on the loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rrset

from sipserver.legs import Leg
from sipserver.locate import Lookup, Pointer, Service
from sipserver.protocols import Trunk
from sipserver.transport import resolver as module
from sipserver.transport.resolver import Resolver
from sipserver.useragent import SipEndpoint
from tests.sipserver.transcripts import Everybody

ZONE = {
    ("_sip._udp.example.com.", "SRV"): ["10 60 5060 b.example.com.", "10 40 5070 a.example.com."],
    ("example.com.", "NAPTR"): [
        '50 50 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
        '90 50 "s" "SIP+D2U" "" _sip._udp.example.com.',
        '10 50 "s" "SIP+D2S" "" _sip._sctp.example.com.',
        '10 50 "u" "E2U+sip" "!^.*$!sip:x@y!" .',
    ],
}


class DnsServer(asyncio.DatagramProtocol):
    """Answers from a zone, everything else with an empty answer; counts the questions."""

    def __init__(self, zone: dict[tuple[str, str], list[str]], ttl: int = 60, silent: bool = False) -> None:
        self.zone = zone
        self.ttl = ttl
        self.silent = silent
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{question.name} {kind}")
        response = dns.message.make_response(query)
        records = self.zone.get((str(question.name), kind))
        if records:
            response.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", kind, *records))
        if not self.silent:
            self.transport.sendto(response.to_wire(), addr)  # type: ignore[attr-defined]


def run(server: DnsServer, test: Callable[[Resolver, list[float]], Awaitable[None]]) -> None:
    """With a resolver that asks this server; the list holds its time."""

    async def main() -> None:
        now = [0.0]
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
        try:
            await test(Resolver(socket.AF_INET, lambda: now[0], asking(transport)), now)
        finally:
            transport.close()

    asyncio.run(main())


def asking(transport: asyncio.DatagramTransport) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    return resolver


def test_services_and_pointers_are_read() -> None:
    async def test(resolver: Resolver, now: list[float]) -> None:
        assert set(await resolver.answer(Lookup("_sip._udp.example.com", "srv"))) == {
            Service(10, 60, 5060, "b.example.com."),
            Service(10, 40, 5070, "a.example.com."),
        }
        # What is not of SIP, or not over a transport that we know, is left out.
        assert set(await resolver.answer(Lookup("example.com", "naptr"))) == {
            Pointer(50, 50, "tls", "_sips._tcp.example.com"),
            Pointer(90, 50, "udp", "_sip._udp.example.com"),
        }
        assert await resolver.answer(Lookup("_sip._tcp.example.com", "srv")) == ()

    run(DnsServer(ZONE), test)


def test_answers_hold_for_their_time_to_live_and_nothing_for_a_short_one() -> None:
    server = DnsServer(ZONE, ttl=60)

    async def test(resolver: Resolver, now: list[float]) -> None:
        there, absent = Lookup("_sip._udp.example.com", "srv"), Lookup("_sip._tcp.example.com", "srv")
        for at, asked in ((0.0, 2), (5.0, 2), (module.NOTHING_SECONDS + 1, 3), (59.0, 4), (61.0, 5)):
            now[0] = at
            assert await resolver.answer(there)
            assert not await resolver.answer(absent)
            assert len(server.asked) == asked, at

    run(server, test)


def test_what_is_remembered_is_bounded() -> None:
    async def test(resolver: Resolver, now: list[float]) -> None:
        for number in range(module.MAX_NAMES + 5):
            await resolver.answer(Lookup(f"_sip._udp.host{number}", "srv"))
        assert len(resolver._known) == module.MAX_NAMES

    run(DnsServer({}), test)


def test_a_machine_of_its_own_network_has_an_address_and_is_not_asked_for_services() -> None:
    server = DnsServer({})

    async def test(resolver: Resolver, now: list[float]) -> None:
        assert "127.0.0.1" in await resolver.answer(Lookup("localhost"))
        for lookup in (Lookup("_sip._udp.localhost", "srv"), Lookup("localhost", "naptr")):
            assert await resolver.answer(lookup) == ()
        assert server.asked == []

    run(server, test)


def test_a_silent_dns_is_nothing_and_not_waited_for_again() -> None:
    server = DnsServer(ZONE, silent=True)

    async def test(resolver: Resolver, now: list[float]) -> None:
        assert await resolver.answer(Lookup("_sip._udp.example.com", "srv")) == ()
        asked = len(server.asked)
        assert await resolver.answer(Lookup("_sip._udp.example.com", "srv")) == ()
        assert len(server.asked) == asked

    run(server, test)


def test_a_name_that_is_none_is_nothing() -> None:
    async def test(resolver: Resolver, now: list[float]) -> None:
        assert await resolver.answer(Lookup("_sip._udp." + "x" * 70 + ".example", "srv")) == ()
        assert await resolver.answer(Lookup("x" * 70 + ".example")) == ()

    run(DnsServer({}), test)


async def nobody(leg: Leg) -> None:
    leg.reject(404)


def test_from_the_service_that_is_down_to_the_one_that_is_up() -> None:
    """SRV over real sockets: the first port has nobody, the second has us; the trunk has no port of its own."""

    async def main() -> None:
        callee = SipEndpoint("127.0.0.1", 0, guard=Everybody())
        await callee.start(nobody)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            dead = closed.getsockname()[1]
        zone = {("_sip._udp.trunk.example.", "SRV"): [f"1 0 {dead} localhost.", f"2 0 {callee.port} localhost."]}
        server = DnsServer(zone)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
        resolver = Resolver(socket.AF_INET, loop.time, asking(transport))
        caller = SipEndpoint("127.0.0.1", 0, guard=Everybody(), resolver=resolver)
        await caller.start(nobody)
        answer = await caller.options(Trunk("t", "o", "ip_allowlist", "trunk.example"), 5)
        assert answer is not None
        assert answer.status == 200
        assert server.asked == ["_sip._udp.trunk.example. SRV"]
        await caller.stop()
        await callee.stop()
        transport.close()

    asyncio.run(main())
