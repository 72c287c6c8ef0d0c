"""Two nodes on real sockets: what one dials the other takes. Endpoints, dialogs and SDP are the real ones, media are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from media.frames import RtpRemote
from sipserver.guard import SourceGuard
from sipserver.inbound import Manners
from sipserver.legs import LadderTap
from sipserver.protocols import AgentDirectory, ConversationEnd, EndedReason, LiveCall, Trunk
from sipserver.useragent.endpoint import SipEndpoint
from tests.sipserver.call.fakes import AT_ONCE, CALLEE, TRUNK, Stage, silence


class Node:
    """A stage whose endpoint is real."""

    def __init__(self, manners: Manners = AT_ONCE) -> None:
        self.stage = Stage(manners=manners, make_endpoint=self._endpoint)

    def _endpoint(self, directory: AgentDirectory, tap: LadderTap) -> SipEndpoint:
        guard = SourceGuard(directory, asyncio.get_running_loop().time)
        self.endpoint = SipEndpoint("127.0.0.1", 0, transports=("udp",), guard=guard, tap=tap)
        return self.endpoint

    def trunk(self) -> Trunk:
        """The way to this node."""
        return replace(TRUNK, host="127.0.0.1", port=self.endpoint.port)


@asynccontextmanager
async def two_nodes(manners: Manners = AT_ONCE, known: bool = True) -> AsyncIterator[tuple[Node, Node]]:
    """One that dials and one that is rung; the second knows the first, or not."""
    dialling, rung = Node(), Node(manners)
    if known:
        rung.stage.directory.trunks["127.0.0.1"] = (TRUNK,)
    for node in (dialling, rung):
        await node.stage.calls.start()
    try:
        yield dialling, rung
    finally:
        for node in (dialling, rung):
            await node.stage.calls.stop()
            await node.endpoint.stop()


async def goodbye(call: LiveCall) -> ConversationEnd:
    return ConversationEnd(EndedReason.AGENT_ENDED)


def test_a_call_that_the_rung_agent_ends() -> None:
    async def scene() -> None:
        async with two_nodes() as (dialling, rung):
            rung.stage.conversations.talk = goodbye
            await dialling.stage.dial(to=CALLEE, trunk=rung.trunk())
            await rung.stage.calls.idle()
            assert dialling.stage.end("out") == ("completed", "customer_ended")
            assert rung.stage.end() == ("completed", "agent_ended")
            for node in (dialling, rung):
                [(_, remote, _, _)] = node.stage.media.connections
                assert remote == RtpRemote("192.0.2.1", 20000, None)
            assert rung.stage.log.begun["call-1"].customer_number == CALLEE
            assert rung.stage.log.begun["call-1"].sip_call_id in rung.stage.log.told["call-1"][1]

    asyncio.run(scene())


def test_a_call_that_the_dialling_agent_ends() -> None:
    async def scene() -> None:
        async with two_nodes() as (dialling, rung):
            dialling.stage.conversations.talk = goodbye
            rung.stage.conversations.talk = silence
            await dialling.stage.dial(to=CALLEE, trunk=rung.trunk())
            await rung.stage.calls.idle()
            assert dialling.stage.end("out") == ("completed", "agent_ended")
            assert rung.stage.end() == ("completed", "customer_ended")
            ladder = [
                f"{e.data['direction']} {e.data['summary'].split()[0]}"
                for c, e in rung.stage.log.published
                if c == "call-1"
            ]
            assert [rung for rung in ladder if rung != "> 100"][:4] == ["< INVITE", "> 180", "> 200", "< ACK"]
            assert "< BYE" in ladder

    asyncio.run(scene())


def test_an_unknown_number_is_404_over_the_wire() -> None:
    async def scene() -> None:
        async with two_nodes() as (dialling, rung):
            await dialling.stage.dial(to="+12025550199", trunk=rung.trunk())
            assert dialling.stage.end("out") == ("failed", "invalid_number")
            assert dialling.stage.log.ends["out"].sip_code == 404
            assert not rung.stage.log.begun

    asyncio.run(scene())


def test_an_unknown_source_is_403_and_makes_nothing() -> None:
    async def scene() -> None:
        async with two_nodes(known=False) as (dialling, rung):
            await dialling.stage.dial(to=CALLEE, trunk=rung.trunk())
            assert dialling.stage.end("out") == ("failed", "rejected")
            assert dialling.stage.log.ends["out"].sip_code == 403
            assert rung.stage.directory.asked == []

    asyncio.run(scene())


def test_a_draining_node_is_503() -> None:
    async def scene() -> None:
        async with two_nodes() as (dialling, rung):
            rung.stage.calls.drain()
            await dialling.stage.dial(to=CALLEE, trunk=rung.trunk())
            assert dialling.stage.end("out") == ("failed", "trunk_unavailable")

    asyncio.run(scene())


def test_hang_up_while_it_rings_cancels() -> None:
    async def scene() -> None:
        async with two_nodes(Manners(ring_seconds=30)) as (dialling, rung):
            ringing = dialling.stage.dial(to=CALLEE, trunk=rung.trunk())
            await dialling.stage.log.until_told("out")
            assert await dialling.stage.calls.hang_up("out")
            await ringing
            await rung.stage.calls.idle()
            assert dialling.stage.end("out") == ("failed", "canceled")
            assert rung.stage.end() == ("failed", "canceled")

    asyncio.run(scene())


def test_nobody_listens_at_the_trunk() -> None:
    """The refused datagram comes back as ICMP, and is a transport failure at once."""

    async def scene() -> None:
        async with two_nodes() as (dialling, rung):
            trunk = rung.trunk()
            await rung.endpoint.stop()
            await dialling.stage.dial(to=CALLEE, trunk=trunk)
            assert dialling.stage.end("out") == ("failed", "trunk_unavailable")
            assert dialling.stage.log.ends["out"].sip_code == 503

    asyncio.run(scene())
