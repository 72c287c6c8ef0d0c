"""linphonec is rung by the server and rings it, with credentials: it hears the agent's tone, and its own is heard."""

from __future__ import annotations

import asyncio
import re
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media.frames import LINE_RATE, Pcm
from sipserver.protocols import CallEnd, EndedReason, Route, Trunk
from sipserver.sdes import Mode
from tests.peers.linphone import Linphone, needs_linphonec
from tests.peers.speech import write_wav
from tests.peers.test_peer_srtp import LONGEST, OURS, THEIRS, Node, a_node, channels
from tests.sipserver.call.fakes import AGENT, CALLEE
from tests.tones import AMPLITUDE, HEARD, heard_at, strength, tone

pytestmark = [pytest.mark.peer, needs_linphonec]
CALLS: dict[str, tuple[str, Mode, int]] = {
    "PCMA": ("PCMA", "off", 1),
    "G722": ("G722", "off", 2),
    "opus": ("opus", "off", 1),
    "secure": ("PCMU", "required", 1),
}
"""Codec, encryption, and how much louder than it is linphonec hears a tone, and how much quieter its own is when it has coded it."""


def test_linphonec_is_heard_and_hears(tmp_path: Path) -> None:
    async def scene() -> EndedReason:
        played = Path(write_wav(tmp_path / "theirs.wav", tone(THEIRS, LONGEST)))
        async with a_node(tmp_path) as node, Linphone(tmp_path, played) as phone:
            end = await node.ring("outbound", phone, "off")  # type: ignore[arg-type]
            assert node.log.problems == {}, phone.told()
            return end.reason

    assert asyncio.run(scene()) == EndedReason.AGENT_ENDED
    assert heard_ours(tmp_path)


def test_linphonec_of_other_codecs_and_with_srtp_is_heard_and_hears(tmp_path: Path) -> None:
    """The secure call's keys are in SDP, one of each side (RFC 4568). As loud as they are sent both ways, but for G.722: linphonec's own
    codes at half the level and decodes at twice the level of ours and of ffmpeg's, which agree (`test_coders.py`)."""
    played = Path(write_wav(tmp_path / "theirs.wav", tone(THEIRS, LONGEST)))

    async def ring(node: Node, name: str, codec: str, mode: Mode) -> CallEnd:
        async with Linphone(tmp_path / name, played, secure=mode == "required") as phone:
            end = await replace(node, codecs=(codec,)).ring(name, phone, mode)  # type: ignore[arg-type]
            assert node.log.problems == {}, phone.told()
            return end

    async def scene() -> list[CallEnd]:
        async with a_node(tmp_path) as node:
            return await asyncio.gather(*(ring(node, name, codec, mode) for name, (codec, mode, _) in CALLS.items()))

    for (name, (codec, _, louder)), end in zip(CALLS.items(), asyncio.run(scene()), strict=True):
        assert end.reason == EndedReason.AGENT_ENDED, name
        assert end.media is not None
        assert end.media.codec == codec
        caller, agent = channels(tmp_path / f"{name}.wav")
        assert sum(heard_at(caller, THEIRS)) >= 8, name
        for level, expected in (
            (loudest(caller, THEIRS), AMPLITUDE / louder),
            (loudest(agent, OURS), AMPLITUDE),
            (loudest(*heard_by(tmp_path / name)), AMPLITUDE * louder),
        ):
            assert level == pytest.approx(expected, rel=0.05), name


def test_linphonec_rings_and_shows_its_credentials(tmp_path: Path) -> None:
    """No trunk has its address. Of our two challenges it takes SHA-256, the first."""

    async def scene() -> EndedReason:
        played = Path(write_wav(tmp_path / "theirs.wav", tone(THEIRS, LONGEST)))
        users: dict[str, Trunk] = {}
        async with a_node(tmp_path, users) as node, Linphone(tmp_path, played, password="s3cret") as phone:
            trunk = replace(node.trunk("off"), inbound_username="linphone", inbound_password="s3cret")
            users["linphone"] = trunk
            node.directory.routes[CALLEE] = Route("number", CALLEE, "org", trunk, AGENT)
            await phone.ring(f"sip:{CALLEE}@127.0.0.1:{node.endpoint.port}")
            end = await node.be_rung()
            assert node.log.problems == {}, phone.told()
            return end.reason

    assert asyncio.run(scene()) == EndedReason.AGENT_ENDED
    assert heard_ours(tmp_path)
    log = (tmp_path / "linphone.log").read_text(errors="replace")
    assert re.search(r"^Authorization: +Digest .*algorithm=SHA-256", log, re.MULTILINE)


def heard_ours(folder: Path) -> bool:
    """Whether linphonec has written the agent's tone into its file."""
    return loudest(*heard_by(folder)) > HEARD


def heard_by(folder: Path) -> tuple[Pcm, float, int]:
    """What linphonec has written: int16, (n,), the pitch of our tone, and the rate of the file."""
    with wave.open(str(folder / "heard.wav"), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), OURS, file.getframerate()


def loudest(pcm: Pcm, pitch: float, rate: int = LINE_RATE) -> float:
    """The amplitude of a tone in that half of a second which has most of it."""
    return max(strength(part, pitch, rate) for part in np.array_split(pcm, max(1, len(pcm) // (rate // 2))))
