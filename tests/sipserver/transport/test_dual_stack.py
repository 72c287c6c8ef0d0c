"""One socket for IPv4 and IPv6: bound to `::`, it hears and reaches both, and everybody has an address of its own family."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from sipserver.legs import Answered, Ended, Invitation, Leg, Refused, Source
from sipserver.message import Request
from sipserver.protocols import Trunk
from sipserver.transport.bind import bind, is_wildcard, local_address
from sipserver.transport.family import as_peer, for_socket
from sipserver.transport.own_address import KEPT_SECONDS, MAX_PEERS, OwnAddress
from sipserver.useragent import SipEndpoint
from tests.sipserver.transcripts import ANSWER, OFFER, Everybody


def has_ipv6() -> bool:
    try:
        bound = bind("::1", 0, ("udp",))
    except OSError:
        return False
    assert bound.udp is not None
    bound.udp.close()
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def test_mapped_addresses_are_seen_by_sockets_only() -> None:
    assert as_peer("::ffff:192.0.2.1") == "192.0.2.1"
    assert [as_peer(host) for host in ("192.0.2.1", "2001:db8::1", "::1")] == ["192.0.2.1", "2001:db8::1", "::1"]
    assert for_socket("192.0.2.1", socket.AF_INET6) == "::ffff:192.0.2.1"
    assert for_socket("[2001:db8::1]", socket.AF_INET6) == "2001:db8::1"
    assert for_socket("192.0.2.1", socket.AF_INET) == "192.0.2.1"


def test_from_a_wildcard_the_route_to_the_peer_decides() -> None:
    assert local_address("192.0.2.5", "127.0.0.1") == "192.0.2.5"
    assert local_address("0.0.0.0", "127.0.0.1") == "127.0.0.1"
    assert local_address("::", "127.0.0.1") == "127.0.0.1"
    for host in ("0.0.0.0", "::"):
        assert not is_wildcard(local_address(host))
    assert not is_wildcard(local_address("0.0.0.0", "2001:db8::1"))


@needs_ipv6
def test_from_a_wildcard_ipv6_peers_are_told_an_ipv6_address() -> None:
    assert local_address("::", "::1") == "::1"


def test_the_own_address_is_asked_for_once_in_a_while() -> None:
    now = 0.0
    own = OwnAddress("0.0.0.0", lambda: now)
    assert own("127.0.0.1") == "127.0.0.1"
    for number in range(MAX_PEERS):
        own(f"127.0.{number // 250}.{number % 250 + 2}")
    assert len(own._known) == MAX_PEERS
    now = KEPT_SECONDS
    assert own("127.0.0.1") == "127.0.0.1"
    assert OwnAddress("192.0.2.5", lambda: now)("127.0.0.1") == "192.0.2.5"


def meet(wildcard: str, host: str, test: Callable[[SipEndpoint, SipEndpoint, list[Leg]], Awaitable[None]]) -> None:
    """Run a test with an endpoint on a wildcard and one at `host`; both answer, and hang up when they are answered."""
    legs: list[Leg] = []

    async def answer(leg: Leg) -> None:
        legs.append(leg)
        leg.answer(ANSWER)
        async for event in leg.events():
            if isinstance(event, Answered):
                leg.hang_up()

    async def main() -> None:
        wide = SipEndpoint(wildcard, 0, guard=Everybody())
        narrow = SipEndpoint(host, 0, guard=Everybody())
        try:
            await wide.start(answer)
            await narrow.start(answer)
            async with asyncio.timeout(20):
                await test(wide, narrow, legs)
        finally:
            await wide.stop()
            await narrow.stop()

    asyncio.run(main())


WAYS = [
    pytest.param(wildcard, host, transport, marks=needs_ipv6 if ":" in wildcard else ())
    for wildcard, host in (("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1"))
    for transport in ("udp", "tcp")
]


@pytest.mark.parametrize(("wildcard", "host", "transport"), WAYS)
def test_calls_both_ways_from_a_wildcard(wildcard: str, host: str, transport: str) -> None:
    bracketed = f"[{host}]" if ":" in host else host

    async def test(wide: SipEndpoint, narrow: SipEndpoint, legs: list[Leg]) -> None:
        out = Trunk("t", "o", "ip_allowlist", host, narrow.port, transport)  # type: ignore[arg-type]
        leg = wide.invite(Invitation(out, "100", "200", OFFER))
        assert [event async for event in leg.events()] == [Answered(ANSWER), Ended("bye")]
        received = legs[0].invite
        assert (received.via.host, received.via.port) == (bracketed, wide.port)
        suffix = "" if transport == "udp" else ";transport=tcp"
        assert received.headers.get("contact") == f"<sip:200@{bracketed}:{wide.port}{suffix}>"

        back = Trunk("t", "o", "ip_allowlist", host, wide.port, transport)  # type: ignore[arg-type]
        leg = narrow.invite(Invitation(back, "100", "200", OFFER))
        assert [event async for event in leg.events()] == [Answered(ANSWER), Ended("bye")]
        # Whoever comes over IPv4 is known by its IPv4 address, however the socket has it.
        assert legs[1].source is not None
        assert (legs[1].source.transport, legs[1].source.host) == (transport, host)
        assert leg.peer == f"sip:100@{bracketed}:{wide.port}{suffix}"

    meet(wildcard, host, test)


@needs_ipv6
def test_a_name_leads_to_both_families_and_a_port_that_nobody_has_is_told() -> None:
    async def test(wide: SipEndpoint, narrow: SipEndpoint, legs: list[Leg]) -> None:
        facing = await wide.facing(Trunk("t", "o", "ip_allowlist", "localhost", narrow.port))
        assert facing.host in ("127.0.0.1", "::1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        leg = wide.invite(Invitation(Trunk("t", "o", "ip_allowlist", "127.0.0.1", port), "100", "200", OFFER))
        assert [event async for event in leg.events()] == [Refused(503, "The transport failed")]
        nowhere = await wide.facing(Trunk("t", "o", "ip_allowlist", "nobody.invalid", 5060))
        assert nowhere.host is None

    meet("::", "127.0.0.1", test)


@needs_ipv6
def test_breaks_on_either_family_are_no_messages() -> None:
    """Keep-alives of UDP (RFC 5626 section 3.5.1): a lone CRLF, a double one, and the zeros of some devices."""

    async def test(wide: SipEndpoint, narrow: SipEndpoint, legs: list[Leg]) -> None:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as peer:
                for data in (b"\r\n", b"\r\n\r\n", b"\x00" * 4):
                    peer.sendto(data, (host, wide.port))
        assert await narrow.options(Trunk("t", "o", "ip_allowlist", "127.0.0.1", wide.port), 5.0) is not None
        assert not wide.counters

    meet("::", "127.0.0.1", test)


def test_the_trunk_of_a_source_is_asked_for_with_its_own_address() -> None:
    asked: list[Source] = []

    async def nobody(leg: Leg) -> None:
        leg.reject(404)

    def trunk_of(_request: Request, source: Source) -> Trunk | None:
        asked.append(source)
        return None

    async def main() -> None:
        wide = SipEndpoint("0.0.0.0", 0, guard=Everybody(), trunk_of=trunk_of)
        peer = SipEndpoint("127.0.0.1", 0, guard=Everybody())
        await wide.start(nobody)
        await peer.start(nobody)
        assert await peer.options(Trunk("t", "o", "ip_allowlist", "127.0.0.1", wide.port), 5.0) is not None
        assert asked == [Source("udp", "127.0.0.1", peer.port)]
        await wide.stop()
        await peer.stop()

    asyncio.run(main())
