"""Calls over TLS: two endpoints of ours, and Kamailio and OpenSSL as independent peers."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sipserver.legs import Answered, Ended, Invitation, Leg, LegEvent, Progress, Refused, Source
from sipserver.message import Request, Response
from sipserver.protocols import Trunk
from sipserver.transport.credentials import TlsFiles
from sipserver.useragent import SipEndpoint, TlsFace
from tests.sipserver.transcripts import ANSWER, OFFER, Everybody
from tests.sipserver.transport.pki import Pki
from tests.sipserver.waiting import until

KAMAILIO, OPENSSL = shutil.which("kamailio"), shutil.which("openssl")
KAMAILIO_CONFIG = """
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
enable_tls=yes
listen=udp:127.0.0.1:{udp}
listen=tls:127.0.0.1:{tls}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{folder}/server.pem")
modparam("tls", "private_key", "{folder}/server.key")
modparam("tls", "ca_list", "{folder}/ca.pem")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (has_totag()) {{ loose_route(); t_relay(); exit; }}
  if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
  if (is_method("INVITE")) {{ record_route(); $du = "sip:127.0.0.1:{callee}"; }}
  t_relay();
}}
"""


class Wire:
    """What passed, as the ladder shows it."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Request | Response]] = []

    def tap(self, call_id: str, direction: str, message: Request | Response) -> None:
        self.messages.append((direction, message))

    def first(self, what: str) -> Request | Response:
        """The first message of a kind: `INVITE`, `200`."""
        return next(message for _, message in self.messages if what == _kind(message))


def _kind(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else str(message.status)


def endpoint(files: TlsFiles, wire: Wire, advertised: str | None = None) -> SipEndpoint:
    face = TlsFace("127.0.0.1", 0, files, advertised)
    return SipEndpoint("127.0.0.1", 0, tls=face, guard=Everybody(), tap=wire.tap)


async def nobody(leg: Leg) -> None:
    leg.reject(404)


def trunk_to(port: int, host: str = "localhost") -> Trunk:
    return Trunk("t", "o", "ip_allowlist", host, port, "tls")


def meet(
    tmp_path: Path,
    on_invite: Callable[[Leg], Awaitable[None]],
    test: Callable[[SipEndpoint, SipEndpoint, Wire], Awaitable[None]],
) -> None:
    """A calling endpoint that is `caller.example.com` and a called one that is `localhost`."""
    pki, wire = Pki.make(tmp_path), Wire()

    async def main() -> None:
        caller = endpoint(pki.files("caller.example.com", file="caller"), wire, "caller.example.com")
        callee = endpoint(pki.files("localhost"), Wire())
        await caller.start(nobody)
        await callee.start(on_invite)
        try:
            async with asyncio.timeout(20):
                await test(caller, callee, wire)
        finally:
            await caller.stop()
            await callee.stop()

    asyncio.run(main())


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_whole_call_runs_over_one_connection_and_says_tls_everywhere(tmp_path: Path, who: str) -> None:
    sources: list[Source | None] = []
    heard: list[LegEvent] = []

    async def answer(leg: Leg) -> None:
        sources.append(leg.source)
        leg.ring()
        leg.answer(ANSWER)
        async for event in leg.events():
            heard.append(event)
            if isinstance(event, Answered) and who == "callee":
                leg.hang_up()

    async def test(caller: SipEndpoint, callee: SipEndpoint, wire: Wire) -> None:
        assert callee.tls_port is not None
        leg = caller.invite(Invitation(trunk_to(callee.tls_port), "100", "200", OFFER))
        events = leg.events()
        ringing = await anext(events)
        assert isinstance(ringing, Progress)
        assert (ringing.status, ringing.reason, ringing.sdp) == (180, "Ringing", None)
        assert await anext(events) == Answered(ANSWER)
        if who == "caller":
            leg.hang_up()
            await until(lambda: Ended("bye") in heard)
        else:
            assert await anext(events) == Ended("bye")
        invite, answer = wire.first("INVITE"), wire.first("200")
        assert (invite.via.transport, invite.via.host, invite.via.port) == (
            "TLS",
            "caller.example.com",
            caller.tls_port,
        )
        assert invite.contacts[0].uri == f"sip:200@caller.example.com:{caller.tls_port};transport=tls"
        assert answer.contacts[0].uri == f"sip:100@127.0.0.1:{callee.tls_port};transport=tls"
        assert sources[0] is not None
        assert sources[0].transport == "tls"
        # The Contact is an address that no certificate speaks for, and nothing had to be connected anew.
        streams = (caller._sockets._streams["tls"], callee._sockets._streams["tls"])
        assert [len(stream._connections) for stream in streams] == [1, 1]

    meet(tmp_path, answer, test)


def test_a_trunk_that_turns_out_to_be_somebody_else_is_refused(tmp_path: Path) -> None:
    async def test(caller: SipEndpoint, callee: SipEndpoint, wire: Wire) -> None:
        assert callee.tls_port is not None
        leg = caller.invite(Invitation(trunk_to(callee.tls_port, "127.0.0.1"), "100", "200", OFFER))
        assert [event async for event in leg.events()] == [Refused(503, "The transport failed")]

    meet(tmp_path, nobody, test)


def test_behind_a_proxy_that_is_only_an_address_the_trunks_name_counts(tmp_path: Path) -> None:
    async def test(caller: SipEndpoint, callee: SipEndpoint, wire: Wire) -> None:
        trunk = Trunk("t", "o", "ip_allowlist", "localhost", 5061, "tls", outbound_proxy=f"127.0.0.1:{callee.tls_port}")
        answer = await caller.options(trunk, 5)
        assert answer is not None
        assert answer.status == 200

    meet(tmp_path, nobody, test)


def test_a_connection_that_is_gone_is_made_again(tmp_path: Path) -> None:
    async def test(caller: SipEndpoint, callee: SipEndpoint, wire: Wire) -> None:
        assert callee.tls_port is not None
        for _ in range(2):
            answer = await caller.options(trunk_to(callee.tls_port), 5)
            assert answer is not None
            assert answer.status == 200
            for connection in tuple(callee._sockets._streams["tls"]._connections.values()):
                connection.close()
            await until(lambda: not caller._sockets._streams["tls"]._connections)

    meet(tmp_path, nobody, test)


def test_no_tls_without_its_files(tmp_path: Path) -> None:
    async def main() -> None:
        files = TlsFiles(tmp_path / "absent.pem", tmp_path / "absent.key")
        with pytest.raises(OSError, match=r"absent\.pem"):
            await endpoint(files, Wire()).start(nobody)

    asyncio.run(main())


def test_a_tls_port_in_use_is_an_error_and_leaves_nothing_open(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            face = TlsFace("127.0.0.1", taken.getsockname()[1], Pki.make(tmp_path).files("localhost"))
            with pytest.raises(OSError):
                await SipEndpoint("127.0.0.1", 0, tls=face, guard=Everybody()).start(nobody)

    asyncio.run(main())


# -- real peers -------------------------------------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_openssl_asks_for_options(tmp_path: Path) -> None:
    async def main() -> None:
        pki = Pki.make(tmp_path)
        server = endpoint(pki.files("sip.example.com"), Wire(), "sip.example.com")
        await server.start(nobody)
        request = (
            "OPTIONS sips:sip.example.com SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKo;rport\r\n"
            "From: <sip:o@example.com>;tag=1\r\nTo: <sips:sip.example.com>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n"
            "Max-Forwards: 70\r\nContact: <sips:o@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
        )
        arguments = f"s_client -quiet -connect 127.0.0.1:{server.tls_port} -servername sip.example.com -CAfile {tmp_path}/ca.pem"
        arguments += " -verify_return_error -verify_hostname sip.example.com"
        peer = await asyncio.create_subprocess_exec(
            str(OPENSSL), *arguments.split(), stdin=-1, stdout=-1, stderr=asyncio.subprocess.DEVNULL
        )
        assert peer.stdin is not None
        assert peer.stdout is not None
        peer.stdin.write(request.encode())
        async with asyncio.timeout(10):
            answer = (await peer.stdout.readuntil(b"\r\n\r\n")).decode()
        assert answer.startswith("SIP/2.0 200 OK\r\n")
        # A request to a sips: URI is told a Contact that is one, too (RFC 3261 section 12.1.1).
        assert f"Contact: <sips:sip.example.com:{server.tls_port}>" in answer
        peer.terminate()
        await peer.communicate()
        await server.stop()

    asyncio.run(main())


@pytest.mark.peer
@pytest.mark.skipif(KAMAILIO is None, reason="kamailio is not installed")
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_through_kamailio_from_tls_to_udp_and_back(tmp_path: Path, who: str) -> None:
    """Two Record-Route lines, for the proxy changes the transport; it asks for our certificate, too."""
    ended: list[LegEvent] = []

    async def answer(leg: Leg) -> None:
        leg.answer(ANSWER)
        async for event in leg.events():
            ended.append(event)
            if isinstance(event, Answered) and who == "callee":
                leg.hang_up()

    async def main() -> None:
        pki, wire = Pki.make(tmp_path), Wire()
        pki.issue("localhost")
        caller = endpoint(pki.files("caller.example.com", file="caller"), wire)
        callee = SipEndpoint("127.0.0.1", 0, guard=Everybody())
        await caller.start(nobody)
        await callee.start(answer)
        udp, tls = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        (tmp_path / "kamailio.cfg").write_text(
            KAMAILIO_CONFIG.format(udp=udp, tls=tls, folder=tmp_path, callee=callee.port)
        )
        peer = await asyncio.create_subprocess_exec(
            *(str(KAMAILIO), "-f", f"{tmp_path}/kamailio.cfg", "-DD", "-E", "-m", "64", "-M", "8"),
            *("-Y", str(tmp_path), "-w", str(tmp_path)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(30):
                await listening(tls)
                leg = caller.invite(Invitation(trunk_to(tls), "100", "200", OFFER))
                events = leg.events()
                assert isinstance(await anext(events), Answered)
                if who == "caller":
                    leg.hang_up()
                    await until(lambda: Ended("bye") in ended)
                else:
                    assert await anext(events) == Ended("bye")
            assert len(wire.first("200").record_routes) == 2
            assert all("r2=on" in route for route in wire.first("200").record_routes)
            await until(lambda: wire.messages[-1][1].cseq.method == "BYE" and _kind(wire.messages[-1][1]) == "200")
            # The proxy connects to our Contact for requests of its own; ours all go over the one that we made.
            assert [flow.server_name for flow in caller._sockets._streams["tls"]._connections].count("localhost") == 1
        finally:
            peer.terminate()
            await peer.wait()
            await caller.stop()
            await callee.stop()

    asyncio.run(main())


async def listening(port: int) -> None:
    """Until somebody takes connections there."""

    def is_taken() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    await until(is_taken)


def free_port(kind: socket.SocketKind) -> int:
    """For a peer that cannot be told to find one itself."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
