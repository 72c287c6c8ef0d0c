"""linphonec is rung by the server: it answers, hears the agent's tone, and its own is heard."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from media.frames import EAR_RATE
from sipserver.protocols import EndedReason
from tests.peers.linphone import Linphone, needs_linphonec
from tests.peers.speech import write_wav
from tests.peers.test_peer_srtp import LONGEST, OURS, THEIRS, a_node
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
    with wave.open(str(tmp_path / "heard.wav"), "rb") as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert rate >= EAR_RATE // 2
    assert any(hears(part, OURS, rate) for part in np.array_split(samples, max(1, len(samples) // (rate // 2))))
