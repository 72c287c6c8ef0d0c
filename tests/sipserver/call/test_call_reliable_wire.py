"""Whole calls on real sockets with reliable provisional answers: two nodes of ours, and SIPp with a late offer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sipserver.protocols import TrunkOptions
from tests.sipserver.call.fakes import CALLEE, silence
from tests.sipserver.call.test_calls_over_sip import Node, goodbye, two_nodes
from tests.sipserver.reliable.test_reliable_sipp import REQUIRING, SDP
from tests.sipserver.test_useragent_sipp import SIPP, free_port, sipp

LATE_OFFER = (
    REQUIRING.replace("sip:100@", f"sip:{CALLEE}@")
    .replace(f"Content-Type: application/sdp\nContent-Length: [len]\n{SDP}", "Content-Length: 0\n", 1)
    .replace('response="183"', 'response="180"')
    .replace(
        "RAck: [$1] 1 INVITE\nMax-Forwards: 70\nContent-Length: 0\n",
        f"RAck: [$1] 1 INVITE\nMax-Forwards: 70\nContent-Type: application/sdp\nContent-Length: [len]\n{SDP}",
    )
)
"""An INVITE without SDP: our offer comes with the 180, the answer goes out with the PRACK."""


def ladder_of(node: Node, call_id: str) -> list[str]:
    return [
        f"{event.data['direction']} {event.data['summary'].split()[0]}"
        for call, event in node.stage.log.published
        if call == call_id
    ]


def test_a_call_over_a_trunk_that_requires_it() -> None:
    async def scene() -> None:
        async with two_nodes() as (dialling, rung):
            rung.stage.conversations.talk = goodbye
            trunk = replace(rung.trunk(), options=TrunkOptions(reliable100="required"))
            await dialling.stage.dial(to=CALLEE, trunk=trunk)
            await rung.stage.calls.idle()
            assert dialling.stage.end("out") == ("completed", "customer_ended")
            assert rung.stage.end() == ("completed", "agent_ended")
            ladder = ladder_of(rung, "call-1")
            assert [rung for rung in ladder if rung != "> 100"][:2] == ["< INVITE", "> 180"]
            assert "< PRACK" in ladder
            assert ladder.count("> 200") >= 2

    asyncio.run(scene())


@pytest.mark.peer
@pytest.mark.skipif(SIPP is None, reason="sipp is not installed")
def test_a_late_offer_of_sipp_is_agreed_before_the_answer(tmp_path: Path) -> None:
    scenario = tmp_path / "late.xml"
    scenario.write_text(LATE_OFFER)

    async def scene() -> None:
        async with two_nodes() as (_, rung):
            rung.stage.conversations.talk = silence
            there = f"127.0.0.1:{rung.endpoint.port}"
            arguments = ("-sf", str(scenario), there, "-s", CALLEE, "-p", str(free_port()), "-m", "1")
            peer = await sipp(tmp_path, *arguments)
            assert await peer.wait() == 0
            await rung.stage.calls.idle()
            assert rung.stage.end() == ("completed", "customer_ended")
            assert [remote.port for _, remote, _, _ in rung.stage.media.connections] == [6000]

    asyncio.run(scene())
