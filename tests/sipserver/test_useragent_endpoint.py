"""Two endpoints call each other over real sockets on the loopback, UDP and TCP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Literal

import pytest

from sipserver.legs import Answered, Ended, Invitation, Leg, LegEvent, Offered, Progress, Refused
from sipserver.protocols import Trunk
from sipserver.transaction import Intervals
from sipserver.transport.bind import bind, local_address
from sipserver.useragent import SipEndpoint
from tests.sipserver.transcripts import ANSWER, OFFER, Everybody
from tests.sipserver.waiting import until

Transport = Literal["udp", "tcp"]
both = pytest.mark.parametrize("transport", ["udp", "tcp"])
FAST = Intervals(t1=0.05, t2=0.2, t4=0.2)


def trunk_to(endpoint: SipEndpoint, transport: Transport, host: str = "127.0.0.1") -> Trunk:
    return Trunk("t", "o", "ip_allowlist", host, endpoint.port, transport)


def call_to(endpoint: SipEndpoint, transport: Transport, host: str = "127.0.0.1") -> Invitation:
    return Invitation(trunk_to(endpoint, transport, host), "100", "200", OFFER)


async def nobody(leg: Leg) -> None:
    leg.reject(404)


def meet(
    on_invite: Callable[[Leg], Awaitable[None]],
    test: Callable[[SipEndpoint, SipEndpoint], Awaitable[None]],
) -> None:
    """Run a test with a calling and a called endpoint, and see that both stop cleanly."""

    async def main() -> None:
        caller = SipEndpoint("127.0.0.1", 0, guard=Everybody(), intervals=FAST)
        callee = SipEndpoint("127.0.0.1", 0, guard=Everybody(), intervals=FAST)
        await caller.start(nobody)
        await callee.start(on_invite)
        try:
            async with asyncio.timeout(20):
                await test(caller, callee)
        finally:
            await caller.stop()
            await callee.stop()

    asyncio.run(main())


@both
def test_a_call_from_ring_to_our_bye(transport: Transport) -> None:
    heard: list[LegEvent] = []

    async def answer(leg: Leg) -> None:
        leg.ring()
        leg.answer(ANSWER)
        heard.extend([event async for event in leg.events()])

    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        leg = caller.invite(call_to(callee, transport))
        events = leg.events()
        ringing = await anext(events)
        assert isinstance(ringing, Progress)
        assert (ringing.status, ringing.reason, ringing.sdp) == (180, "Ringing", None)
        assert await anext(events) == Answered(ANSWER)
        leg.hang_up("done")
        assert [event async for event in events] == []
        await until(lambda: Ended("bye", 'SIP;text="done"') in heard)
        assert heard[0] == Answered(None)

    meet(answer, test)


@both
def test_a_call_over_ipv6(transport: Transport) -> None:
    async def answer(leg: Leg) -> None:
        leg.answer(ANSWER)
        async for event in leg.events():
            if isinstance(event, Answered):
                leg.hang_up()

    async def main() -> None:
        caller = SipEndpoint("::1", 0, guard=Everybody())
        callee = SipEndpoint("::1", 0, guard=Everybody())
        await caller.start(nobody)
        await callee.start(answer)
        async with asyncio.timeout(10):
            leg = caller.invite(call_to(callee, transport, "::1"))
            assert [event async for event in leg.events()] == [Answered(ANSWER), Ended("bye")]
        await caller.stop()
        await callee.stop()

    try:
        bind("::1", 0, ("udp",)).udp.close()  # type: ignore[union-attr]
    except OSError:
        pytest.skip("this machine has no IPv6")
    asyncio.run(main())


@both
def test_the_callee_hangs_up(transport: Transport) -> None:
    async def answer(leg: Leg) -> None:
        assert leg.source is not None
        assert leg.source.transport == transport
        leg.answer(ANSWER)
        async for event in leg.events():
            if isinstance(event, Answered):
                leg.hang_up()

    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        leg = caller.invite(call_to(callee, transport))
        events = [event async for event in leg.events()]
        assert events == [Answered(ANSWER), Ended("bye")]

    meet(answer, test)


@both
def test_a_call_is_refused_and_one_is_cancelled(transport: Transport) -> None:
    ended: list[LegEvent] = []

    async def ring(leg: Leg) -> None:
        if leg.invite.uri.startswith("sip:busy@"):
            leg.reject(486)
        leg.ring()
        ended.extend([event async for event in leg.events()])

    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        busy = caller.invite(Invitation(trunk_to(callee, transport), "busy", "200", OFFER))
        assert [event async for event in busy.events()] == [Refused(486, "Busy Here")]
        leg = caller.invite(call_to(callee, transport))
        events = leg.events()
        assert isinstance(await anext(events), Progress)
        leg.hang_up()
        await until(lambda: ended)
        assert ended == [Ended("cancel")]

    meet(ring, test)


@both
def test_options_is_a_sign_of_life(transport: Transport) -> None:
    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        alive = await caller.options(trunk_to(callee, transport), 5)
        assert alive is not None
        assert alive.status == 200
        callee.drain()
        draining = await caller.options(trunk_to(callee, transport, "localhost"), 5)
        assert draining is not None
        assert draining.status == 503

    meet(nobody, test)


@both
def test_nobody_there_is_known_at_once(transport: Transport) -> None:
    async def main() -> None:
        endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody())
        await endpoint.start(nobody)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        async with asyncio.timeout(5):
            leg = endpoint.invite(
                Invitation(Trunk("t", "o", "ip_allowlist", "127.0.0.1", port, transport), "1", "2", OFFER)
            )
            assert [event async for event in leg.events()] == [Refused(503, "The transport failed")]
            assert await endpoint.options(Trunk("t", "o", "ip_allowlist", "127.0.0.1", port, transport), 5) is None
        await endpoint.stop()

    asyncio.run(main())


def test_a_tls_trunk_is_refused_in_words() -> None:
    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        leg = caller.invite(Invitation(Trunk("t", "o", "ip_allowlist", "127.0.0.1", 5061, "tls"), "1", "2", OFFER))
        assert [event async for event in leg.events()] == [
            Refused(503, "The transport tls is not available on this node")
        ]

    meet(nobody, test)


def test_an_owner_that_fails_ends_its_call_and_no_other() -> None:
    async def fail(leg: Leg) -> None:
        raise ValueError("a defect of the owner")

    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        for _ in range(2):
            leg = caller.invite(call_to(callee, "udp"))
            assert [event async for event in leg.events()] == [Refused(500, "Server Internal Error")]

    meet(fail, test)


def test_stop_ends_what_is_left() -> None:
    """A call that rings gets 487, one that is up its BYE."""
    waiting = asyncio.Event()

    async def ring(leg: Leg) -> None:
        if leg.invite.uri.startswith("sip:up@"):
            leg.answer(ANSWER)
        else:
            leg.ring()
        async for event in leg.events():
            if isinstance(event, Answered):
                waiting.set()

    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        ringing = caller.invite(call_to(callee, "udp"))
        up = caller.invite(Invitation(trunk_to(callee, "udp"), "up", "200", OFFER))
        ringing_events, up_events = ringing.events(), up.events()
        assert isinstance(await anext(ringing_events), Progress)
        assert isinstance(await anext(up_events), Answered)
        await waiting.wait()
        await callee.stop()
        assert [event async for event in ringing_events] == [Refused(487, "Request Terminated")]
        assert [event async for event in up_events] == [Ended("bye")]
        up.hang_up()

    meet(ring, test)


def test_after_stop_and_before_start_nothing_works_but_nothing_breaks() -> None:
    async def main() -> None:
        endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody())
        await endpoint.stop()
        with pytest.raises(RuntimeError):
            endpoint.invite(Invitation(Trunk("t", "o", "ip_allowlist", "127.0.0.1", 5060, "tls"), "1", "2", OFFER))
        await endpoint.start(nobody)
        await endpoint.stop()
        await endpoint.stop()

    asyncio.run(main())


def test_udp_and_tcp_have_one_port_and_a_port_in_use_is_an_error() -> None:
    bound = bind("127.0.0.1", 0, ("udp", "tcp"))
    assert bound.udp is not None
    assert bound.tcp is not None
    try:
        bound.tcp.listen()
        assert bound.udp.getsockname()[1] == bound.tcp.getsockname()[1] == bound.port
        with pytest.raises(OSError):
            bind("127.0.0.1", bound.port, ("udp", "tcp"))
    finally:
        bound.udp.close()
        bound.tcp.close()


def test_a_wildcard_is_not_what_peers_are_told() -> None:
    assert local_address("127.0.0.1") == "127.0.0.1"
    assert local_address("0.0.0.0") not in ("0.0.0.0", "")


@both
def test_garbage_does_not_stop_the_server(transport: Transport) -> None:
    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.connect(("127.0.0.1", callee.port))
            sock.send(b"\x00\xff\x00 nonsense\r\n\r\n" * 3)
            await until(lambda: callee.counters["malformed"])
            alive = await caller.options(trunk_to(callee, transport), 5)
            assert alive is not None
            assert alive.status == 200

    meet(nobody, test)


def test_an_offer_over_the_wire() -> None:
    """Our side has no way to offer again, so a scripted peer does: a datagram at a time."""
    seen: list[LegEvent] = []

    async def answer(leg: Leg) -> None:
        leg.answer(ANSWER)
        async for event in leg.events():
            seen.append(event)
            if isinstance(event, Offered):
                leg.accept(ANSWER)

    async def test(caller: SipEndpoint, callee: SipEndpoint) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.setblocking(False)
            peer.connect(("127.0.0.1", callee.port))

            async def final() -> str:
                while True:
                    text = (await loop.sock_recv(peer, 65535)).decode()
                    if not text.startswith("SIP/2.0 100"):
                        return text

            def send(method: str, cseq: int, to: str, body: bytes = b"") -> None:
                head = (
                    f"{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{method}{cseq};rport\r\n"
                    f"From: <sip:p@127.0.0.1>;tag=p\r\nTo: {to}\r\nCall-ID: wire\r\nCSeq: {cseq} {method}\r\n"
                    f"Contact: <sip:p@127.0.0.1:{peer.getsockname()[1]}>\r\nContent-Type: application/sdp\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n"
                )
                peer.send(head.encode() + body)

            send("INVITE", 1, "<sip:x@127.0.0.1>", OFFER)
            first = await final()
            to = next(line[4:] for line in first.split("\r\n") if line.startswith("To: "))
            send("ACK", 1, to)
            send("INVITE", 2, to, OFFER)
            assert (await final()).startswith("SIP/2.0 200 OK")
            send("ACK", 2, to)
            send("BYE", 3, to)
            assert "CSeq: 3 BYE" in await final()
            assert seen == [Answered(None), Offered(OFFER), Ended("bye")]

    meet(answer, test)
