"""Keys and a sentence that are ordered of a call that is under way, to SIPp, and read by tshark."""

from __future__ import annotations

import asyncio
import shutil
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from media.frames import Pcm
from tests.keypad import dialled
from tests.peers.capture import Capture, needs_capture, output
from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.soak import LISTENS
from tests.peers.switchboard import PATIENCE, Line, Switchboard, said

pytestmark = [pytest.mark.peer, needs_sipp, *needs_capture]
FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")
RATES = {"PCMU": 8000, "G722": 16000}


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


@needs_ffmpeg
def test_keys_go_out_as_tones_where_the_peer_takes_no_events(switchboard: Switchboard, tmp_path: Path) -> None:
    """On telephone audio and on wideband audio. Read from the wire by others: tshark captured it, ffmpeg decodes it, and a Fourier
    transform finds the two loudest frequencies of each sound in it."""

    async def ring(codec: str, payload_type: str, host: str) -> None:
        sip = {"sipMode": "ip_allowlist", "sipIp": host, "codecs": [codec]}
        trunk = await switchboard.node.post("/v1/trunks", {"name": codec, **sip})
        line = await switchboard.line(LISTENS, {"trunkId": trunk["id"]}, firstSpeaker="user")
        texts = {"codec": f"{payload_type} {codec}/8000", "payload": payload_type}
        peer = Sipp("uac_stays_bare.xml", tmp_path, switchboard.sip, line.number, host, texts=texts)
        async with Capture(tmp_path / f"{codec}.pcapng", switchboard.node.sip[1], peer.media_port) as capture:
            await peer.start()
            path = f"/v1/calls/{await answered(switchboard, line)}"
            await switchboard.node.post(f"{path}/dtmf", {"digits": "15#"})
            await switchboard.node.post(f"{path}/say", {"text": "Goodbye.", "endCall": True})
            await peer.done()
            await switchboard.finished(line)
        found = await capture.fields(f"rtp and udp.dstport == {peer.media_port}", "rtp.p_type", "rtp.payload")
        assert {kind for kind, _ in found} == {payload_type}
        payload = tmp_path / f"{codec}.payload"
        payload.write_bytes(b"".join(bytes.fromhex(octets.replace(":", "")) for _, octets in found))
        assert dialled(await decoded(payload, codec), RATES[codec])[:3] == ["1", "5", "#"], codec

    async def both() -> None:
        await asyncio.gather(ring("PCMU", "0", "127.0.0.2"), ring("G722", "9", "127.0.0.3"))

    switchboard.run(both())


async def decoded(payload: Path, codec: str) -> Pcm:
    """What ffmpeg makes of a stream's octets: int16, (n,)."""
    form = ["-f", "g722"] if codec == "G722" else ["-f", "mulaw", "-ar", "8000", "-ac", "1"]
    wav = payload.with_suffix(".s16")
    await output(FFMPEG, "-v", "error", *form, "-i", str(payload), "-f", "s16le", str(wav))
    return np.fromfile(wav, "<i2")


async def answered(switchboard: Switchboard, line: Line) -> str:
    """The id of the line's call, as soon as it is answered."""
    async with asyncio.timeout(PATIENCE):
        while (await switchboard.calls(line) or [{"status": ""}])[0]["status"] != "in_progress":  # noqa: ASYNC110 (it is another process)
            await asyncio.sleep(0.05)
    return await switchboard.ringing(line)
