"""Guard, tap and endpoint together on real sockets: what a stranger gets, and what he does not."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from sipserver.guard import Policy, SourceGuard
from sipserver.legs import Leg, Source
from sipserver.protocols import Trunk
from sipserver.trace.wiretap import Wiretap
from sipserver.useragent.endpoint import SipEndpoint
from sipserver.wire import GuardedWire
from tests.sipserver.call.fakes import TRUNK, FakeDirectory


class House:
    """An endpoint behind guard and tap, and a peer."""

    def __init__(self, known: bool) -> None:
        self.directory = FakeDirectory({"127.0.0.1": (TRUNK,)} if known else {})
        clock = asyncio.get_running_loop().time
        self.guard = SourceGuard(self.directory, clock, Policy(stranger=100))
        self.tap = Wiretap(lambda: 0, clock, lambda _: ("127.0.0.1", 5060), self.guard.knows, level="warning")
        wire = GuardedWire(self.guard, self.tap)
        self.endpoint = SipEndpoint("127.0.0.1", 0, transports=("udp",), guard=self.guard, wire=wire)
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.1", 0))
        self.peer.setblocking(False)

    async def ask(self, method: str, user: str, agent: str = "PBX") -> bytes:
        self.say(method, user, agent)
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self.peer, 65535)

    def say(self, method: str, user: str, agent: str) -> None:
        host, port = self.peer.getsockname()
        self.peer.sendto(
            f"{method} sip:{user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK1;rport\r\n"
            f"From: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n"
            f"Max-Forwards: 70\r\nContact: <sip:x@{host}:{port}>\r\nUser-Agent: {agent}\r\nContent-Length: 0\r\n\r\n".encode(),
            ("127.0.0.1", self.endpoint.port),
        )


@asynccontextmanager
async def house(known: bool = False) -> AsyncIterator[House]:
    async def refuse(leg: Leg) -> None:
        leg.reject(486)

    made = House(known)
    await made.endpoint.start(refuse)
    try:
        yield made
    finally:
        await made.endpoint.stop()
        made.peer.close()


METHODS = ("INVITE", "OPTIONS", "REGISTER", "BYE", "MESSAGE", "NONSENSE")


def test_a_stranger_gets_the_same_answer_whomever_and_whatever_he_asks() -> None:
    async def scene() -> Sequence[bytes]:
        async with house() as made:
            return [await made.ask(method, user) for method in METHODS for user in ("12025550100", "nobody")]

    answers = asyncio.run(scene())
    alike = {re.sub(rb"CSeq: 1 \w+|nobody|12025550100|tag=[0-9a-f]{16}", b"", answer) for answer in answers}
    assert len(alike) == 1
    assert alike.pop().startswith(b"SIP/2.0 403 Forbidden\r\n")


def test_a_scanner_gets_nothing_and_then_nothing_again() -> None:
    async def scene() -> None:
        async with house() as made:
            made.say("OPTIONS", "100", "friendly-scanner")
            made.say("OPTIONS", "100", "PBX")
            made.directory.trunks["127.0.0.1"] = ()
            async with asyncio.timeout(10):
                while made.guard.counters["banned"] < 2:  # noqa: ASYNC110 (the kernel sets no asyncio.Event)
                    await asyncio.sleep(0.01)
            with pytest.raises(BlockingIOError):
                made.peer.recv(65535)
            assert made.tap.messages.total() == 0
            assert made.endpoint.counters.total() == 0, "not even parsed"

    asyncio.run(scene())


def test_a_trunk_is_heard_and_its_messages_are_counted() -> None:
    async def scene() -> None:
        async with house(known=True) as made:
            assert (await made.ask("OPTIONS", "100", "friendly-scanner")).startswith(b"SIP/2.0 200")
            assert made.tap.messages == {("<", "OPTIONS"): 1, (">", "2xx"): 1}

    asyncio.run(scene())


def test_whom_we_ask_is_heard_but_not_let_in() -> None:
    async def scene() -> None:
        async with house() as made:
            host, port = made.peer.getsockname()
            trunk = Trunk("t", "o", "ip_allowlist", host, port)
            asking = asyncio.create_task(made.endpoint.options(trunk, 10))
            async with asyncio.timeout(10):
                await asyncio.get_running_loop().sock_recv(made.peer, 65535)
            asking.cancel()
            assert made.guard.knows(host)
            assert made.guard.hears(b"x", Source("udp", host, port))
            assert (await made.ask("INVITE", "100")).startswith(b"SIP/2.0 403")

    asyncio.run(scene())
