"""SIPp, an independent peer, is transferred by us over UDP, hangs up before it tells the outcome, and has us transfer it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sipserver.legs import Answered, Ended, Leg, LegEvent, ReferProgress, Referred
from sipserver.useragent import SipEndpoint
from tests.sipserver.test_useragent_sipp import free_port, sipp
from tests.sipserver.transcripts import ANSWER, Everybody

pytestmark = [pytest.mark.peer, pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed")]

TARGET = "sip:+12025550199@192.0.2.9"

CALLING = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a caller that is transferred">
 <send retrans="500"><![CDATA[
INVITE sip:us@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
To: <sip:us@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 0
]]></send>
 <recv response="100" optional="true"/>
 <recv response="180" optional="true"/>
 <recv response="200"/>
 <send><![CDATA[
ACK sip:us@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
To: <sip:us@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""
ACCEPTED = """
 <recv request="REFER"><action>
  <ereg regexp="12025550199@192.0.2.9" search_in="hdr" header="Refer-To:" check_it="true" assign_to="1"/>
  <ereg regexp="sip:us@" search_in="hdr" header="Referred-By:" check_it="true" assign_to="2"/>
 </action></recv>
 <Reference variables="1,2"/>
 <send><![CDATA[
SIP/2.0 202 Accepted
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:caller@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
"""
GOODBYE_TO_IT = """
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


def request(method: str, cseq: int, headers: str = "", body: str = "") -> str:
    """SIPp sends a request in the dialog and waits for its answer."""
    answer = 202 if method == "REFER" else 200
    return f"""
 <send retrans="500"><![CDATA[
{method} sip:us@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
To: <sip:us@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
{headers}Content-Length: [len]

{body}]]></send>
 <recv response="{answer}"/>
"""


def notify(cseq: int, state: str, line: str) -> str:
    headers = f"Event: refer\nSubscription-State: {state}\nContent-Type: message/sipfrag;version=2.0\n"
    return request("NOTIFY", cseq, headers, f"SIP/2.0 {line}\n")


def told(line: str) -> str:
    """SIPp gets a NOTIFY that says this."""
    return f"""
 <recv request="NOTIFY"><action>
  <ereg regexp="SIP/2.0 {line}" search_in="body" check_it="true" assign_to="1"/>
 </action></recv>
 <Reference variables="1"/>
 <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"""


async def rung(folder: Path, steps: str, react: Callable[[Leg, LegEvent], None]) -> list[LegEvent]:
    """SIPp calls us and walks the steps; we answer, and react to what happens."""
    events: list[LegEvent] = []

    async def take(leg: Leg) -> None:
        leg.answer(ANSWER)
        async for event in leg.events():
            events.append(event)
            react(leg, event)

    endpoint = SipEndpoint("127.0.0.1", 0, guard=Everybody(), takes_refer=lambda source: True)
    await endpoint.start(take)
    scenario = folder / "scenario.xml"
    scenario.write_text(CALLING + steps)
    peer = await sipp(
        folder, "-sf", str(scenario), f"127.0.0.1:{endpoint.port}", "-p", str(free_port()), "-m", "1", "-t", "u1"
    )
    assert await peer.wait() == 0
    await endpoint.stop()
    return events


def test_a_blind_transfer_by_us(tmp_path: Path) -> None:
    def react(leg: Leg, event: LegEvent) -> None:
        if isinstance(event, Answered):
            assert leg.refer(TARGET)
        elif isinstance(event, ReferProgress) and event.final:
            leg.hang_up("transferred")

    steps = (
        ACCEPTED + notify(2, "active;expires=60", "100 Trying") + notify(3, "terminated;reason=noresource", "200 OK")
    )
    events = asyncio.run(rung(tmp_path, steps + GOODBYE_TO_IT, react))
    assert events == [
        Answered(),
        ReferProgress(100, "Accepted", final=False),
        ReferProgress(100, "Trying", final=False),
        ReferProgress(200, "OK", final=True),
    ]


def test_who_is_transferred_hangs_up_at_once(tmp_path: Path) -> None:
    def react(leg: Leg, event: LegEvent) -> None:
        if isinstance(event, Answered):
            assert leg.refer(TARGET)

    steps = ACCEPTED + '<pause milliseconds="300"/>' + request("BYE", 2) + "</scenario>"
    *_, progress, end = asyncio.run(rung(tmp_path, steps, react))
    assert isinstance(progress, ReferProgress)
    assert (progress.status, progress.final) == (202, True)
    assert end == Ended("bye")


def test_a_blind_transfer_by_the_peer(tmp_path: Path) -> None:
    def react(leg: Leg, event: LegEvent) -> None:
        if isinstance(event, Referred):
            leg.accept_refer()
            leg.notify_refer(200)

    refer = request("REFER", 2, f"Refer-To: <{TARGET}>\n")
    steps = refer + told("100 Trying") + told("200 OK") + request("BYE", 3) + "</scenario>"
    events = asyncio.run(rung(tmp_path, steps, react))
    assert events == [Answered(), Referred(TARGET), Ended("bye")]
