"""baresip with SRTP: an agent's tone goes there encrypted, is echoed, and comes back encrypted; one that rings has a tone of its own.

Signalling, media process and recording are the real ones; who keeps the calls and who talks are stand-ins.
"""

from __future__ import annotations

import asyncio
import os
import wave
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from media.frames import EAR_RATE, LINE_SAMPLES, BargeIn, Pcm
from media.plane import PlaneConfig, ProcessMediaPlane
from sipserver.calls import Calls
from sipserver.capacity import Limits
from sipserver.guard import Challenger, SourceGuard
from sipserver.guard.challenge import Algorithm
from sipserver.ladder import Ladder
from sipserver.party import Services
from sipserver.protocols import CallEnd, ConversationEnd, DialOrder, EndedReason, LiveCall, Route, Trunk, TrunkOptions
from sipserver.sdes import Mode
from sipserver.useragent import SipEndpoint
from tests.peers.baresip import ECHO, Baresip, needs_baresip
from tests.peers.ports import free_block
from tests.peers.speech import write_wav
from tests.sipserver.call.fakes import AGENT, AT_ONCE, CALLEE, CALLER, FakeConversations, FakeDirectory, FakeLog
from tests.tones import heard_at, hears, tone
from tests.virtual_time import microseconds

pytestmark = [pytest.mark.peer, needs_baresip]
OURS, THEIRS = 700, 1100
"""Pitches of the agent's tone, and of that of the softphone that rings: where it rings, its bridge sends nothing back."""
LONGEST = 30
"""Seconds after which an echo has not come, on a machine that does much else."""


class Log(FakeLog):
    """Recordings lie where the test finds them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def recording_path(self, call_id: str) -> str:
        return str(self.folder / f"{call_id}.wav")


@dataclass(frozen=True, slots=True)
class Node:
    """What a server is made of, as far as it matters here."""

    endpoint: SipEndpoint
    calls: Calls
    log: Log
    directory: FakeDirectory

    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    """Of the trunk."""

    def trunk(self, mode: Mode, port: int = 5060) -> Trunk:
        return Trunk(
            "trunk", "org", "ip_allowlist", "127.0.0.1", port,
            sources=("127.0.0.1",), options=TrunkOptions(srtp=mode, codecs=self.codecs),
        )  # fmt: skip

    async def ring(self, call_id: str, peer: Baresip, mode: Mode) -> CallEnd:
        """The agent rings the softphone."""
        await self.calls.dial(
            DialOrder(call_id, "org", AGENT, "number", CALLEE, CALLER, self.trunk(mode, peer.port), {}, LONGEST)
        )
        return self.log.ends[call_id]

    async def be_rung(self) -> CallEnd:
        """The end of the only inbound call."""
        async with asyncio.timeout(LONGEST):
            while "inbound" not in self.log.ends:  # noqa: ASYNC110 (a stand-in has no bell)
                await asyncio.sleep(0.05)
        return self.log.ends["inbound"]


@asynccontextmanager
async def a_node(
    folder: Path, users: Mapping[str, Trunk] | None = None, algorithms: Sequence[Algorithm] = ("SHA-256", "MD5")
) -> AsyncIterator[Node]:
    """`users` are trunks whose peers show credentials, by one of the `algorithms`."""
    port = free_block(20)
    plane = ProcessMediaPlane(PlaneConfig(ports=(port, port + 19), processes=1, rows=4))
    log, directory, conversations = Log(folder), FakeDirectory(), FakeConversations()
    conversations.talk = until_a_tone_is_heard
    ladder = Ladder(log.publish)
    challenger = Challenger(lambda: users or {}, "antiphon", algorithms, os.urandom(32), os.urandom)
    guard = SourceGuard(directory, asyncio.get_running_loop().time, challenger=challenger)
    endpoint = SipEndpoint("127.0.0.1", 0, transports=("udp",), guard=guard, tap=ladder.tap)
    services = Services(log, plane, conversations, ladder, microseconds)
    calls = Calls(endpoint, services, directory, lambda: "inbound", Limits(max_calls=4), AT_ONCE, shown=guard.shown)
    await plane.start()
    try:
        await calls.start()
        yield Node(endpoint, calls, log, directory)
    finally:
        await calls.stop()
        await endpoint.stop()
        await plane.stop()


async def until_a_tone_is_heard(call: LiveCall) -> ConversationEnd:
    """A tone without end, until half a second of it has come back, or of the other side's. Nothing interrupts it: Silero takes the
    beginning of a tone at 16 kHz for speech, and would have ours ducked and paused for the little time that these calls last."""
    call.media.set_barge_in(BargeIn(enabled=False))
    frames = tone(OURS, 1.0).reshape(-1, LINE_SAMPLES)
    heard: list[Pcm] = []
    async with asyncio.timeout(LONGEST):
        async for frame in call.media.hear(0):
            call.media.play(frames[: min(len(frames), call.media.room())])
            heard.append(frame.pcm)
            latest = np.concatenate(heard[-25:])
            if len(heard) >= 75 and (hears(latest, OURS, EAR_RATE) or hears(latest, THEIRS, EAR_RATE)):
                return ConversationEnd(EndedReason.AGENT_ENDED)
    raise AssertionError


def test_both_ways_are_heard_secure_and_plain(tmp_path: Path) -> None:
    """The plain softphone says 488 to RTP/SAVP, and is asked once more. baresip takes the first suite of our offer, AES-GCM, in which both
    sides are heard then; its own offer begins with AES in counter mode."""

    async def scene() -> tuple[Log, dict[str, CallEnd]]:
        async with a_node(tmp_path) as node:
            trunk = node.trunk("required")
            node.directory.trunks["127.0.0.1"] = (trunk,)
            node.directory.routes[CALLEE] = Route("number", CALLEE, "org", trunk, AGENT)
            uri = f"sip:{CALLEE}@127.0.0.1:{node.endpoint.port}"
            source = "aufile," + write_wav(tmp_path / "theirs.wav", tone(THEIRS, LONGEST))
            async with (
                Baresip(tmp_path, CALLER, ECHO, secure=True) as rung,
                Baresip(tmp_path, CALLER, ECHO) as plain,
                Baresip(tmp_path, CALLER, source, dials=uri, secure=True) as ringing,
            ):
                ends = await asyncio.gather(
                    node.ring("outbound", rung, "required"), node.ring("fallback", plain, "preferred"), node.be_rung()
                )
            assert any("SRTP is Enabled (cryptosuite=AEAD_AES_128_GCM)" in line for line in rung.log), rung.log
            assert any("SRTP is Enabled (cryptosuite=AES_CM_128_HMAC_SHA1_80)" in line for line in ringing.log), (
                ringing.log
            )
            assert any("incoming rtp for 'audio' established" in line for line in ringing.log), ringing.log
            return node.log, dict(zip(("outbound", "fallback", "inbound"), ends, strict=True))

    log, ends = asyncio.run(scene())
    for name, end in ends.items():
        assert end.reason == EndedReason.AGENT_ENDED, (name, end, log.problems)
        assert end.media is not None
        assert end.media.packets_received >= 25
        caller, agent = channels(tmp_path / f"{name}.wav")
        assert sum(heard_at(caller, THEIRS if name == "inbound" else OURS)) >= 8, name
        assert sum(heard_at(agent, OURS)) >= 8, name
    assert log.problems == {}
    asked = [event.data["summary"] for call, event in log.published if call == "fallback" and event.kind == "sip"]
    assert "488 Not Acceptable Here" in asked
    assert sum(summary.startswith("INVITE") for summary in asked) >= 2


def test_baresip_rings_and_shows_its_credentials(tmp_path: Path) -> None:
    """No trunk has its address. A wrong password is the end of it; the right one is a call. baresip 1 gives up where it meets an
    algorithm that it does not know, and is challenged by MD5 alone."""

    async def scene() -> tuple[Log, CallEnd]:
        users: dict[str, Trunk] = {}
        async with a_node(tmp_path, users, ("MD5",)) as node:
            trunk = replace(node.trunk("off"), inbound_username=CALLER, inbound_password="s3cret")
            users[CALLER] = trunk
            node.directory.routes[CALLEE] = Route("number", CALLEE, "org", trunk, AGENT)
            uri = f"sip:{CALLEE}@127.0.0.1:{node.endpoint.port}"
            source = "aufile," + write_wav(tmp_path / "theirs.wav", tone(THEIRS, LONGEST))
            async with Baresip(tmp_path, CALLER, source, dials=uri, password="guessed") as stranger:
                async with asyncio.timeout(LONGEST):
                    while not any("session closed: 401" in line for line in stranger.log):  # noqa: ASYNC110 (a log has no bell)
                        await asyncio.sleep(0.05)
            assert node.log.ends == {}, stranger.log
            async with Baresip(tmp_path, CALLER, source, dials=uri, password="s3cret") as ringing:
                end = await node.be_rung()
            assert any("incoming rtp for 'audio' established" in line for line in ringing.log), ringing.log
            return node.log, end

    log, end = asyncio.run(scene())
    assert log.problems == {}
    assert end.reason == EndedReason.AGENT_ENDED
    caller, agent = channels(tmp_path / "inbound.wav")
    assert sum(heard_at(caller, THEIRS)) >= 8
    assert sum(heard_at(agent, OURS)) >= 8


def channels(path: Path) -> tuple[Pcm, ...]:
    """What the caller and the agent said, as the recording has it."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return samples[:, 0], samples[:, 1]
