"""Keys and a sentence that are ordered of a call that is under way, to SIPp, and read by tshark."""

from __future__ import annotations

import asyncio
from itertools import groupby
from pathlib import Path

import pytest

from tests.peers.capture import Capture, needs_capture
from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.soak import LISTENS
from tests.peers.switchboard import PATIENCE, Line, Switchboard, said

pytestmark = [pytest.mark.peer, needs_sipp, *needs_capture]


def test_keys_go_out_as_events_and_the_last_sentence_ends_the_call(switchboard: Switchboard, tmp_path: Path) -> None:
    async def test() -> None:
        line = await switchboard.line(LISTENS, firstSpeaker="user")
        peer = Sipp("uac_stays.xml", tmp_path, switchboard.sip, line.number)
        async with Capture(tmp_path / "call.pcapng", switchboard.node.sip[1], peer.media_port) as capture:
            await peer.start()
            path = f"/v1/calls/{await answered(switchboard, line)}"
            await switchboard.node.post(f"{path}/dtmf", {"digits": "1w#4"})
            await switchboard.node.post(f"{path}/say", {"text": "Thank you for waiting."})
            await switchboard.node.post(f"{path}/say", {"text": "Goodbye.", "endCall": True})
            await peer.done()
            call = await switchboard.finished(line)
        found = await capture.fields("rtpevent", "rtpevent.event_id", "rtp.timestamp", "frame.time_epoch")
        keys = [(event, list(packets)) for event, packets in groupby(found, key=lambda fields: fields[0])]
        assert [event for event, _ in keys] == ["1", "11", "4"]
        assert all(len({fields[1] for fields in packets}) == 1 for _, packets in keys), "a key is one timestamp"
        pause = float(keys[1][1][0][2]) - float(keys[0][1][-1][2])
        assert 0.5 < pause < 1.0
        assert said(call, "assistant") == ["Thank you for waiting.", "Goodbye."]
        assert (call["status"], call["endedReason"]) == ("completed", "agent_ended")

    switchboard.run(test())


async def answered(switchboard: Switchboard, line: Line) -> str:
    """The id of the line's call, as soon as it is answered."""
    async with asyncio.timeout(PATIENCE):
        while (await switchboard.calls(line) or [{"status": ""}])[0]["status"] != "in_progress":  # noqa: ASYNC110 (it is another process)
            await asyncio.sleep(0.05)
    return await switchboard.ringing(line)
