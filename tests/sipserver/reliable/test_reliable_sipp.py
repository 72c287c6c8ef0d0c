"""SIPp, an independent peer, with reliable provisional answers both ways (INTEROP: strict platforms, Telekom)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sipserver.legs import Answered, Ended, Leg, LegEvent, Progress
from sipserver.useragent import SipEndpoint
from tests.sipserver.test_useragent_sipp import SIPP, called, free_port, sipp
from tests.sipserver.transcripts import ANSWER, OFFER, Everybody

pytestmark = [pytest.mark.peer, pytest.mark.skipif(SIPP is None, reason="sipp is not installed")]

SDP = """
v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 0
"""

REQUIRING = f"""<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="requires 100rel">
 <send retrans="500"><![CDATA[
INVITE sip:100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:200@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:100@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:200@[local_ip]:[local_port]>
Max-Forwards: 70
Require: 100rel
Content-Type: application/sdp
Content-Length: [len]
{SDP}
]]></send>
 <recv response="100" optional="true"/>
 <recv response="183" rrs="true"><action>
  <ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="1"/>
  <ereg regexp="100rel" search_in="hdr" header="Require:" check_it="true" assign_to="2"/>
 </action></recv>
 <Reference variables="2"/>
 <send retrans="500"><![CDATA[
PRACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:200@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:100@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 PRACK
RAck: [$1] 1 INVITE
Max-Forwards: 70
Content-Length: 0

]]></send>
 <recv response="200"/>
 <recv response="200"/>
 <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:200@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:100@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
 <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:200@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:100@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 3 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
 <recv response="200"/>
</scenario>
"""

ANSWERS = (
    """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="183 with SDP and 100rel, 200 without SDP">
 <recv request="INVITE"><action>
  <ereg regexp="100rel" search_in="hdr" header="Supported:" check_it="true" assign_to="1"/>
  <ereg regexp=".*" search_in="hdr" header="Via:" assign_to="4"/>
 </action></recv>
 <send><![CDATA[
SIP/2.0 183 Session Progress
[last_Via:]
[last_From:]
[last_To:];tag=[pid]t[call_number]
[last_Call-ID:]
[last_CSeq:]
Require: 100rel
RSeq: 4711
Contact: <sip:early@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]
"""
    + SDP
    + """
]]></send>
 <recv request="PRACK"><action>
  <ereg regexp="4711 1 INVITE" search_in="hdr" header="RAck:" check_it="true" assign_to="2"/>
  <ereg regexp="PRACK sip:early@" search_in="msg" check_it="true" assign_to="3"/>
 </action></recv>
 <Reference variables="1,2,3"/>
 <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
 <send retrans="500"><![CDATA[
SIP/2.0 200 OK
Via: [$4]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 1 INVITE
Contact: <sip:callee@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
 <recv request="ACK"/>
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
)


def test_sipp_requires_it_of_us(tmp_path: Path) -> None:
    """The 200 follows on its PRACK."""
    heard: list[LegEvent] = []
    scenario = tmp_path / "requiring.xml"
    scenario.write_text(REQUIRING)

    async def answer(leg: Leg) -> None:
        leg.ring(183, ANSWER)
        leg.answer(ANSWER)
        heard.extend([event async for event in leg.events()])

    async def main() -> None:
        endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody())
        await endpoint.start(answer)
        there = f"127.0.0.1:{endpoint.port}"
        peer = await sipp(tmp_path, "-sf", str(scenario), there, "-p", str(free_port()), "-m", "1")
        assert await peer.wait() == 0
        await endpoint.stop()

    asyncio.run(main())
    assert heard == [Answered(None), Ended("bye")]


def test_we_acknowledge_sipps_183_and_take_its_description_for_the_answer(tmp_path: Path) -> None:
    scenario = tmp_path / "answers.xml"
    scenario.write_text(ANSWERS)
    early, answered = asyncio.run(called(tmp_path, "udp", "-sf", str(scenario)))
    assert isinstance(early, Progress)
    assert isinstance(answered, Answered)
    assert early.sdp is not None
    assert early.sdp.startswith(b"v=0")
    assert answered.sdp == early.sdp != OFFER
