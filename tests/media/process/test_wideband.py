"""Wideband calls on the tick under simulated time: a peer of each codec, what is heard of it, what it hears, and what is lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.codecs.coders import coder_of, decoder_of
from media.codecs.g711 import decode
from media.dtmf import EventSender, TelephoneEvent
from media.frames import BargeIn, Codec, DigitHeard, Direction, Pcm, RtpFormat, RtpRemote
from media.inprocess import InProcessPlane
from media.rtp import RtpPacket
from tests.media.process.line import PEER, Line, LoudIsSpeech
from tests.tones import hears, tone

OPUS = RtpFormat(Codec.OPUS, 111, telephone_event=110, event_rate=48000, fec=True)
G722 = RtpFormat(Codec.G722, 9, telephone_event=101)
L16 = RtpFormat(Codec.L16, 97)
PCMU = RtpFormat(Codec.PCMU, 0)
WIDE = [OPUS, G722, L16]
SECOND = 50


class WideLine(Line):
    """A peer whose packets are of any format: 16 kHz coded as the format says, its own sequence numbers and clock."""

    def __init__(self, plane: InProcessPlane, call: Any) -> None:
        super().__init__(plane, call)
        self.ssrc = 77
        self.elapsed = 0

    def packets(self, pcm: Pcm, fmt: RtpFormat) -> list[RtpPacket]:
        coder, made = coder_of(fmt), []
        step = fmt.codec.clock * coder.packet_ms // 1000
        for frame in pcm.reshape(-1, 320):
            for payload in coder.code(frame if fmt.codec.is_wideband else frame[::2].copy()):
                made.append(self.numbered(fmt.payload_type, payload, self.elapsed))
                self.elapsed += step
        return made

    def numbered(self, payload_type: int, payload: bytes, elapsed: int) -> RtpPacket:
        packet = RtpPacket(payload_type, self.sequence & 0xFFFF, (2**32 - 4000 + elapsed) % 2**32, self.ssrc, payload)
        self.sequence += 1
        return packet

    async def speak(self, packets: Iterable[RtpPacket], ptime: int = 20) -> None:
        """Send packets at their pace."""
        due = 0.0
        for packet in packets:
            while due >= 20:
                await self.tick()
                due -= 20
            self.deliver(packet)
            due += ptime
        await self.tick(round(due / 20))

    def ear(self, last: int = SECOND) -> Pcm:
        """The last frames heard, end to end."""
        return np.concatenate([frame.pcm for frame in self.heard[-last:]])


@asynccontextmanager
async def open_wide(fmt: RtpFormat, recording: Path | None = None) -> AsyncIterator[WideLine]:
    plane = InProcessPlane(rows=2, vad=LoudIsSpeech(2))
    line = WideLine(plane, await plane.during(plane.open("call", recording)))
    async with asyncio.TaskGroup() as group:
        group.create_task(line.read_events())
        group.create_task(line.read_frames())
        line.call.set_barge_in(BargeIn(enabled=False))
        await line.connect(fmt=fmt)
        yield line
        line.report = await plane.during(line.call.close())
        line.collect()
    plane.stop()


def on(fmt: RtpFormat, test: Callable[[WideLine], Coroutine[Any, Any, None]], **settings: Any) -> None:
    async def run() -> None:
        async with open_wide(fmt, **settings) as line:
            await test(line)

    asyncio.run(run())


def sent_pcm(line: WideLine, fmt: RtpFormat) -> Pcm:
    """What the peer makes of the packets of its format that it got."""
    decoder = decoder_of(fmt.codec)
    return np.concatenate(
        [decoder.decode(packet.payload) for packet in line.sent if packet.payload_type == fmt.payload_type]
    )


@pytest.mark.parametrize("fmt", WIDE, ids=lambda fmt: fmt.codec.name)
@pytest.mark.parametrize("ptime", [10, 30, 60])
def test_a_voice_of_any_packet_length_is_heard_at_16_khz_without_a_gap(fmt: RtpFormat, ptime: int) -> None:
    async def test(line: WideLine) -> None:
        packets = line.packets(tone(6000, 1.2, rate=16000), replace(fmt, ptime=ptime))
        length = 1200 // len(packets)
        await line.speak(packets, length)
        await line.tick(10)
        assert hears(line.ear(50)[:9000], 6000, 16000, above=2000)
        first = [frame for frame in line.heard if not frame.concealed]
        assert len(first) >= 59
        assert [b.at - a.at for a, b in itertools.pairwise(first[:51])] == [160] * 50

    on(fmt, test)


@pytest.mark.parametrize("fmt", WIDE, ids=lambda fmt: fmt.codec.name)
def test_the_agent_s_voice_leaves_at_16_khz_and_one_of_8_khz_is_brought_up(fmt: RtpFormat) -> None:
    async def test(line: WideLine) -> None:
        assert line.call.rate == 16000
        line.call.play(tone(6000, 1.0, rate=16000).reshape(-1, 320))
        line.call.play(tone(1000, 1.0, rate=8000).reshape(-1, 160))
        await line.tick(105)
        heard = sent_pcm(line, fmt)
        assert hears(heard[4000:15000], 6000, 16000, above=2000)
        assert hears(heard[20000:31000], 1000, 16000, above=2000)
        assert line.call.played() == 100

    on(fmt, test)


@pytest.mark.parametrize(("fmt", "step"), [(OPUS, 960), (G722, 160), (L16, 320)], ids=["opus", "G722", "L16"])
def test_timestamps_run_at_the_codec_s_clock_and_run_on_through_a_hold(fmt: RtpFormat, step: int) -> None:
    async def test(line: WideLine) -> None:
        await line.tick(10)
        await line.connect(Direction.INACTIVE, fmt)
        await line.tick(25)
        await line.connect(Direction.SENDRECV, fmt)
        await line.tick(10)
        before, after = line.sent[:10], line.sent[-10:]
        assert {(b.timestamp - a.timestamp) % 2**32 for a, b in itertools.pairwise(before)} == {step}
        assert {packet.ssrc for packet in line.sent} == {line.sent[0].ssrc}
        marked = [packet for packet in line.sent if packet.marker]
        assert len(marked) == 2
        assert (marked[1].timestamp - marked[0].timestamp) % 2**32 >= 25 * step
        assert (after[-1].sequence - before[0].sequence) & 0xFFFF == len(line.sent) - 1

    on(fmt, test)


def test_a_lost_packet_of_opus_is_recovered_from_the_next_one() -> None:
    async def test(line: WideLine) -> None:
        packets = line.packets(tone(600, 0.8, rate=16000), OPUS)
        del packets[30]
        await line.speak(packets)
        await line.tick(10)
        lost = [frame for frame in line.heard[:-10] if frame.concealed]
        assert len(lost) == 1
        assert np.abs(lost[0].pcm).max() > 2000

    on(OPUS, test)


def test_a_lost_packet_of_g722_goes_on_with_its_pitch() -> None:
    async def test(line: WideLine) -> None:
        packets = line.packets(tone(250, 0.8, rate=16000), G722)
        del packets[30]
        await line.speak(packets)
        await line.tick(10)
        [lost] = [frame for frame in line.heard[:-10] if frame.concealed]
        assert np.abs(lost.pcm).max() > 3000

    on(G722, test)


def test_a_key_over_opus_is_told_in_its_own_clock_both_ways() -> None:
    async def test(line: WideLine) -> None:
        at = line.elapsed
        for packet in EventSender("7", 200, rate=48000):
            line.deliver(line.numbered(110, packet.payload, at + packet.offset))
            await line.tick()
        assert line.of(DigitHeard) == [DigitHeard(line.of(DigitHeard)[0].at, "7", 200)]
        await line.plane.during(line.call.send_digits("5"))
        line.collect()
        keys = [packet for packet in line.sent if packet.payload_type == 110]
        assert TelephoneEvent.parse(keys[-1].payload).duration == 4800
        assert len({packet.timestamp for packet in keys}) == 1
        audio = [packet for packet in line.sent if packet.payload_type == 111]
        assert 0 <= (keys[0].timestamp - audio[0].timestamp) % 2**32 < 48000

    on(OPUS, test)


def test_a_call_that_changes_its_codec_goes_on_in_the_other() -> None:
    async def test(line: WideLine) -> None:
        await line.speak(line.packets(tone(1000, 1.0, rate=16000), PCMU))
        line.call.play(tone(900, 2.0, rate=8000).reshape(-1, 160))
        await line.tick(10)
        await line.connect(fmt=OPUS)
        line.elapsed *= 6
        await line.speak(line.packets(tone(6000, 1.0, rate=16000), OPUS))
        assert hears(line.ear(40), 6000, 16000, above=2000)
        assert hears(sent_pcm(line, OPUS)[4000:], 900, 16000, above=2000)
        # Another clock is another stream (RFC 7160 section 4.1).
        assert len({packet.ssrc for packet in line.sent}) == 2
        line.call.play(tone(900, 1.0, rate=16000).reshape(-1, 320))
        await line.connect(fmt=PCMU)
        line.sent.clear()
        await line.tick(40)
        codes = np.frombuffer(b"".join(packet.payload for packet in line.sent), np.uint8)
        assert hears(decode(codes, Codec.PCMU), 900, above=2000)
        assert line.call.rate == 8000

    on(PCMU, test)


def test_a_peer_may_change_to_another_payload_type_of_the_answer_in_the_middle() -> None:
    async def test(line: WideLine) -> None:
        await line.speak(line.packets(tone(1000, 1.0, rate=16000), PCMU))
        await line.speak(line.packets(tone(6000, 1.0, rate=16000), G722))
        assert hears(line.ear(40), 6000, 16000, above=2000)
        line.elapsed *= 6
        await line.speak(line.packets(tone(5000, 1.0, rate=16000), OPUS))
        assert hears(line.ear(40), 5000, 16000, above=2000)
        line.elapsed //= 6
        await line.speak(line.packets(tone(700, 1.0, rate=16000), PCMU))
        assert hears(line.ear(40), 700, 16000, above=2000)

    on(replace(PCMU, others=((111, Codec.OPUS),)), test)


def test_the_recording_holds_a_wideband_call_at_8_khz_both_sides(tmp_path: Path) -> None:
    async def test(line: WideLine) -> None:
        line.call.play(tone(1700, 1.0, rate=16000).reshape(-1, 320))
        await line.speak(line.packets(tone(1000, 1.0, rate=16000), OPUS))
        await line.tick(60)

    path = tmp_path / "call.wav"
    on(OPUS, test, recording=path)
    stereo = np.frombuffer(path.read_bytes()[44:], "<i2").reshape(-1, 2)
    assert hears(stereo[1600:7600, 0], 1000, above=2000)
    assert hears(stereo[800:7600, 1], 1700, above=2000)


def test_two_calls_of_different_codecs_are_bridged() -> None:
    async def run() -> None:
        plane = InProcessPlane(rows=2, vad=LoudIsSpeech(2))
        lines = [WideLine(plane, await plane.during(plane.open(name, None))) for name in ("a", "b")]
        for line, fmt in zip(lines, (OPUS, G722), strict=True):
            await plane.during(line.call.connect(RtpRemote(*PEER), fmt))
        await plane.during(lines[0].call.bridge(lines[1].call))
        sides = [line.packets(tone(hz, 1.0, rate=16000), fmt)
                 for line, hz, fmt in zip(lines, (700, 1100), (OPUS, G722), strict=True)]  # fmt: skip
        left: list[list[RtpPacket]] = [[], []]
        for pair in zip(*sides, strict=True):
            for line, packet in zip(lines, pair, strict=True):
                line.deliver(packet)
            await plane.tick()
            for sent in plane.take_sent():
                for line, packets in zip(lines, left, strict=True):
                    if sent.port == line.call.port:
                        packets.append(RtpPacket.parse(sent.data))
        for line, packets in zip(lines, left, strict=True):
            line.sent = packets
        assert hears(sent_pcm(lines[0], OPUS)[4000:], 1100, 16000, above=1500)
        assert hears(sent_pcm(lines[1], G722)[4000:], 700, 16000, above=1500)
        for line in lines:
            await plane.during(line.call.close())
        plane.stop()

    asyncio.run(run())


def test_what_is_no_opus_is_counted_and_nothing_else_happens() -> None:
    async def test(line: WideLine) -> None:
        line.deliver(line.numbered(111, b"", 0))
        line.deliver(line.numbered(111, b"\xff\xff\xff", 960))
        await line.speak(line.packets(tone(600, 0.5, rate=16000), OPUS))
        assert line.plane.link.rings.process.packets_malformed[0] == 2
        assert hears(line.ear(20), 600, 16000)

    on(OPUS, test)


# -- comfort noise ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [PCMU, G722], ids=["PCMU", "G722"])
def test_a_peer_that_falls_silent_by_comfort_noise_is_not_lost(fmt: RtpFormat) -> None:
    async def test(line: WideLine) -> None:
        await line.speak(line.packets(tone(500, 0.5, rate=16000), fmt))
        line.deliver(line.numbered(13, bytes([60]), line.elapsed))
        await line.tick(50)
        line.elapsed += 50 * 160
        quiet = list(line.heard[30:])
        assert len(quiet) > 40
        assert not any(frame.concealed for frame in quiet)
        assert 10 < np.std(np.concatenate([frame.pcm for frame in quiet])) < 60
        before = len(line.heard)
        await line.speak(line.packets(tone(500, 0.5, rate=16000), fmt))
        assert hears(np.concatenate([frame.pcm for frame in line.heard[before:]]), 500, 16000, above=2000)
        # What the peer's first word was waited for at the seam, and no more.
        assert sum(frame.concealed for frame in line.heard) <= 3

    on(fmt, test)


def test_numbers_that_keys_have_used_are_no_loss() -> None:
    async def test(line: WideLine) -> None:
        fmt = replace(PCMU, telephone_event=101)
        await line.speak(line.packets(tone(500, 0.5, rate=16000), fmt))
        for packet in EventSender("1"):
            line.deliver(line.numbered(101, packet.payload, line.elapsed))
            await line.tick()
        line.elapsed += 8 * 160
        [first, *_] = line.packets(tone(500, 0.1, rate=16000), fmt)
        line.deliver(first)
        await line.tick()
        # Heard at once: a buffer that took the keys' numbers for lost audio would wait.
        assert (line.heard[-1].at, line.heard[-1].concealed) == (33 * 160, False)
        assert len(line.of(DigitHeard)) == 1

    on(replace(PCMU, telephone_event=101), test)
