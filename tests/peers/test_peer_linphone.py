"""linphonec is rung by the server and rings it, with credentials: it hears the agent's tone, and its own is heard."""

from __future__ import annotations

import asyncio
import re
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from media.frames import EAR_RATE
from sipserver.protocols import EndedReason, Route, Trunk
from tests.peers.linphone import Linphone, needs_linphonec
from tests.peers.speech import write_wav
from tests.peers.test_peer_srtp import LONGEST, OURS, THEIRS, a_node
from tests.sipserver.call.fakes import AGENT, CALLEE
from tests.tones import hears, tone

pytestmark = [pytest.mark.peer, needs_linphonec]


def test_linphonec_is_heard_and_hears(tmp_path: Path) -> None:
    async def scene() -> EndedReason:
        played = Path(write_wav(tmp_path / "theirs.wav", tone(THEIRS, LONGEST)))
        async with a_node(tmp_path) as node, Linphone(tmp_path, played) as phone:
            end = await node.ring("outbound", phone, "off")  # type: ignore[arg-type]
            assert node.log.problems == {}, phone.told()
            return end.reason

    assert asyncio.run(scene()) == EndedReason.AGENT_ENDED
    assert heard_ours(tmp_path)


def test_linphonec_is_heard_and_hears_over_opus(tmp_path: Path) -> None:
    async def scene() -> EndedReason:
        played = Path(write_wav(tmp_path / "theirs.wav", tone(THEIRS, LONGEST)))
        async with a_node(tmp_path) as node, Linphone(tmp_path, played) as phone:
            wideband = replace(node, codecs=("opus",))
            end = await wideband.ring("outbound", phone, "off")  # type: ignore[arg-type]
            assert node.log.problems == {}, phone.told()
            return end.reason

    assert asyncio.run(scene()) == EndedReason.AGENT_ENDED
    assert heard_ours(tmp_path)


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
    with wave.open(str(folder / "heard.wav"), "rb") as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert rate >= EAR_RATE // 2
    return any(hears(part, OURS, rate) for part in np.array_split(samples, max(1, len(samples) // (rate // 2))))
