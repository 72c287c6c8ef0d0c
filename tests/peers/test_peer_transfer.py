"""Transfers of a whole server: SIPp takes a REFER, refuses it, or sends one; two telephones are connected, and hear each other's tones."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sipserver.demo.phone import Phone, PhoneCall
from tests.peers import scripts
from tests.peers.capture import TSHARK, Capture
from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.switchboard import CALLER, PATIENCE, Switchboard, said
from tests.tones import Pcm, heard_at, hears, tone

pytestmark = pytest.mark.peer
ENVIRONMENT = {"ANTIPHON__TRACE__RTP": "true"}
HUMAN = "+12025550188"
CALLERS_TONE, HUMANS_TONE = 700, 1100
CHIME = 659.25
"""The first note of our hold music."""
SECOND = 8000
EXTENSION = "204"
QUESTION = scripts.asking("How can I help you?", ["please call me back"])
SCRIPT = {
    "start": "hello",
    "steps": {
        "hello": {"say": "One moment.", "transfer": "human", "failed": "sorry"},
        "sorry": {"say": "Sorry, {{transfer_failed}}.", "end": True},
    },
}


def target(mode: str) -> list[dict[str, Any]]:
    return [{"type": "phone", "number": HUMAN, "label": "human", "mode": mode}]


def referred(board: Switchboard, folder: Path, scenario: str, texts: dict[str, str]) -> dict[str, Any]:
    """SIPp rings, and the agent transfers it at once; the call when it is over, and SIPp content."""

    async def call() -> dict[str, Any]:
        line = await board.line(SCRIPT, transferTargets=target("cold"))
        await Sipp(scenario, folder, board.sip, line.number, texts={"target": HUMAN.replace("+", r"\+"), **texts}).run()
        return await board.finished(line)

    return board.run(call())


@needs_sipp
def test_sipp_takes_the_refer_and_the_call_ends_as_transferred(switchboard: Switchboard, tmp_path: Path) -> None:
    call = referred(switchboard, tmp_path, "uac_is_referred.xml", {"outcome": "200 OK"})
    assert (call["status"], call["endedReason"]) == ("completed", "transferred")
    assert (call["transferType"], call["transferStatus"]) == ("cold", "completed")
    [transfer] = call["transferCalls"]
    assert (transfer["customerNumber"], transfer["status"], transfer["startedAt"]) == (HUMAN, "completed", None)


@needs_sipp
@pytest.mark.parametrize(
    ("scenario", "texts", "reason"),
    [
        ("uac_is_referred.xml", {"outcome": "486 Busy Here"}, "busy"),
        ("uac_refuses_refer.xml", {"status": "403"}, "refer_refused"),
    ],
)
def test_where_the_transfer_fails_the_agent_goes_on(
    switchboard: Switchboard, tmp_path: Path, scenario: str, texts: dict[str, str], reason: str
) -> None:
    call = referred(switchboard, tmp_path, scenario, texts)
    assert (call["status"], call["endedReason"]) == ("completed", "agent_ended")
    assert (call["transferStatus"], call["transferCalls"][0]["failureReason"]) == ("failed", reason)
    assert said(call, "assistant") == ["One moment.", f"Sorry, {reason.replace('_', '')}."]


class Ear:
    """What one telephone has heard: int16, 8 kHz. Whoever waits is woken by every packet."""

    def __init__(self, call: PhoneCall) -> None:
        self._frames: list[Pcm] = []
        self._news = asyncio.Event()
        call.line.on_frame = self._hear

    def _hear(self, frame: Pcm) -> None:
        self._frames.append(frame)
        self._news.set()

    def last(self, seconds: float) -> Pcm:
        """The last seconds of it; nothing as long as there are not so many."""
        samples = round(seconds * SECOND)
        pcm = np.concatenate([np.zeros(0, np.int16), *self._frames[-(samples // 160 + 2) :]])
        return pcm[-samples:] if len(pcm) >= samples else pcm[:0]

    async def until(self, true: Callable[[Pcm], bool], seconds: float) -> None:
        """Until it is true of the last seconds that were heard. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while not true(self.last(seconds)):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def humming(call: PhoneCall, frequency: float) -> AsyncIterator[None]:
    """The telephone says a tone all the while."""

    async def hum() -> None:
        while True:
            await call.line.say(tone(frequency, 1.0))

    task = asyncio.create_task(hum())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def trunk(phone: Phone) -> dict[str, Any]:
    return {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": phone.port}


def test_two_telephones_hear_each_other_after_music_and_a_briefing(switchboard: Switchboard, tmp_path: Path) -> None:
    async def scene() -> tuple[dict[str, Any], Path]:
        async with Phone() as phone:
            line = await switchboard.line(
                SCRIPT, trunk(phone), transferTargets=target("warm_briefing"), holdMessage="Hold."
            )
            caller = await phone.ring(switchboard.node.sip, line.number, CALLER, PATIENCE)
            caller_hears = Ear(caller)
            ringing = await phone.incoming(PATIENCE)
            assert ringing.invite.uri.startswith(f"sip:{HUMAN}@")
            ringing.ring()
            await caller_hears.until(lambda heard: hears(heard, CHIME), 0.4)
            human = phone.answer(ringing)
            human_hears = Ear(human)
            async with humming(caller, CALLERS_TONE), humming(human, HUMANS_TONE):
                await human.line.agent_begins(PATIENCE)
                await human_hears.until(lambda heard: hears(heard, CALLERS_TONE), 1.0)
                await caller_hears.until(lambda heard: hears(heard, HUMANS_TONE), 1.0)
                # Nothing of the music, and of oneself, is there any more.
                assert not any(heard_at(caller_hears.last(0.5), CHIME))
                assert not hears(caller_hears.last(1.0), CALLERS_TONE)
                assert not hears(human_hears.last(1.0), HUMANS_TONE)
                human.leg.hang_up()
                assert await caller.until_ended(PATIENCE) == "bye"
            await caller.close()
            await human.close()
            call = await switchboard.finished(line)
            ports.extend((caller.line.port, human.line.port))
            return call, await switchboard.recording(call, "wav", tmp_path)

    ports: list[int] = []
    call, recording = switchboard.run(scene())
    if TSHARK is not None:
        switchboard.run(both_legs_are_traced(switchboard, call["id"], ports, tmp_path / "trace.pcap"))
    assert (call["status"], call["endedReason"]) == ("completed", "transferred")
    [transfer] = call["transferCalls"]
    assert (transfer["transferType"], transfer["transferStatus"], transfer["status"]) == (
        "warm_briefing",
        "completed",
        "completed",
    )
    assert transfer["transcript"][0]["content"].startswith("This is a call from 1 2 0 2")
    assert said(call, "assistant") == ["One moment.", "Hold."]
    with wave.open(str(recording)) as audio:
        pcm = np.frombuffer(audio.readframes(audio.getnframes()), np.int16).reshape(-1, audio.getnchannels())
    # At the end there is half a second of each: left the caller, right the human.
    for side, frequency in ((0, CALLERS_TONE), (1, HUMANS_TONE)):
        assert sum(heard_at(pcm[-4 * SECOND :, side], frequency)) >= 10


async def both_legs_are_traced(board: Switchboard, call_id: str, ports: list[int], path: Path) -> None:
    """tshark finds in the call's trace what went to each telephone, and came from it, at a port of ours for each."""
    assert board.node.http is not None
    path.write_bytes((await board.node.http.get(f"/v1/calls/{call_id}/trace?format=pcap")).content)
    trace = Capture(path, board.node.sip[1], ports[0])
    found = {port: await Capture(path, board.node.sip[1], port).rtp(f"udp.port == {port}") for port in ports}
    assert all(len(packets) > 50 and len({packet.ssrc for packet in packets}) == 2 for packets in found.values())
    ours = await trace.fields(f"udp.srcport in {{{ports[0]}, {ports[1]}}}", "udp.srcport", "udp.dstport")
    assert len({tuple(pair) for pair in ours}) == len({pair[1] for pair in ours}) == 2


def test_a_human_who_is_busy_leaves_the_caller_with_the_agent(switchboard: Switchboard) -> None:
    async def scene() -> dict[str, Any]:
        async with Phone() as phone:
            line = await switchboard.line(SCRIPT, trunk(phone), transferTargets=target("warm"))
            caller = await phone.ring(switchboard.node.sip, line.number, CALLER, PATIENCE)
            (await phone.incoming(PATIENCE)).reject(486)
            assert await caller.until_ended(PATIENCE) == "bye"
            await caller.close()
            return await switchboard.finished(line)

    call = switchboard.run(scene())
    assert call["endedReason"] == "agent_ended"
    assert said(call, "assistant") == ["One moment.", "Sorry, busy."]
    assert (call["transferCalls"][0]["failureReason"], call["transferCalls"][0]["status"]) == ("busy", "failed")


@needs_sipp
def test_sipp_has_us_call_somebody_else_and_the_agent_speaks_on_with_them(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    async def scene() -> dict[str, Any]:
        async with Phone() as phone:
            made = await switchboard.node.post("/v1/trunks", {"name": "pbx", "acceptRefer": True, **trunk(phone)})
            silence = {"promptAfterMs": 1000, "prompts": ["Are you there?"], "endAfter": 10}
            line = await switchboard.line(QUESTION, {"trunkId": made["id"]}, silence=silence)
            texts = {"target": EXTENSION}
            peer = Sipp("uac_refers.xml", tmp_path, switchboard.sip, line.number, texts=texts)
            await peer.start()
            try:
                leg = await phone.incoming(PATIENCE)
                assert leg.invite.uri.startswith(f"sip:{EXTENSION}@")
                target = phone.answer(leg)
                await peer.done()
                await target.line.agent_ends(PATIENCE)
                await target.close()
            finally:
                await peer.stop()
            return await switchboard.finished(line)

    call = switchboard.run(scene())
    assert (call["status"], call["endedReason"], call["transferCalls"]) == ("completed", "customer_ended", [])
    assert said(call, "assistant")[0] == "How can I help you?"
