"""Kamailio as registrar and proxy: we register, are rung through it, call through it, and are gone when we leave."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sipserver.demo.node import DemoNode, free_port
from sipserver.demo.phone import Phone
from sipserver.message import Request, Response
from tests.acceptance.house import until
from tests.sipserver.transport.pki import Pki

KAMAILIO = shutil.which("kamailio")
pytestmark = [pytest.mark.peer, pytest.mark.skipif(KAMAILIO is None, reason="kamailio is not installed")]

USER, SECRET = "line-4711", "correct horse"
NUMBER, FAR = "+12025550100", "+12025550199"
GRANTED = 12
TEMPLATE = Path(__file__).with_name("kamailio.cfg")
AGENT = {
    "name": "Desk",
    "firstSpeaker": "agent",
    "agentGreetingEnabled": True,
    "agentGreeting": "Good morning. This is the desk.",
    "languageHint": "en",
    "script": {
        "start": "hello",
        "steps": {"hello": {"say": "How can I help you?", "listen": [{"dtmf": "1", "go": "hello"}]}},
    },
}
variants = pytest.mark.parametrize(
    ("algorithm", "transport", "through_proxy"),
    [
        ("MD5", "udp", False),
        ("MD5", "tcp", True),
        ("SHA-256", "udp", True),
        ("SHA-256", "tcp", False),
        ("SHA-256", "tls", True),
    ],
)


@dataclass(slots=True)
class Registrar:
    """A running Kamailio and what it wrote."""

    port: int
    tls_port: int
    log: Path

    def bindings(self) -> list[int]:
        """How many bindings the user had after each REGISTER that passed."""
        return [int(found) for found in re.findall(rf"location of {USER}: (\d+)", self.log.read_text())]

    def fields(self, transport: str, through_proxy: bool) -> dict[str, Any]:
        """The SIP fields of a number that registers here."""
        port = self.tls_port if transport == "tls" else self.port
        place: dict[str, Any] = {"sipProxy": "127.0.0.1", "sipPort": port}
        if through_proxy:
            place = {"sipProxy": "sip.test", "sipOutboundProxy": f"127.0.0.1:{port}"}
        account = {"sipUsername": USER, "sipPassword": SECRET, "sipRegisterTransport": transport}
        return {"number": NUMBER, "sipMode": "registration", **account, **place}


@asynccontextmanager
async def kamailio(
    folder: Path, algorithm: str, site: Site, port: int | None = None, tls: int | None = None
) -> AsyncIterator[Registrar]:
    """Kamailio on a free port of the loopback, ended by the id of its own process. Calls from the telephone need no password."""
    assert KAMAILIO is not None
    folder.mkdir()
    registrar = Registrar(port or free_port(), tls or free_port(), folder / "log")
    text = TEMPLATE.read_text()
    filled = {
        "PORT": registrar.port, "TLS": registrar.tls_port, "KEYS": site.keys, "ALGORITHM": algorithm,
        "CALLER": site.phone.port, "MAXIMUM": GRANTED,
    }  # fmt: skip
    for name, value in filled.items():
        text = text.replace(f"@{name}@", str(value))
    (folder / "kamailio.cfg").write_text(text.replace('modparam("auth", "algorithm", "MD5")\n', ""))
    with registrar.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            KAMAILIO, "-f", str(folder / "kamailio.cfg"), "-DD", "-E", "-m", "64", "-M", "8",
            "-Y", str(folder), "-w", str(folder), stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    try:
        await until(lambda: _listens(registrar.port, process, registrar.log), "kamailio listens")
        yield registrar
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int, process: asyncio.subprocess.Process, log: Path) -> bool:
    assert process.returncode is None, log.read_text()[-2000:]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@dataclass(slots=True)
class Site:
    """Our server with an agent, and the telephone that stands for the network behind the proxy."""

    node: DemoNode
    phone: Phone
    keys: Path
    agent: str
    messages: list[tuple[str, Request | Response]]

    async def number(self, fields: dict[str, Any]) -> str:
        """A number that registers, and is registered."""
        made = await self.node.post("/v1/phone-numbers", {"agentId": self.agent, **fields})
        assert made["registration"]["status"] == "registering"
        await until(lambda: self.has_status(made["id"], "registered"), "the number is registered")
        return str(made["id"])

    async def trunk(self, fields: dict[str, Any]) -> str:
        """The same for a trunk without numbers."""
        made = await self.node.post("/v1/trunks", fields)

        async def registered() -> bool:
            found = await self.node.get(f"/v1/trunks/{made['id']}")
            return bool(found["registration"]["status"] == "registered")

        await until(registered, "the trunk is registered")
        return str(made["id"])

    async def registration(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.node.get(f"/v1/phone-numbers/{number}"))["registration"]
        return found

    async def has_status(self, number: str, status: str) -> bool:
        return bool((await self.registration(number))["status"] == status)

    async def delete(self, number: str) -> None:
        assert self.node.http is not None
        (await self.node.http.delete(f"/v1/phone-numbers/{number}")).raise_for_status()

    async def delete_trunk(self, trunk: str) -> None:
        assert self.node.http is not None
        (await self.node.http.delete(f"/v1/trunks/{trunk}")).raise_for_status()

    async def clear(self) -> None:
        """No numbers: what a test that failed left is not in the way of the next one."""
        for number in await self.node.get("/v1/phone-numbers"):
            await self.delete(number["id"])


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as shared:
        yield shared


@asynccontextmanager
async def _site(folder: Path) -> AsyncIterator[Site]:
    messages: list[tuple[str, Request | Response]] = []
    pki = Pki.make(folder / "keys")
    pki.issue("127.0.0.1", "sip.test", file="kamailio")
    certificate, key = pki.issue("127.0.0.1", file="ours")
    environment = {
        "ANTIPHON__STT__DECODERS": "1",
        "ANTIPHON__MEDIA__PROCESSES": "1",
        "ANTIPHON__SIP__TLS_BIND": f"127.0.0.1:{free_port()}",
        "ANTIPHON__SIP__TLS_CERTIFICATE": str(certificate),
        "ANTIPHON__SIP__TLS_KEY": str(key),
        "ANTIPHON__SIP__TLS_CA": str(pki.authorities),
    }
    async with (
        Phone(tap=lambda _id, direction, message: messages.append((direction, message))) as phone,
        DemoNode(folder / "data", environment) as node,
    ):
        made = await node.post("/v1/agents", AGENT)
        yield Site(node, phone, pki.folder, made["id"], messages)


@pytest.fixture(scope="module")
def lasting_site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    context = _site(tmp_path_factory.mktemp("site"))
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def site(runner: asyncio.Runner, lasting_site: Site) -> Site:
    runner.run(lasting_site.clear())
    return lasting_site


@variants
def test_a_trunk_that_registers(
    runner: asyncio.Runner, site: Site, tmp_path: Path, algorithm: str, transport: str, through_proxy: bool
) -> None:
    async def test() -> None:
        async with kamailio(tmp_path / "kamailio", algorithm, site) as registrar:
            number = await site.number(registrar.fields(transport, through_proxy))
            assert registrar.bindings() == [1]
            await _is_rung(site, registrar, number, transport)
            await _calls(site, number)
            await until(lambda: len(registrar.bindings()) > 1, "the registration is refreshed", GRANTED)
            assert set(registrar.bindings()) == {1}
            await site.delete(number)
            await until(lambda: registrar.bindings()[-1] == 0, "the binding is removed")

    runner.run(test())


async def _is_rung(site: Site, registrar: Registrar, number: str, transport: str) -> None:
    """From the network through the proxy to our Contact; over TCP and TLS the proxy records itself on both sides."""
    site.messages.clear()
    call = await site.phone.ring(("127.0.0.1", registrar.port), USER, "+12025550123")
    await call.line.agent_begins(20)
    answer = next(
        message for direction, message in site.messages
        if direction == "<" and isinstance(message, Response) and message.status == 200
    )  # fmt: skip
    assert len(answer.record_routes) == (1 if transport == "udp" else 2)
    await call.close()
    found = await until(lambda: _ended(site, "inbound"), "the inbound call has ended")
    assert (found["customerNumber"], found["phoneNumberId"]) == ("+12025550123", number)
    assert found["endedReason"] == "customer_ended"


async def _calls(site: Site, number: str) -> None:
    """To the network through the proxy, which wants credentials for the INVITE."""
    await site.node.post("/v1/calls", {"agentId": site.agent, "phoneNumberId": number, "to": FAR})
    call = await site.phone.take(20)
    await call.line.agent_begins(20)
    await call.close()
    found = await until(lambda: _ended(site, "outbound"), "the outbound call has ended")
    assert (found["status"], found["endedReason"]) == ("completed", "customer_ended")


async def _ended(site: Site, direction: str) -> dict[str, Any] | None:
    """The newest call of this direction when it is final."""
    found = await site.node.get(f"/v1/calls?direction={direction}&limit=1")
    return found[0] if found and found[0]["status"] in ("completed", "failed", "no_answer") else None


def test_a_wrong_password_is_told_and_not_tried_again_soon(runner: asyncio.Runner, site: Site, tmp_path: Path) -> None:
    async def test() -> None:
        async with kamailio(tmp_path / "kamailio", "MD5", site) as registrar:
            fields = {**registrar.fields("udp", False), "sipPassword": "battery staple", "agentId": site.agent}
            number = (await site.node.post("/v1/phone-numbers", fields))["id"]
            await until(lambda: site.has_status(number, "failed"), "the registration has failed")
            assert (await site.registration(number))["lastError"] == "401 Unauthorized"
            assert site.node.http is not None
            patched = await site.node.http.patch(f"/v1/phone-numbers/{number}", json={"sipPassword": SECRET})
            patched.raise_for_status()
            await until(lambda: site.has_status(number, "registered"), "the new password is used at once")
            await site.delete(number)
            await until(lambda: registrar.bindings() == [1, 0], "the binding is removed")

    runner.run(test())


def test_a_proxy_that_restarts_gets_the_registration_again(runner: asyncio.Runner, site: Site, tmp_path: Path) -> None:
    async def test() -> None:
        async with kamailio(tmp_path / "first", "MD5", site) as first:
            number = await site.number(first.fields("tcp", False))
        await until(lambda: site.has_status(number, "failed"), "the lost connection is noticed", 10)
        assert (await site.registration(number))["expiresAt"] is None
        async with kamailio(tmp_path / "second", "MD5", site, first.port) as second:
            await until(lambda: site.has_status(number, "registered"), "the new proxy has the registration", 30)
            assert second.bindings() == [1]
            await site.delete(number)

    runner.run(test())


def test_another_host_of_the_trunk_takes_the_registration(runner: asyncio.Runner, site: Site, tmp_path: Path) -> None:
    """Nobody listens at the first; the second has the same users. The connection's flow is named to it (RFC 5626)."""

    async def test() -> None:
        async with kamailio(tmp_path / "kamailio", "SHA-256", site) as registrar:
            account = {"name": "Two", "sipMode": "registration", "sipUsername": USER, "sipPassword": SECRET}
            place = {"sipProxy": "127.0.0.2", "sipPort": registrar.port, "failoverHosts": ["127.0.0.1"]}
            trunk = await site.trunk({**account, **place, "transport": "tcp"})
            assert registrar.bindings() == [1]
            assert ";reg-id=1 expires=" in registrar.log.read_text()
            await site.delete_trunk(trunk)
            await until(lambda: registrar.bindings() == [1, 0], "the binding is removed")

    runner.run(test())


def test_a_server_that_stops_unregisters(runner: asyncio.Runner, site: Site, tmp_path: Path) -> None:
    """The last of this module: the server ends here."""

    async def test() -> None:
        async with kamailio(tmp_path / "kamailio", "SHA-256", site) as registrar:
            await site.number(registrar.fields("tcp", False))
            site.node.signal(signal.SIGTERM)
            assert await site.node.wait() == 0
            assert registrar.bindings()[0] == 1
            assert registrar.bindings()[-1] == 0

    runner.run(test())
