"""TCP: framing, keep-alives, reuse of connections, limits; each test with real sockets on the loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import MessageError, parse
from sipserver.transaction import Outgoing
from sipserver.transport.tcp import TcpCallbacks, TcpLimits, TcpTransport
from tests.sipserver.waiting import until

MESSAGE = (
    b"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\n"
    b"Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Side:
    """One TcpTransport with what it told."""

    def __init__(self, limits: TcpLimits | None = None) -> None:
        self.messages: list[tuple[bytes, Source]] = []
        self.errors: list[MessageError] = []
        self.failed: list[Outgoing] = []
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self.port: int = sock.getsockname()[1]
        callbacks = TcpCallbacks(
            lambda data, source: self.messages.append((data, source)),
            lambda error, _: self.errors.append(error),
            self.failed.append,
        )
        self.transport = TcpTransport(asyncio.get_running_loop(), sock, callbacks, limits)

    def send(self, port: int, flow: Source | None = None) -> None:
        self.transport.send(Outgoing(parse(MESSAGE), MESSAGE, Target("tcp", "127.0.0.1", port, flow)))


def run(test: Callable[[Side], Awaitable[None]], limits: TcpLimits | None = None) -> None:
    async def main() -> None:
        side = Side(limits)
        await side.transport.listen()
        try:
            await test(side)
        finally:
            await side.transport.close()

    asyncio.run(main())


def test_messages_are_cut_out_of_the_stream_and_pings_are_answered() -> None:
    async def test(side: Side) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
        stream = MESSAGE + b"\r\n\r\n" + MESSAGE
        for at in range(len(stream)):
            writer.write(stream[at : at + 1])
        assert await reader.readexactly(2) == b"\r\n"
        await until(lambda: len(side.messages) == 2)
        assert [data for data, _ in side.messages] == [MESSAGE, MESSAGE]
        writer.close()
        await writer.wait_closed()

    run(test)


def test_an_answer_goes_back_over_the_connection_of_its_request_and_a_request_over_one_that_is_there() -> None:
    async def test(side: Side) -> None:
        other = Side()
        await other.transport.listen()
        side.send(other.port)
        side.send(other.port)
        await until(lambda: len(other.messages) == 2)
        assert len({source for _, source in other.messages}) == 1
        came_from = other.messages[0][1]
        other.send(9, came_from)
        await until(lambda: side.messages)
        assert side.messages[0][1].port == other.port
        await other.transport.close()

    run(test)


def test_an_answer_whose_connection_is_gone_opens_a_new_one() -> None:
    """RFC 3261 section 18.2.2: to the address it came from, at the port of the Via."""

    async def test(side: Side) -> None:
        other = Side()
        await other.transport.listen()
        side.send(other.port, Source("tcp", "127.0.0.1", 9))
        await until(lambda: other.messages)
        await other.transport.close()

    run(test)


def test_what_cannot_be_sent_is_told() -> None:
    async def test(side: Side) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        side.send(port)
        side.send(port)
        await until(lambda: len(side.failed) == 2)

    run(test)


def test_a_stream_that_makes_no_sense_is_closed() -> None:
    async def test(side: Side) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
        writer.write(MESSAGE.replace(b"Content-Length: 0\r\n", b""))
        assert await reader.read() == b""
        assert len(side.errors) == 1
        assert side.errors[0].request is not None
        writer.close()
        await writer.wait_closed()

    run(test)


def test_one_connection_too_many_and_one_that_says_nothing() -> None:
    async def test(side: Side) -> None:
        first, first_writer = await asyncio.open_connection("127.0.0.1", side.port)
        second, second_writer = await asyncio.open_connection("127.0.0.1", side.port)
        try:
            assert await second.read() == b""
        except ConnectionResetError:
            pass
        async with asyncio.timeout(5):
            assert await first.read() == b""
        for writer in (first_writer, second_writer):
            writer.close()
            try:
                await writer.wait_closed()
            except ConnectionResetError:
                pass

    run(test, TcpLimits(per_host=1, silent=0.1))


def test_a_connection_that_spoke_once_stays() -> None:
    """A trunk's connection must not be closed during a quiet call."""

    async def test(side: Side) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
        writer.write(MESSAGE)
        await until(lambda: side.messages)
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", side.port)
        async with asyncio.timeout(5):
            assert await silent.read() == b""  # It came later and has been closed already.
        side.send(9, side.messages[0][1])
        assert await reader.readexactly(len(MESSAGE)) == MESSAGE
        for each in (writer, silent_writer):
            each.close()
            await each.wait_closed()

    run(test, TcpLimits(silent=0.1))


def test_after_its_connection_was_closed_a_peer_gets_a_new_one() -> None:
    """A BYE in a dialog whose connection is gone; also while the old one is still being closed."""

    async def test(side: Side) -> None:
        other = Side()
        await other.transport.listen()
        for count in (1, 2, 3):
            side.send(other.port)
            await until(lambda count=count: len(other.messages) == count)  # type: ignore[misc]
            [connection] = side.transport._connections.values()
            connection.close() if count == 1 else connection._transport.close()  # type: ignore[union-attr, func-returns-value]
        assert len({source.port for _, source in other.messages}) == 3
        assert side.failed == []
        await other.transport.close()
        await until(lambda: not side.transport._open)
        assert not side.transport._hosts

    run(test)
