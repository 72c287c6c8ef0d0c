"""Keys and a sentence that are ordered of a call that is under way, to SIPp, and read by tshark."""

from __future__ import annotations

import asyncio
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.codecs.g711 import decode
from media.frames import Codec, Pcm
from tests.peers.capture import Capture, needs_capture
from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.soak import LISTENS
from tests.peers.speech import PAD
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


def test_keys_go_out_as_tones_where_the_peer_takes_no_events(switchboard: Switchboard, tmp_path: Path) -> None:
    """Read from the wire: what tshark captured, and the two loudest frequencies of each sound in it (ITU-T Q.23)."""

    async def test() -> None:
        line = await switchboard.line(LISTENS, firstSpeaker="user")
        peer = Sipp("uac_stays_bare.xml", tmp_path, switchboard.sip, line.number)
        async with Capture(tmp_path / "call.pcapng", switchboard.node.sip[1], peer.media_port) as capture:
            await peer.start()
            path = f"/v1/calls/{await answered(switchboard, line)}"
            await switchboard.node.post(f"{path}/dtmf", {"digits": "15#"})
            await switchboard.node.post(f"{path}/say", {"text": "Goodbye.", "endCall": True})
            await peer.done()
            await switchboard.finished(line)
        found = await capture.fields(f"rtp and udp.dstport == {peer.media_port}", "rtp.p_type", "rtp.payload")
        assert {kind for kind, _ in found} == {"0"}
        codes = np.frombuffer(b"".join(bytes.fromhex(payload.replace(":", "")) for _, payload in found), np.uint8)
        assert dialled(decode(codes, Codec.PCMU))[:3] == ["1", "5", "#"]

    switchboard.run(test())


def dialled(pcm: Pcm) -> list[str]:
    """The keys in it: sounds of at least 60 ms whose two loudest frequencies are a row's and a column's."""
    keys = [key_of(frame) for frame in pcm[: len(pcm) // 160 * 160].reshape(-1, 160).astype(float)]
    runs = [(key, len(list(frames))) for key, frames in groupby(keys)]
    return [key for key, length in runs if key and length >= 3]


def key_of(frame: NDArray[np.float64]) -> str:
    """The key that 20 ms hold, or nothing: frequencies by their peaks in a transform to 1 Hz."""
    spectrum = np.abs(np.fft.rfft(frame * np.hanning(160), 8000))
    low, high = 600 + int(spectrum[600:1050].argmax()), 1100 + int(spectrum[1100:1750].argmax())
    rest = spectrum.copy()
    for peak in (low, high):
        rest[max(0, peak - 150) : peak + 150] = 0
    if min(spectrum[low], spectrum[high]) < 10 * rest.max() or spectrum[low] < 1000:
        return ""
    row = next((place for place, tone in enumerate((697, 770, 852, 941)) if abs(low - tone) < 20), None)
    column = next((place for place, tone in enumerate((1209, 1336, 1477, 1633)) if abs(high - tone) < 20), None)
    return "" if row is None or column is None else PAD[row][column]


async def answered(switchboard: Switchboard, line: Line) -> str:
    """The id of the line's call, as soon as it is answered."""
    async with asyncio.timeout(PATIENCE):
        while (await switchboard.calls(line) or [{"status": ""}])[0]["status"] != "in_progress":  # noqa: ASYNC110 (it is another process)
            await asyncio.sleep(0.05)
    return await switchboard.ringing(line)
