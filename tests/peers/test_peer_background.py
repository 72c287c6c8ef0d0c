"""A background sound in a call of SIPp's: what the caller's side gets while nobody speaks, and what the recording has."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from media.codecs.g711 import decode
from media.frames import Codec, Pcm
from tests.peers.capture import Capture, needs_capture
from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.soak import LISTENS
from tests.peers.switchboard import Switchboard
from tests.peers.test_peer_live_orders import answered

pytestmark = [pytest.mark.peer, needs_sipp, *needs_capture]
SECONDS = 2.0


def decibels(pcm: Pcm) -> float:
    """Below full scale."""
    return float(20 * np.log10(pcm.astype(float).std() / 32768))


def test_a_room_is_heard_while_nobody_speaks_at_the_level_of_its_volume(
    switchboard: Switchboard, tmp_path: Path
) -> None:
    async def test() -> None:
        sounds = {sound["name"]: sound for sound in await switchboard.node.get("/v1/background-sounds")}
        assert sounds["room-tone"]["builtIn"]
        line = await switchboard.line(
            LISTENS,
            firstSpeaker="user",
            backgroundSoundId=sounds["room-tone"]["id"],
            backgroundSoundVolume=0.5,
            recording={"enabled": True, "format": "wav"},
        )
        peer = Sipp("uac_stays.xml", tmp_path, switchboard.sip, line.number)
        async with Capture(tmp_path / "call.pcapng", switchboard.node.sip[1], peer.media_port) as capture:
            await peer.start()
            path = f"/v1/calls/{await answered(switchboard, line)}"
            # The call lasts so long; what is measured is a level, which more or less of it does not change.
            await asyncio.sleep(SECONDS)
            await switchboard.node.post(f"{path}/end", {})
            await peer.done()
            call = await switchboard.finished(line)
        found = await capture.fields(f"udp.dstport == {peer.media_port} && rtp", "rtp.payload")
        octets = bytes.fromhex("".join(fields[0].replace(":", "") for fields in found))
        wire = decode(np.frombuffer(octets, np.uint8), Codec.PCMU)
        with wave.open(str(await switchboard.recording(call, "wav", tmp_path))) as file:
            recorded = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        # Speech is at -26 dB; half of that in amplitude is 6 dB less.
        assert decibels(wire[1600:]) == pytest.approx(-32, abs=1.5)
        assert decibels(recorded[1600:, 1]) == pytest.approx(-32, abs=1.5)
        assert not recorded[:, 0].any() or decibels(recorded[:, 0]) < -60

    switchboard.run(test())
