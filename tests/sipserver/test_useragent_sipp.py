"""SIPp, an independent peer, calls us and is called by us: over UDP and TCP, challenged, and through a Record-Route."""

from __future__ import annotations

import asyncio
import shutil
import socket
from pathlib import Path
from typing import Literal

import pytest

from sipserver.legs import Answered, Ended, Invitation, Leg, LegEvent, Refused
from sipserver.protocols import Trunk
from sipserver.useragent import SipEndpoint
from tests.sipserver.transcripts import ANSWER, OFFER, Everybody

SIPP = shutil.which("sipp")
pytestmark = [pytest.mark.peer, pytest.mark.skipif(SIPP is None, reason="sipp is not installed")]
both = pytest.mark.parametrize("transport", ["udp", "tcp"])
CALLS = 20

CHALLENGING = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="401 first, then 200 with a Record-Route">
 <recv request="INVITE"/>
 <send retrans="500"><![CDATA[
SIP/2.0 401 Unauthorized
[last_Via:]
[last_From:]
[last_To:];tag=[pid]SIPpTag00[call_number]
[last_Call-ID:]
[last_CSeq:]
WWW-Authenticate: Digest realm="r.example", nonce="abc123", algorithm=MD5, qop="auth"
Content-Length: 0

]]></send>
 <recv request="ACK"/>
 <recv request="INVITE"/>
 <send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]SIPpTag01[call_number]
[last_Call-ID:]
[last_CSeq:]
Record-Route: <sip:[local_ip]:[local_port];lr>
Contact: <sip:callee@[local_ip]:[local_port];x=1>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 0
]]></send>
 <recv request="ACK"><action>
  <ereg regexp="sip:callee@.*x=1" search_in="msg" check_it="true" assign_to="1"/>
  <ereg regexp="lr>" search_in="hdr" header="Route:" check_it="true" assign_to="2"/>
 </action></recv>
 <Reference variables="1,2"/>
 <recv request="BYE"/>
 <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def sipp(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    assert SIPP is not None
    return await asyncio.create_subprocess_exec(
        SIPP,
        *("-i", "127.0.0.1", "-nostdin", "-timeout", "30", "-timeout_error", *arguments),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


@both
def test_sipp_calls_us(tmp_path: Path, transport: str) -> None:
    ends: list[LegEvent] = []

    async def answer(leg: Leg) -> None:
        leg.ring()
        leg.answer(ANSWER)
        ends.extend([event async for event in leg.events()])

    async def main() -> None:
        endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody())
        await endpoint.start(answer)
        arguments = [
            "-sn",
            "uac",
            f"127.0.0.1:{endpoint.port}",
            "-p",
            str(free_port()),
            "-m",
            str(CALLS),
            "-r",
            "50",
            "-d",
            "50",
        ]
        peer = await sipp(tmp_path, *arguments, "-t", "u1" if transport == "udp" else "t1")
        assert await peer.wait() == 0
        await endpoint.stop()
        assert ends.count(Answered(None)) == ends.count(Ended("bye")) == CALLS
        assert len(ends) == 2 * CALLS

    asyncio.run(main())


async def called(folder: Path, transport: Literal["udp", "tcp"], *arguments: str) -> list[LegEvent]:
    """Call SIPp until it listens; hang up when it answers."""
    port = free_port()
    endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody())

    async def nobody(leg: Leg) -> None:
        leg.reject(404)

    await endpoint.start(nobody)
    peer = await sipp(folder, *arguments, "-p", str(port), "-m", "1", "-t", "u1" if transport == "udp" else "t1")
    trunk = Trunk("t", "o", "ip_allowlist", "127.0.0.1", port, transport, username="u", password="p")
    events: list[LegEvent] = [Refused(503, "")]
    async with asyncio.timeout(20):
        while events[-1:] and isinstance(events[-1], Refused) and events[-1].status == 503:
            # It takes SIPp a moment to bind; until then the network says that nobody is there.
            await asyncio.sleep(0.05)
            events = []
            leg = endpoint.invite(Invitation(trunk, "100", "200", OFFER))
            async for event in leg.events():
                events.append(event)
                if isinstance(event, Answered):
                    leg.hang_up()
        assert await peer.wait() == 0
    await endpoint.stop()
    return events


@both
def test_we_call_sipp(tmp_path: Path, transport: Literal["udp", "tcp"]) -> None:
    events = asyncio.run(called(tmp_path, transport, "-sn", "uas"))
    assert [type(event).__name__ for event in events] == ["Progress", "Answered"]


def test_we_answer_sipps_challenge_and_follow_its_record_route(tmp_path: Path) -> None:
    scenario = tmp_path / "challenging.xml"
    scenario.write_text(CHALLENGING)
    events = asyncio.run(called(tmp_path, "udp", "-sf", str(scenario)))
    assert [type(event).__name__ for event in events] == ["Answered"]
