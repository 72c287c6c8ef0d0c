"""Our own voice that comes back: packets that the call has sent are returned later and weaker, as G.711, and Silero listens."""

from __future__ import annotations

import asyncio
import os
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from media.codecs.g711 import decode, encode
from media.frames import BargeIn, Codec, MediaEvent, Paused, Pcm, RtpFormat, RtpRemote, SpeechStarted
from media.inprocess import InProcessPlane
from media.rtp import RtpPacket

pytestmark = pytest.mark.skipif("ANTIPHON_TEST_DATA" not in os.environ, reason="ANTIPHON_TEST_DATA is not set")

LEVELS = (-6, -12, -20, -30, -40)
DELAYS = (1, 7, 13, 25)
"""Ticks: with the one that a packet takes anyway, 20 to 500 ms."""
PEER = ("192.0.2.1", 4000)
SPEECH_AT = 100
"""Tick at which the caller speaks, where one does: 2 s."""
TICKS = 350


def recording(name: str, level: float) -> np.ndarray:
    """At 8 kHz, float, with this root mean square."""
    with wave.open(str(Path(os.environ["ANTIPHON_TEST_DATA"], "speech", name))) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    slower = pcm[: len(pcm) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return slower * level / np.sqrt((slower**2).mean())


def whole(sound: np.ndarray) -> Pcm:
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


class Lines:
    """Calls whose peers return what they get, `delay` ticks later and `level` dB weaker, and may speak into it."""

    def __init__(self, echoes: list[tuple[int, int]], caller: np.ndarray | None, agent: np.ndarray) -> None:
        self.echoes = echoes
        self.caller = caller
        self.agent = agent
        self.events: list[list[MediaEvent]] = [[] for _ in echoes]

    async def run(self) -> None:
        count = len(self.echoes)
        plane = InProcessPlane(rows=count, vad=None)
        calls = [await plane.during(plane.open(f"call{n}", None)) for n in range(count)]
        readers = [asyncio.create_task(self.read(n, call.events)) for n, call in enumerate(calls)]
        for call in calls:
            call.set_barge_in(BargeIn())
            await plane.during(call.connect(RtpRemote(*PEER), RtpFormat(Codec.PCMU, 0)))
            call.play(whole(self.agent[: TICKS * 160]).reshape(-1, 160))
        ports = {call.port: n for n, call in enumerate(calls)}
        sent: list[list[np.ndarray]] = [[] for _ in calls]
        noise = np.random.default_rng(3)
        for tick in range(TICKS):
            for n, call in enumerate(calls):
                delay, level = self.echoes[n]
                heard = noise.normal(0, 5, 160)
                if len(sent[n]) >= delay:
                    heard += sent[n][-delay] * 10 ** (level / 20)
                at = (tick - SPEECH_AT) * 160
                if self.caller is not None and 0 <= at <= len(self.caller) - 160:
                    heard += self.caller[at : at + 160]
                payload = encode(whole(heard), Codec.PCMU).tobytes()
                plane.deliver(call, bytes(RtpPacket(0, tick, tick * 160, 77, payload)), PEER)
            await plane.tick()
            for packet in plane.take_sent():
                if packet.port in ports:
                    payload = np.frombuffer(RtpPacket.parse(packet.data).payload, np.uint8)
                    sent[ports[packet.port]].append(decode(payload, Codec.PCMU).astype(float))
        for call in calls:
            await plane.during(call.close())
        await asyncio.gather(*readers)
        plane.stop()

    async def read(self, line: int, events: Callable[[], AsyncIterator[MediaEvent]]) -> None:
        async for event in events():
            self.events[line].append(event)


def played(echoes: list[tuple[int, int]], caller: np.ndarray | None = None) -> list[list[MediaEvent]]:
    lines = Lines(echoes, caller, recording("0870.wav", 2600))
    asyncio.run(lines.run())
    return lines.events


def pauses(events: list[MediaEvent]) -> list[int]:
    """The ticks of the pauses."""
    return [event.at // 160 for event in events if isinstance(event, Paused)]


def test_our_own_voice_stops_nothing_at_any_level_and_delay() -> None:
    echoes = [(delay, level) for level in LEVELS for delay in DELAYS]
    events = played(echoes)
    stopped = {echo: len(pauses(heard)) for echo, heard in zip(echoes, events, strict=True) if pauses(heard)}
    # 40 dB down it is hardly above the steps of G.711: one stop there, before the delay is known, is let pass.
    assert set(stopped) <= {(delay, -40) for delay in DELAYS}
    assert sum(stopped.values()) <= 1
    # Of 20 lines times seven seconds of speech that come back, single frames are told as speech, mostly before the delay is known.
    assert sum(isinstance(event, SpeechStarted) for heard in events for event in heard) <= 10


def test_a_caller_who_speaks_into_the_echo_stops_the_agent_about_as_soon_as_without_one() -> None:
    caller = recording("0880.wav", 2000)
    echoes = [(1, -200), *((delay, level) for level in LEVELS for delay in (7, 25))]
    alone, *rest = (pauses(heard) for heard in played(echoes, caller))
    assert alone[0] > SPEECH_AT
    # A frame of the detector is 1.6 ticks; the place of the agent's syllables under the caller's decides about a second one.
    late = [first[0] - alone[0] if first else TICKS for first in rest]
    assert np.median(late) <= 2
    assert max(late) <= 8
    assert all(first[0] >= SPEECH_AT for first in rest)


def test_a_quiet_echo_of_the_first_words_stops_nothing_though_the_line_is_young() -> None:
    """Less than 1.28 s of the line has come: what noise it has is known from those frames alone."""
    # From its 83rd frame on the agent speaks at once.
    agent = np.roll(recording("0870.wav", 1500), -83 * 160)
    lines = Lines([(delay, -30) for delay in DELAYS], None, agent)
    asyncio.run(lines.run())
    assert [pauses(events) for events in lines.events] == [[]] * len(DELAYS)


def test_our_own_voice_stops_nothing_where_it_is_dead_silent_between_words() -> None:
    """As synthetic voices are: the detector hears speech for some frames after its end, where nothing was sent that could explain it."""
    agent = recording("0870.wav", 2600)
    frames = agent[: len(agent) // 160 * 160].reshape(-1, 160)
    power = (frames**2).mean(axis=1)
    frames[power < power.max() / 300] = 0
    echoes = [(delay, level) for level in (-6, -12, -20, -30) for delay in DELAYS]
    lines = Lines(echoes, None, agent)
    asyncio.run(lines.run())
    assert [pauses(events) for events in lines.events] == [[]] * len(echoes)
