"""SIPp over IPv6, with sound, on a server whose one socket has both families."""

from __future__ import annotations

import asyncio
import socket
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.frames import LINE_RATE
from tests.peers import scripts
from tests.peers.sipp import Sipp, Transport, needs_sipp
from tests.peers.speech import write_mu_law
from tests.peers.switchboard import Switchboard


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.peer,
    needs_sipp,
    pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6"),
]
TALK = scripts.asking("How can I help you?", ["please call me back"])
SECONDS = 2


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    board = Switchboard(tmp_path_factory.mktemp("dual"))
    board.node.sip = ("[::]", board.node.sip[1])
    with board:
        yield board


@pytest.mark.parametrize(
    ("host", "transport", "family"), [("::1", "udp", "IP6 ::1"), ("::1", "tcp", "IP6 ::1"), ("127.0.0.1", "udp", "IP4 127.0.0.1")]
)  # fmt: skip
def test_a_call_with_sound_both_ways(
    dual: Switchboard, tmp_path: Path, host: str, transport: Transport, family: str
) -> None:
    """The answer is in the family of the offer, and so is everything that we say of ourselves."""
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(SECONDS * LINE_RATE) / LINE_RATE)).astype(np.int16)
    texts = {"speech": write_mu_law(tmp_path / "tone.ulaw", tone), "patience": str(SECONDS * 1000)}
    bracketed = f"[{host}]" if ":" in host else host
    target = f"{bracketed}:{dual.node.sip[1]}"

    async def ring() -> tuple[str, Path]:
        line = await dual.line(TALK, {"sipMode": "ip_allowlist", "sipIp": host})
        peer = Sipp("uac_talks.xml", tmp_path, target, line.number, host, transport, texts)
        await peer.run()
        call = await dual.finished(line)
        assert (call["status"], call["endedReason"]) == ("completed", "customer_ended")
        return await asyncio.to_thread(peer.told), await dual.recording(call, "wav", tmp_path)

    told, recording = dual.run(ring())
    assert f"c=IN {family}" in told.partition("SIP/2.0 200 OK")[2]
    assert f"@{target}" in told.partition("SIP/2.0 200 OK")[2].partition("Contact: ")[2].partition("\n")[0]
    with wave.open(str(recording)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    loudness = np.abs(sound.astype(np.float64)).mean(axis=0)
    assert (loudness > 50).all(), loudness
