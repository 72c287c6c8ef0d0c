"""Flows that we keep: pings of ours, their answers, and ends of connections (RFC 5626 sections 3.5.1 and 4.4)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from sipserver.legs import Leg, Source
from sipserver.locate import Target
from sipserver.message import Headers, Request, SipUri, StreamFramer
from sipserver.transport.tcp import TcpCallbacks
from sipserver.useragent import SipEndpoint
from sipserver.useragent.exchange import Errand, Outcome
from tests.sipserver.transcripts import Everybody
from tests.sipserver.transport.test_transport_tcp import MESSAGE, Side
from tests.sipserver.waiting import until


class Ours(Side):
    """A transport that keeps a flow to a peer of the test's own."""

    def __init__(self) -> None:
        super().__init__()
        self.pongs: list[Source] = []
        self.closed: list[Source] = []
        callbacks = self.transport.callbacks
        self.transport.callbacks = TcpCallbacks(
            callbacks.on_message,
            callbacks.on_malformed,
            callbacks.on_failed,
            on_pong=self.pongs.append,
            on_closed=self.closed.append,
        )


def run(test: Callable[[Ours, Target, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    async def main() -> None:
        side = Ours()
        await side.transport.listen()
        came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        server = await asyncio.start_server(lambda *pair: came.put_nowait(pair), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        side.send(port)
        reader, writer = await came.get()
        assert await reader.readexactly(len(MESSAGE)) == MESSAGE
        try:
            async with asyncio.timeout(10):
                await test(side, Target("tcp", "127.0.0.1", port), reader, writer)
        finally:
            await side.transport.close()
            writer.close()
            server.close()
            await server.wait_closed()

    asyncio.run(main())


def test_a_pong_is_told_and_spoils_nothing_that_follows() -> None:
    """Two lone CRLFs in a row look like a ping: which they are not when we asked for them."""

    async def test(side: Ours, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for times in (1, 2):
            assert side.transport.ping(target)
            assert await reader.readexactly(4) == b"\r\n\r\n"
            writer.write(b"\r\n")
            await until(lambda times=times: len(side.pongs) == times)  # type: ignore[misc]
        assert side.transport.ping(target)
        writer.write(b"\r\n" + MESSAGE)
        await until(lambda: side.messages)
        assert side.messages == [(MESSAGE, side.pongs[0])]
        assert (len(side.pongs), side.errors) == (3, [])
        assert await reader.readexactly(4) == b"\r\n\r\n"

    run(test)


def test_a_ping_of_the_peer_that_crosses_ours_is_answered() -> None:
    async def test(side: Ours, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side.transport.ping(target)
        writer.write(b"\r\n\r\n")
        await until(lambda: side.pongs)
        writer.write(b"\r\n")
        assert await reader.readexactly(6) == b"\r\n\r\n\r\n"

    run(test)


def test_the_end_of_a_connection_is_told_once() -> None:
    async def test(side: Ours, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await until(lambda: side.closed)
        assert side.closed == [Source("tcp", "127.0.0.1", target.port)]
        assert not side.transport.ping(target)

    run(test)


def test_a_connection_that_is_given_up_is_closed() -> None:
    async def test(side: Ours, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side.transport.drop(target)
        assert await reader.read() == b""
        assert len(side.closed) == 1
        side.transport.drop(target)
        assert len(side.closed) == 1

    run(test)


def test_breaks_before_a_message_are_skipped_however_they_arrive() -> None:
    """Found by the property test: two CRs that stand alone were seen in pieces and not in one piece."""
    stream = b"\r\n\r\r\n"
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        framer = StreamFramer()
        for piece in pieces:
            try:
                framer.feed(piece)
            except ValueError:
                break
        assert framer.error is not None


async def nobody(leg: Leg) -> None:
    leg.reject(404)


def test_a_request_of_any_method_and_a_ping_over_udp() -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.setblocking(False)
            target = Target("udp", "127.0.0.1", peer.getsockname()[1])
            endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody())
            await endpoint.start(nobody)
            loop = asyncio.get_running_loop()
            assert endpoint.ping(target)
            assert await loop.sock_recv(peer, 100) == b"\r\n\r\n"
            await endpoint.stop()

    asyncio.run(main())


def test_what_became_of_a_request_is_told_once() -> None:
    async def main() -> None:
        callee, caller = (SipEndpoint("127.0.0.1", 0, guard=Everybody()) for _ in range(2))
        await callee.start(nobody)
        await caller.start(nobody)
        outcomes: list[Outcome] = []
        for host in (f"127.0.0.1:{callee.port}", "127.0.0.1;transport=smoke"):
            uri = SipUri.parse(f"sip:{host}")
            headers = [
                ("Max-Forwards", "70"),
                ("From", "<sip:a@example.com>;tag=a"),
                ("To", "<sip:example.com>"),
                ("Call-ID", f"call-{host}"),
                ("CSeq", "1 OPTIONS"),
            ]
            errand = Errand(Request("OPTIONS", f"sip:{host}", Headers(headers), b""), uri, lambda: 2, ladder=False)
            caller.request(errand, outcomes.append)
        await until(lambda: len(outcomes) == 2)
        by_status = {outcome.status: outcome for outcome in outcomes}
        assert by_status[200].target == Target("udp", "127.0.0.1", callee.port)
        assert by_status[200].response is not None
        assert (by_status[503].target, by_status[503].response) == (None, None)
        await caller.stop()
        await callee.stop()

    asyncio.run(main())
