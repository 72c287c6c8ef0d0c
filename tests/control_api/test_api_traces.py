"""The SIP messages of calls over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from control_api.metrics import Metrics
from control_api.sip_metrics import SipFigures
from tests.control_api.installation import Installation, add_call, run

MESSAGE = {
    "at": "2026-01-01T00:00:00.000000Z",
    "direction": "<",
    "transport": "udp",
    "local": "192.0.2.1:5060",
    "peer": "192.0.2.9:5060",
    "summary": "180 Ringing",
    "cseq": "1 INVITE",
    "message": "SIP/2.0 180 Ringing\r\n\r\n",
}


class Kept:
    """Has one message of every call."""

    async def messages(self, call_id: str) -> tuple[list[dict[str, Any]], int]:
        return [dict(MESSAGE)], 2

    async def text(self, call_id: str) -> str:
        return "0.000 ──▶\n"

    async def pcap(self, call_id: str) -> bytes:
        return b"\xd4\xc3\xb2\xa1"

    async def refused(self) -> list[dict[str, Any]]:
        return [{"sipCallId": "c1", "messages": [dict(MESSAGE)], "dropped": 0}]

    async def refused_text(self) -> str:
        return "c1\n"

    async def refused_pcap(self) -> bytes:
        return b"\xd4\xc3\xb2\xa1"

    async def follow(self) -> AsyncIterator[dict[str, Any]]:
        yield dict(MESSAGE)


def test_a_trace_in_three_forms(tmp_path: Path) -> None:
    async def body(made: Installation) -> None:
        async with made.client() as admin, made.client("read") as reader, made.client("other") as other:
            call = await add_call(admin)
            path = f"/v1/calls/{call['id']}/trace"
            answer = await reader.get(path)
            assert answer.json()["data"] == {"callId": call["id"], "messages": [MESSAGE], "dropped": 2, "quality": None}
            text = await reader.get(path, params={"format": "text"})
            assert (text.text, text.headers["content-type"]) == ("0.000 ──▶\n", "text/plain; charset=utf-8")
            pcap = await reader.get(path, params={"format": "pcap"})
            assert (pcap.content, pcap.headers["content-type"]) == (b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap")
            assert (await reader.get(path, params={"format": "xml"})).status_code == 400
            assert (await other.get(path)).status_code == 404

    run(tmp_path, body, traces=Kept())


def test_refused_calls_in_three_forms_for_an_admin(tmp_path: Path) -> None:
    async def body(made: Installation) -> None:
        async with made.client() as admin, made.client("calls") as caller:
            path = "/v1/trace/refused"
            assert (await caller.get(path)).status_code == 403
            calls = (await admin.get(path)).json()["data"]["calls"]
            assert calls == [{"sipCallId": "c1", "messages": [MESSAGE], "dropped": 0}]
            assert (await admin.get(path, params={"format": "text"})).text == "c1\n"
            assert (await admin.get(path, params={"format": "pcap"})).content == b"\xd4\xc3\xb2\xa1"

    run(tmp_path, body, traces=Kept())


def test_following_all_needs_an_admin(tmp_path: Path) -> None:
    async def body(made: Installation) -> None:
        async with made.client() as admin, made.client("calls") as caller:
            assert (await caller.get("/v1/trace")).status_code == 403
            lines = (await admin.get("/v1/trace")).text.split("\n\n")
            assert lines[0] == ": following"
            assert lines[1].startswith('event: sip\ndata: {"at": "2026-01-01')

    run(tmp_path, body, traces=Kept())


def test_the_figures_of_sip_are_scraped() -> None:
    figures = SipFigures({("<", "INVITE"): 3, (">", "2xx"): 2}, {"stray": 1}, 4, 5, 1)
    text = Metrics(lambda: 0, lambda: 0, lambda: figures).text().decode()
    for line in (
        'antiphon_sip_messages_total{direction="in",kind="INVITE"} 3.0',
        'antiphon_sip_messages_total{direction="out",kind="2xx"} 2.0',
        'antiphon_sip_dropped_total{why="stray"} 1.0',
        "antiphon_sip_retransmissions_total 4.0",
        "antiphon_sip_bans_total 5.0",
        "antiphon_sip_bans_active 1.0",
    ):
        assert line in text.splitlines()
