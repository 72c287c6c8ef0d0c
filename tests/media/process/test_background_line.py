"""A background sound on a call's line: on the wire and in the recording, whatever the agent and the caller do; never in our ear."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from media.codecs.coders import decoder_of
from media.codecs.g711 import decode
from media.frames import BargeIn, Codec, Direction, Paused, Pcm, RtpFormat
from media.inprocess import InProcessPlane
from media.sound_table import Sound
from tests.media.process.line import FORMAT, Line, LoudIsSpeech, on_a_line
from tests.tones import hears, strength, tone

ROOM = Sound("6f1d3c52-0000-5000-8000-000000000001", "room", True, tone(500, 2.0, 8000, 16000))
BRIGHT = Sound("6f1d3c52-0000-5000-8000-000000000002", "bright", True, tone(6000, 2.0, 8000, 16000))
VOICE = 1200
SECOND = 50


def sent(line: Line, first: int = 0) -> Pcm:
    octets = b"".join(packet.payload for packet in line.sent[first:])
    return decode(np.frombuffer(octets, np.uint8), Codec.PCMU)


def voice(seconds: float) -> Pcm:
    return tone(VOICE, seconds, 4000).reshape(-1, 160)


def test_it_goes_on_while_the_agent_speaks_is_silent_and_is_interrupted(tmp_path: Path) -> None:
    async def test(line: Line) -> None:
        line.call.set_background(ROOM.id, 0.25)
        await line.tick(SECOND)
        silent = len(line.sent)
        line.call.play(voice(2.0))
        await line.tick(SECOND)
        speaking = len(line.sent)
        await line.say(8000, SECOND)
        assert line.of(Paused)
        pcm = sent(line)
        room = [pcm[1600 : silent * 160], pcm[silent * 160 : speaking * 160], pcm[(speaking + 5) * 160 :]]
        for part in room:
            assert strength(part, 500) == pytest.approx(2000, rel=0.05)
        assert [hears(part, VOICE) for part in room] == [False, True, False]

    on_a_line(test, recording=tmp_path / "call.wav", barge_in=BargeIn(threshold=0.5, cooldown_ms=0), sounds=[ROOM])
    with wave.open(str(tmp_path / "call.wav")) as wav:
        recorded = np.frombuffer(wav.readframes(wav.getnframes()), np.int16).reshape(-1, 2)
    assert strength(recorded[4000:, 1], 500) == pytest.approx(2000, rel=0.05)
    assert not hears(recorded[:, 0], 500)


def test_the_callers_silence_is_heard_as_silence() -> None:
    async def test(line: Line) -> None:
        line.call.set_background(ROOM.id, 1.0)
        await line.say(0, SECOND)
        assert not line.events
        assert max(int(np.abs(frame.pcm).max()) for frame in line.heard) < 20

    on_a_line(test, barge_in=BargeIn(), sounds=[ROOM])


def test_on_hold_nothing_leaves_and_afterwards_the_room_is_there_again() -> None:
    async def test(line: Line) -> None:
        line.call.set_background(ROOM.id, 0.25)
        await line.tick(SECOND)
        await line.connect(Direction.RECVONLY)
        before = len(line.sent)
        await line.tick(SECOND)
        assert len(line.sent) == before
        await line.connect()
        await line.tick(SECOND)
        back = sent(line, before)
        assert np.abs(back[:160].astype(int)).max() < 8000 * 0.06
        assert strength(back[1600:], 500) == pytest.approx(2000, rel=0.05)

    on_a_line(test, sounds=[ROOM])


def test_an_id_that_is_not_there_and_none_are_silence() -> None:
    async def test(line: Line) -> None:
        line.call.set_background("6f1d3c52-0000-5000-8000-00000000dead", 1.0)
        await line.tick(SECOND)
        line.call.set_background(ROOM.id, 1.0)
        await line.tick(SECOND)
        line.call.set_background(None, 0.0)
        await line.tick(SECOND)
        assert [hears(sent(line)[begin * 160 : begin * 160 + 6400], 500) for begin in (10, 60, 110)] == [False, True, False]  # fmt: skip

    on_a_line(test, sounds=[ROOM])


def test_a_wideband_call_has_it_at_16_khz() -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=RtpFormat(Codec.L16, 97))
        line.call.set_background(BRIGHT.id, 0.5)
        await line.tick(SECOND)
        decoder = decoder_of(Codec.L16)
        packets = [packet for packet in line.sent if packet.payload_type == 97][-30:]
        pcm = np.concatenate([decoder.decode(packet.payload) for packet in packets])
        assert strength(pcm, 6000, 16000) == pytest.approx(4000, rel=0.05)

    on_a_line(test, sounds=[BRIGHT])


def test_a_bridge_silences_it_for_both_and_its_end_brings_it_back() -> None:
    async def run() -> None:
        plane = InProcessPlane(rows=2, vad=LoudIsSpeech(2), sounds=[ROOM])
        lines = [Line(plane, await plane.during(plane.open(str(number), None))) for number in range(2)]
        for line in lines:
            await line.connect()
            line.call.set_background(ROOM.id, 0.25)
        found: list[bool] = []
        for change in (None, lines[0].call.bridge(lines[1].call), lines[0].call.unbridge()):
            if change is not None:
                await plane.during(change)
            await plane.tick(20)
            plane.take_sent()
            await plane.tick(20)
            ports = {line.call.port: b"" for line in lines}
            for packet in plane.take_sent():
                if packet.port in ports:
                    ports[packet.port] += packet.data[12:]
            found += [hears(decode(np.frombuffer(octets, np.uint8), Codec.PCMU), 500) for octets in ports.values()]
        assert found == [True, True, False, False, True, True]
        for line in lines:
            await plane.during(line.call.close())
        plane.stop()

    asyncio.run(run())


def test_keys_are_sent_without_it_and_the_row_of_a_closed_call_has_none() -> None:
    async def run() -> None:
        plane = InProcessPlane(rows=1, vad=LoudIsSpeech(1), sounds=[ROOM])
        first = Line(plane, await plane.during(plane.open("first", None)))
        await first.connect(fmt=FORMAT)
        first.call.set_background(ROOM.id, 1.0)
        await plane.tick(SECOND)
        assert await plane.during(first.call.send_digits("5"))
        first.collect()
        assert {packet.payload_type for packet in first.sent} == {0, 101}
        await plane.during(first.call.close())
        second = Line(plane, await plane.during(plane.open("second", None)))
        await second.connect()
        await second.tick(SECOND)
        assert not hears(sent(second), 500)
        await plane.during(second.call.close())
        plane.stop()

    asyncio.run(run())
