"""Calls over TCP as peers and networks make them: every byte alone, and nothing to say for a long time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import cast

from sipserver.legs import Answered, Ended, Leg, LegEvent, Source
from sipserver.message import Request, Response, StreamFramer, parse
from sipserver.transaction import Intervals
from sipserver.transport.tcp import TcpCallbacks, TcpLimits, TcpTransport
from sipserver.useragent import SipEndpoint
from tests.sipserver.transcripts import ANSWER, OFFER, Everybody
from tests.sipserver.waiting import until

OPTIONS = (
    b"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\n"
    b"Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Peer:
    """A caller on a connection of its own, who sends byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._framer = StreamFramer()
        self._waiting: list[bytes] = []

    async def say(self, method: str, cseq: int, to_tag: str = "", body: bytes = b"") -> None:
        port = self._writer.get_extra_info("sockname")[1]
        lines = [
            f"{method} sip:us@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK{method}{cseq};rport",
            "From: <sip:peer@127.0.0.1>;tag=peer",
            f"To: <sip:us@127.0.0.1>{to_tag and f';tag={to_tag}'}",
            "Call-ID: quiet",
            f"CSeq: {cseq} {method}",
            # Nobody listens there: what is for us has to come by this connection.
            "Contact: <sip:peer@127.0.0.1:9;transport=tcp>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        await self._send("\r\n".join([*lines, "", ""]).encode() + body)

    async def answer(self, request: Request) -> None:
        lines = [f"{name}: {request.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        await self._send("\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""]).encode())

    async def hears(self) -> Request | Response:
        """The next message. Raises EOFError where the connection ends instead."""
        while not self._waiting:
            data = await self._reader.read(1)
            if not data:
                raise EOFError
            self._waiting += self._framer.feed(data)
        return parse(self._waiting.pop(0))

    async def _send(self, data: bytes) -> None:
        for at in range(len(data)):
            self._writer.write(data[at : at + 1])
            await self._writer.drain()


def meet(
    on_invite: Callable[[Leg], Awaitable[None]],
    test: Callable[[SipEndpoint, Peer], Awaitable[None]],
) -> None:
    async def main() -> None:
        endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody(), intervals=Intervals(trying=0.0))
        await endpoint.start(on_invite)
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        try:
            async with asyncio.timeout(30):
                await test(endpoint, Peer(reader, writer))
        finally:
            writer.close()
            await endpoint.stop()

    asyncio.run(main())


def test_a_connection_that_a_call_needs_is_not_closed_for_its_silence() -> None:
    asked: list[Source] = []
    needed = True

    def in_use(flow: Source) -> bool:
        asked.append(flow)
        return needed

    async def main() -> None:
        nonlocal needed
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        came: list[bytes] = []
        callbacks = TcpCallbacks(lambda data, _: came.append(data), lambda *_: None, lambda _: None, in_use=in_use)
        limits = TcpLimits(silent=0.05, idle=0.05)
        transport = TcpTransport(asyncio.get_running_loop(), sock, callbacks, limits)
        await transport.listen()
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(OPTIONS)
        await until(lambda: came)
        await until(lambda: len(asked) >= 3)
        assert asked[0] == Source("tcp", "127.0.0.1", writer.get_extra_info("sockname")[1])
        needed = False
        async with asyncio.timeout(5):
            assert await reader.read(1) == b""
        writer.close()
        await transport.close()

    asyncio.run(main())


def test_a_call_whose_bytes_all_come_alone_is_ended_over_its_own_connection() -> None:
    events: list[LegEvent] = []
    legs: list[Leg] = []

    async def answer(leg: Leg) -> None:
        legs.append(leg)
        leg.answer(ANSWER)
        stream = leg.events()
        events.append(await anext(stream))
        events.extend([event async for event in stream])

    async def test(endpoint: SipEndpoint, peer: Peer) -> None:
        await peer.say("INVITE", 1, body=OFFER)
        assert cast(Response, await peer.hears()).status == 100
        final = await peer.hears()
        assert cast(Response, final).status == 200
        await peer.say("ACK", 1, final.to.tag or "")
        await until(lambda: events)
        flow = legs[0].source
        assert flow is not None
        assert endpoint._agent.uses(flow)
        legs[0].hang_up()
        assert not endpoint._agent.uses(flow)
        bye = await peer.hears()
        assert isinstance(bye, Request)
        assert (bye.method, bye.via.transport) == ("BYE", "TCP")
        await peer.answer(bye)

    meet(answer, test)
    assert events == [Answered()]


def test_the_peer_hangs_up_byte_by_byte() -> None:
    events: list[LegEvent] = []

    async def answer(leg: Leg) -> None:
        leg.answer(ANSWER)
        events.extend([event async for event in leg.events()])

    async def test(endpoint: SipEndpoint, peer: Peer) -> None:
        await peer.say("INVITE", 1, body=OFFER)
        await peer.hears()
        final = await peer.hears()
        await peer.say("ACK", 1, final.to.tag or "")
        await peer.say("BYE", 2, final.to.tag or "")
        bye = await peer.hears()
        assert isinstance(bye, Response)
        assert (bye.status, bye.cseq.method) == (200, "BYE")
        await until(lambda: len(events) == 2)

    meet(answer, test)
    assert events == [Answered(), Ended("bye")]
