"""TLS: real handshakes on the loopback, with certificates made for the test."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import PING, PONG, MessageError, parse
from sipserver.transaction import Outgoing
from sipserver.transport.bind import bind_tls
from sipserver.transport.credentials import Credentials, TlsFiles
from sipserver.transport.tcp import TcpCallbacks, TcpLimits
from sipserver.transport.tls import TlsTransport
from tests.sipserver.transport.pki import DAY, Pki
from tests.sipserver.waiting import until

NAME = "sip.example.com"
MESSAGE = (
    b"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\n"
    b"Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Side:
    """One TlsTransport with what it told."""

    def __init__(self, files: TlsFiles, limits: TcpLimits | None = None) -> None:
        self.messages: list[tuple[bytes, Source]] = []
        self.errors: list[MessageError] = []
        self.failed: list[Outgoing] = []
        self.lost: list[Source] = []
        sock, self.port = bind_tls("127.0.0.1", 0)
        callbacks = TcpCallbacks(
            lambda data, source: self.messages.append((data, source)),
            lambda error, _: self.errors.append(error),
            self.failed.append,
            self.lost.append,
        )
        self.transport = TlsTransport(asyncio.get_running_loop(), sock, callbacks, Credentials(files), limits)

    def send(self, port: int, name: str | None = NAME, flow: Source | None = None) -> None:
        self.transport.send(Outgoing(parse(MESSAGE), MESSAGE, Target("tls", "127.0.0.1", port, flow, name)))


def meet(ours: TlsFiles, theirs: TlsFiles, test: Callable[[Side, Side], Awaitable[None]], limits: TcpLimits) -> None:
    async def main() -> None:
        side, other = Side(ours, limits), Side(theirs, limits)
        await side.transport.listen()
        await other.transport.listen()
        try:
            async with asyncio.timeout(20):
                await test(side, other)
        finally:
            await side.transport.close()
            await other.transport.close()

    asyncio.run(main())


def run(tmp_path: Path, test: Callable[[Side, Side], Awaitable[None]], limits: TcpLimits | None = None) -> None:
    """Both sides with a good certificate for NAME."""
    files = Pki.make(tmp_path).files(NAME)
    meet(files, files, test, limits or TcpLimits())


async def arrives(side: Side, other: Side) -> None:
    side.send(other.port)
    await until(lambda: other.messages)


async def fails(side: Side, other: Side) -> None:
    side.send(other.port)
    await until(lambda: side.failed or side.lost)
    assert other.messages == []


def client(pki: Path, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """A TLS client that is not ours."""
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


async def open_tls(port: int, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=NAME)


async def shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except (ConnectionError, ssl.SSLError):
        pass


# -- whom we talk to --------------------------------------------------------------------------------------------------


def test_a_good_certificate(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        await arrives(side, other)
        (message, source) = other.messages[0]
        assert (message, source.transport, source.server_name) == (MESSAGE, "tls", None)

    run(tmp_path, test)


def test_a_certificate_with_a_sip_uri(tmp_path: Path) -> None:
    files = Pki.make(tmp_path).files(f"sip:{NAME}", "other.example.com")
    meet(files, files, arrives, TcpLimits())


def test_a_trunk_that_is_only_an_address_shows_a_certificate_for_it(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        side.send(other.port, None)
        await until(lambda: other.messages)

    pki = Pki.make(tmp_path)
    meet(pki.files(NAME, file="us"), pki.files("127.0.0.1"), test, TcpLimits())


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (["other.example.com"], {}),
        (["127.0.0.1"], {}),
        ([], {}),
        ([NAME], {"lasts": timedelta(days=-1)}),
        ([NAME], {"self_signed": True}),
    ],
    ids=["wrong name", "only the address", "only a common name", "expired", "self-signed"],
)
def test_nothing_is_sent_to_a_server_that_cannot_show_who_it_is(
    tmp_path: Path, names: list[str], options: dict[str, object]
) -> None:
    pki = Pki.make(tmp_path)
    meet(pki.files(NAME, file="us"), pki.files(*names, **options), fails, TcpLimits())


def test_nothing_is_sent_to_a_server_of_an_authority_that_nobody_knows(tmp_path: Path) -> None:
    stranger = Pki.make(tmp_path / "stranger").files(NAME)
    meet(Pki.make(tmp_path / "ours").files(NAME), stranger, fails, TcpLimits())


def test_the_domain_is_told_in_sni_and_an_address_is_not(tmp_path: Path) -> None:
    told: list[str | None] = []

    async def main() -> None:
        pki = Pki.make(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pki.issue(NAME, "127.0.0.1"))
        context.sni_callback = lambda _socket, name, _context: told.append(name)

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
        side = Side(pki.files(NAME, file="us"))
        for name in (NAME, None):
            side.send(server.sockets[0].getsockname()[1], name)
        await until(lambda: len(told) == 2)
        await until(lambda: len(side.transport._connections) == 2)
        await side.transport.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
    assert told == [NAME, None]


def test_tls_1_1_is_not_spoken(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        old = client(tmp_path)
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await open_tls(side.port, old)
        _, writer = await open_tls(side.port, client(tmp_path))
        assert writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        await shut(writer)

    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        run(tmp_path, test)


# -- whom we let in ---------------------------------------------------------------------------------------------------


def test_a_client_certificate_is_shown_when_it_is_asked_for(tmp_path: Path) -> None:
    pki = Pki.make(tmp_path)
    meet(pki.files(NAME, file="us"), pki.files(NAME, verify_clients=True), arrives, TcpLimits())


def test_a_client_of_another_authority_is_not_let_in_and_its_request_has_failed_at_once(tmp_path: Path) -> None:
    """TLS 1.3: the client takes the connection for made, sends, and learns only then that it was refused."""
    pki, stranger = Pki.make(tmp_path / "ours"), Pki.make(tmp_path / "stranger")
    certificate, key = stranger.issue(NAME)
    meet(TlsFiles(certificate, key, pki.authorities), pki.files(NAME, verify_clients=True), fails, TcpLimits(silent=5))


def test_a_client_without_certificate_is_not_let_in(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        try:
            reader, writer = await open_tls(side.port, client(tmp_path))
            writer.write(MESSAGE)
            assert await reader.read() == b""
            await shut(writer)
        except (ssl.SSLError, ConnectionError):
            pass
        await until(lambda: not side.transport._shaking)
        assert side.messages == []
        _, writer = await open_tls(side.port, client(tmp_path, (tmp_path / "server.pem", tmp_path / "server.key")))
        writer.write(MESSAGE)
        await until(lambda: side.messages)
        await shut(writer)

    files = Pki.make(tmp_path).files(NAME, verify_clients=True)
    meet(files, files, test, TcpLimits())


# -- the stream -------------------------------------------------------------------------------------------------------


def test_a_message_may_come_byte_by_byte_and_pings_are_answered(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        reader, writer = await open_tls(side.port, client(tmp_path))
        stream = MESSAGE + PING + MESSAGE
        for at in range(len(stream)):
            writer.write(stream[at : at + 1])
            await writer.drain()
        assert await reader.readexactly(2) == PONG
        await until(lambda: len(side.messages) == 2)
        assert [data for data, _ in side.messages] == [MESSAGE, MESSAGE]
        await shut(writer)

    run(tmp_path, test)


def test_what_is_no_message_is_told_and_closed(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        reader, writer = await open_tls(side.port, client(tmp_path))
        writer.write(MESSAGE.replace(b"Content-Length: 0\r\n", b""))
        assert await reader.read() == b""
        assert len(side.errors) == 1
        await shut(writer)

    run(tmp_path, test)


def test_connections_are_used_again_and_one_domain_does_not_travel_with_another(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        for name in (NAME, NAME, "b.example.com"):
            side.send(other.port, name)
        await until(lambda: len(other.messages) == 3)
        first, second, third = (source for _, source in other.messages)
        assert first == second != third
        # An answer, and a request of a dialog, go back over the connection that is there.
        other.send(9, None, first)
        await until(lambda: side.messages)
        assert side.messages[0][1] == Source("tls", "127.0.0.1", other.port, NAME)

    files = Pki.make(tmp_path).files(NAME, "b.example.com")
    meet(files, files, test, TcpLimits())


def test_our_connections_are_pinged_and_a_pong_disturbs_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        pki = Pki.make(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pki.issue(NAME))

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readexactly(len(MESSAGE)) == MESSAGE
            for _ in range(2):
                assert await reader.readexactly(len(PING)) == PING
                writer.write(PONG)
            writer.write(MESSAGE)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
        side = Side(pki.files(NAME, file="us"), TcpLimits(ping=0.02))
        side.send(server.sockets[0].getsockname()[1])
        await until(lambda: side.messages)
        assert side.messages[0][0] == MESSAGE
        assert side.errors == side.failed == side.lost == []
        await side.transport.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


# -- limits -----------------------------------------------------------------------------------------------------------


def test_a_handshake_that_is_never_finished_ends(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        await shut(writer)
        await until(lambda: not side.transport._tasks - {side.transport._accepting})

    run(tmp_path, test, TcpLimits(handshake=0.1))


def test_a_host_may_have_few_unfinished_handshakes_and_gets_on_once_they_are_done(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", side.port) for _ in range(2)]
        await until(lambda: side.transport._shaking["127.0.0.1"] == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
        assert await reader.read() == b""
        for _, each in (*silent, (reader, writer)):
            await shut(each)
        await until(lambda: not side.transport._shaking)
        _, writer = await open_tls(side.port, client(tmp_path))
        writer.write(MESSAGE)
        await until(lambda: side.messages)
        await shut(writer)

    run(tmp_path, test, TcpLimits(handshakes_per_host=2))


def test_of_many_unfinished_handshakes_the_oldest_makes_room(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        oldest, oldest_writer = await asyncio.open_connection("127.0.0.1", side.port)
        await until(lambda: side.transport._shaking)
        _, next_writer = await asyncio.open_connection("127.0.0.1", side.port)
        async with asyncio.timeout(2):
            assert await oldest.read() == b""
        _, writer = await open_tls(side.port, client(tmp_path))
        writer.write(MESSAGE)
        await until(lambda: side.messages)
        for each in (oldest_writer, next_writer, writer):
            await shut(each)

    run(tmp_path, test, TcpLimits(handshakes=1, handshake=30))


def test_a_peer_that_says_nothing_after_its_handshake_is_closed(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        reader, writer = await open_tls(side.port, client(tmp_path))
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        await shut(writer)

    run(tmp_path, test, TcpLimits(silent=0.1))


def test_a_peer_that_has_long_said_nothing_is_closed(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        reader, writer = await open_tls(side.port, client(tmp_path))
        writer.write(MESSAGE)
        await until(lambda: side.messages)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        await shut(writer)

    run(tmp_path, test, TcpLimits(silent=0.05, idle=0.2))


def test_garbage_instead_of_a_handshake_costs_nothing(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        for garbage in (b"\x00" * 4096, MESSAGE, b"\x16\x03\x01\xff\xff"):
            with socket.create_connection(("127.0.0.1", side.port)) as sock:
                sock.sendall(garbage)
        await until(lambda: not side.transport._shaking)
        await arrives(other, side)

    run(tmp_path, test)


def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        side.send(port)
        side.send(port, "a." + "b" * 70 + ".example")
        await until(lambda: len(side.failed) == 2)

    run(tmp_path, test)


# -- renewal ----------------------------------------------------------------------------------------------------------


def serial(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    return str(certificate["serialNumber"])


def test_renewed_files_are_used_by_new_connections_and_open_ones_stay(tmp_path: Path) -> None:
    pki = Pki.make(tmp_path)

    async def test(side: Side, other: Side) -> None:
        context = client(tmp_path)
        _, before = await open_tls(side.port, context)
        old_key = (tmp_path / "server.key").read_bytes()
        pki.issue(NAME, lasts=2 * DAY)
        new_key = (tmp_path / "server.key").read_bytes()
        # In the middle of a renewal certificate and key do not belong together: the old pair is still good.
        (tmp_path / "server.key").write_bytes(old_key)
        _, between = await open_tls(side.port, context)
        assert serial(between) == serial(before)
        (tmp_path / "server.key").write_bytes(new_key)
        os.utime(tmp_path / "server.key", (1, 1))
        _, after = await open_tls(side.port, context)
        assert serial(after) != serial(before)
        before.write(MESSAGE)
        await until(lambda: side.messages)
        for each in (before, between, after):
            await shut(each)

    files = pki.files(NAME)
    meet(files, files, test, TcpLimits())


def test_authorities_are_read_again_too(tmp_path: Path) -> None:
    async def test(side: Side, other: Side) -> None:
        await fails(side, other)
        (tmp_path / "ours" / "ca.pem").write_bytes((tmp_path / "theirs" / "ca.pem").read_bytes())
        await arrives(side, other)

    meet(Pki.make(tmp_path / "ours").files(NAME), Pki.make(tmp_path / "theirs").files(NAME), test, TcpLimits())


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    pki = Pki.make(tmp_path)
    certificate, key = pki.issue(NAME)
    other, _ = pki.issue(NAME, file="other")
    with pytest.raises(OSError, match=r"other\.pem: KEY_VALUES_MISMATCH"):
        Credentials(TlsFiles(other, key))
    with pytest.raises(OSError, match=r"absent\.pem"):
        Credentials(TlsFiles(tmp_path / "absent.pem", key))
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(OSError, match=r"junk\.pem"):
        Credentials(TlsFiles(certificate, key, tmp_path / "junk.pem"))
