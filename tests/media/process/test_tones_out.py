"""Keys sent as tones, where the peer takes no telephone-events: what leaves, what waits for it, and what is kept of it."""

from __future__ import annotations

import asyncio
import wave
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from media.codecs.g711 import decode
from media.dtmf import DIGITS, EventSender
from media.frames import Codec, DigitHeard, Direction, Pcm, RtpFormat, RtpRemote
from media.inprocess import InProcessPlane
from media.resample import Down16to8
from media.tone_keys import ToneKeys
from media.tones_out import TonesOut
from tests.keypad import dialled
from tests.media.process.line import FORMAT, PEER, Line, LoudIsSpeech, frames, on_a_line
from tests.media.process.test_wideband import G722, L16, OPUS, WideLine, sent_pcm
from tests.media.process.test_wideband import on as on_wide
from tests.tones import hears, tone

BARE = replace(FORMAT, telephone_event=None)
KEY_MS, PAUSE_MS = 100, 60


def said(line: Line, first: int = 0) -> Pcm:
    """What has left since packet `first`: int16, (packets, 160)."""
    return decode(
        np.frombuffer(b"".join(packet.payload for packet in line.sent[first:]), np.uint8), Codec.PCMU
    ).reshape(-1, 160)


def heard(pcm: Pcm) -> list[tuple[str, int]]:
    """The keys that a receiver hears in it, and for how many milliseconds."""
    listener = ToneKeys(1)
    listener.set_row(0, listens=True)
    for frame in (*pcm, *np.zeros((3, 160), np.int16)):
        listener.hear(np.array([0]), frame[None])
    return [(DIGITS[key.code], key.ms) for key in listener.heard]


def test_every_key_is_heard_as_long_as_it_is_pressed_and_leaves_as_audio() -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=BARE)
        first = len(line.sent)
        assert await line.plane.during(line.call.send_digits(DIGITS))
        await line.tick(6)
        keys = heard(said(line, first))
        assert "".join(digit for digit, _ in keys) == DIGITS
        assert all(abs(ms - KEY_MS) <= 20 for _, ms in keys)
        assert {packet.payload_type for packet in line.sent} == {0}
        for before, after in pairwise(line.sent):
            assert after.sequence == (before.sequence + 1) & 0xFFFF
            assert after.timestamp == (before.timestamp + 160) & 0xFFFFFFFF

    on_a_line(test)


def test_the_voice_fades_waits_and_goes_on_where_it_was() -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=BARE)
        line.call.play(frames(100))
        await line.tick(10)
        played, first = line.call.played(), len(line.sent)
        assert await line.plane.during(line.call.send_digits("5"))
        await line.tick(1)
        assert line.call.played() - played <= 1
        key = heard(said(line, first))
        assert [digit for digit, _ in key] == ["5"]
        await line.tick(5)
        going_on = line.call.played()
        await line.tick(10)
        assert line.call.played() == going_on + 10

    on_a_line(test)


@pytest.mark.parametrize("fmt", [BARE, FORMAT, RtpFormat(Codec.G722, 9)], ids=["tones", "events", "wideband tones"])
def test_what_was_pressed_is_not_in_the_recording(tmp_path: Path, fmt: RtpFormat) -> None:
    """In whatever form it left: it may be the number of a card."""
    path = tmp_path / "call.wav"

    async def test(line: Line) -> None:
        await line.connect(fmt=fmt)
        await line.plane.during(line.call.send_digits("123"))
        await line.tick(5)
        await line.plane.during(line.call.close())

    on_a_line(test, recording=path)
    with wave.open(str(path), "rb") as file:
        agent = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)[:, 1]
    assert len(agent) > 3 * 160 * 8
    assert np.abs(agent.astype(int)).max() < 500


def test_an_echo_of_our_keys_is_no_key_of_the_callers() -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=BARE)
        keys = asyncio.ensure_future(line.call.send_digits("7"))
        for _ in range(30):
            await line.tick()
            echo = line.sent[-6] if len(line.sent) > 6 else line.sent[0]
            line.deliver(replace(line.packet(0), payload=echo.payload))
        assert await keys
        assert line.of(DigitHeard) == []

    on_a_line(test)


@pytest.mark.parametrize("fmt", [G722, L16, OPUS, replace(OPUS, ptime=60)], ids=["G722", "L16", "opus", "opus, 60 ms"])
def test_a_wideband_line_carries_every_key_as_tones(fmt: RtpFormat) -> None:
    """At the rate of the line: heard by our own listener, in half of the samples, and by a Fourier transform of all of them."""

    async def test(line: WideLine) -> None:
        line.call.play(tone(1000, 5.0, rate=16000).reshape(-1, 320))
        await line.tick(12)
        first, played = len(line.sent), line.call.played()
        assert await line.plane.during(line.call.send_digits(DIGITS))
        await line.tick(9)
        said = sent_pcm(line, bare)[first * fmt.ptime * 16 :]
        halves = Down16to8(1)
        down = [halves.step(frame[None], np.array([0]))[0] for frame in said[: len(said) // 320 * 320].reshape(-1, 320)]
        pressed = heard(np.array(down))
        assert "".join(digit for digit, _ in pressed) == DIGITS
        assert all(abs(ms - KEY_MS) <= 20 for _, ms in pressed)
        assert "".join(dialled(said, 16000)) == DIGITS
        assert line.call.played() - played < 15, "the voice did not wait"
        assert hears(sent_pcm(line, bare)[-3200:], 1000, 16000, above=2000), "the voice did not go on"
        assert {packet.payload_type for packet in line.sent} == {fmt.payload_type}

    bare = replace(fmt, telephone_event=None)
    on_wide(bare, test)


def test_on_hold_no_key_leaves() -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=BARE, direction=Direction.RECVONLY)
        assert await line.plane.during(line.call.send_digits("1")) is False

    on_a_line(test)


def test_a_key_that_is_pressed_on_a_bridge_goes_on_as_tones_to_wideband() -> None:
    async def run() -> None:
        plane = InProcessPlane(rows=2, vad=LoudIsSpeech(2))
        bare = replace(G722, telephone_event=None)
        lines = [WideLine(plane, await plane.during(plane.open(name, None))) for name in ("a", "b")]
        for line, fmt in zip(lines, (FORMAT, bare), strict=True):
            await plane.during(line.call.connect(RtpRemote(*PEER), fmt))
        await plane.during(lines[0].call.bridge(lines[1].call))
        for packet in EventSender("7", 100):
            lines[0].deliver(lines[0].numbered(101, packet.payload, packet.offset))
            await plane.tick()
        for _ in range(12):
            await plane.tick()
        lines[1].collect()
        assert dialled(sent_pcm(lines[1], bare), 16000) == ["7"]
        for line in lines:
            await plane.during(line.call.close())
        plane.stop()

    asyncio.run(run())


def test_a_hold_in_the_middle_of_a_key_lets_it_wait() -> None:
    tones = TonesOut(2)
    free, pcm = np.array([False, True]), np.zeros((2, 160), np.int16)
    tones.add(1, 5, token=9)
    for _ in range(3):
        tones.step(free)
    for _ in range(50):
        tones.step(~free)
        tones.lay(pcm)
        assert not pcm.any()
    for _ in range(3):
        assert tones.sent == []
        tones.step(free)
    assert tones.sent == [(1, 9)]
    tones.close_row(1)
    assert not tones.any
    assert not tones.busy.any()
