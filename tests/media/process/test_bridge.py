"""Two calls bridged on the tick: who hears whom, when, and what becomes of it when one side holds, loses or leaves."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from media.codecs.g711 import encode
from media.evenly import TOO_MUCH
from media.frames import (
    BargeIn,
    Codec,
    DigitHeard,
    Direction,
    Ducked,
    MarkPlayed,
    MediaTimeout,
    MediaUnavailable,
    Paused,
    Pcm,
    Resumed,
    SpeechStarted,
    Unbridged,
)
from media.inprocess import InProcessPlane
from media.rtp import RtpPacket
from tests.media.process.line import LoudIsSpeech, frames
from tests.media.process.pair import KEYS, Pair, on_a_pair
from tests.tones import hears, strength, tone

A, B, C = 500, 1100, 1800
"""The tone of each side, and of what is announced. All periods fit into 20 ms, so a loop of it has no seam."""


def talk(pair: Pair, *frequencies: int) -> None:
    for side, frequency in zip(pair.sides, frequencies, strict=True):
        side.voice = tone(frequency, 0.2)


def quiet(pcm: Pcm) -> bool:
    """Nothing but comfort noise, and not dead silence."""
    return 0 < int(np.abs(pcm.astype(int)).max()) < 100


def delay(sent: Pcm, heard: Pcm) -> int:
    """By how many samples `heard` is later than `sent`."""
    return int(np.argmax(np.correlate(heard.astype(float), sent.astype(float), "valid")))


@pytest.mark.parametrize(
    "codecs", [(Codec.PCMU, Codec.PCMA), (Codec.PCMA, Codec.PCMU), (Codec.PCMU, Codec.PCMU)], ids=str
)
def test_each_hears_the_other_and_not_itself_from_the_tick_of_the_bridge_on(codecs: tuple[Codec, Codec]) -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        await pair.tick(20)
        assert quiet(one.heard())
        before = len(one.got)
        await pair.during(one.call.bridge(two.call))
        await pair.tick(50)
        for side, hears_this, never in ((one, B, A), (two, A, B)):
            heard = side.heard(before)
            assert strength(heard[160:], hears_this) == pytest.approx(6000, rel=0.03)
            assert not hears(heard, never)
            # The first packet after the order carries it already.
            assert hears(side.heard(before, before + 3), hears_this)

    on_a_pair(test, codecs)


def test_a_packet_that_is_heard_leaves_to_the_other_in_the_same_tick() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        one.voice = np.zeros(160, np.int16)
        await pair.during(one.call.bridge(two.call))
        await pair.tick(10)
        noise = np.random.default_rng(3).normal(0, 3000, 160 * 40).astype(np.int16)
        one.voice = np.concatenate((noise[one.said % len(noise) :], noise[: one.said % len(noise)]))
        one.voice = np.roll(one.voice, one.said)
        count = len(two.got)
        await pair.tick(40)
        assert delay(np.roll(one.voice, -(one.said - 6400))[:4800], two.heard(count)) == 0

    on_a_pair(test)


def test_unbridge_ends_it_on_both_sides_tells_the_other_and_it_can_be_made_again() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        for asks, told in ((one, two), (two, one)):
            await pair.during(one.call.bridge(two.call))
            await pair.tick(20)
            count = len(one.got)
            assert hears(one.heard(count - 15), B)
            assert hears(two.heard(count - 15), A)
            one.events.clear()
            two.events.clear()
            await pair.during(asks.call.unbridge())
            await pair.tick(10)
            assert len(told.of(Unbridged)) == 1
            assert asks.of(Unbridged) == []
            assert quiet(one.heard(count + 2))
            assert quiet(two.heard(count + 2))
        await pair.during(one.call.unbridge())
        await pair.tick()
        assert len(two.of(Unbridged)) == 0

    on_a_pair(test)


def test_neither_the_beginning_nor_the_end_clicks() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        one.voice = np.full(160, 8000, np.int16)
        await pair.tick(5)
        await pair.during(one.call.bridge(two.call))
        await pair.tick(10)
        await pair.during(one.call.unbridge())
        await pair.tick(10)
        heard = two.heard().astype(int)
        assert heard.max() > 7500
        assert int(np.abs(np.diff(heard)).max()) < 600

    on_a_pair(test)


def test_what_is_queued_is_heard_over_the_bridge_on_its_own_side_and_nobody_stops_it_by_speaking() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        await pair.during(one.call.bridge(two.call))
        await pair.tick(10)
        one.events.clear()
        count, played = len(one.got), one.call.played()
        one.call.play(tone(C, 1.0).reshape(-1, 160), mark=9)
        await pair.tick(50)
        heard = one.heard(count)
        assert hears(heard, B)
        assert hears(heard, C)
        assert not hears(two.heard(count), C)
        assert one.call.played() == played + 50
        assert [event.mark for event in one.of(MarkPlayed)] == [9]
        assert one.of(Ducked) == one.of(Paused) == []
        assert hears(two.heard(count), A)

    on_a_pair(test)


def test_two_loud_voices_saturate_and_do_not_wrap_around() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        two.voice = np.full(160, 30000, np.int16)
        await pair.during(one.call.bridge(two.call))
        count = len(one.got)
        one.call.play(frames(20, 30000))
        await pair.tick(20)
        assert int(one.heard(count + 1).min()) > 29000

    on_a_pair(test)


def test_barge_in_is_off_while_bridged_and_as_it_was_set_afterwards() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        one.call.set_barge_in(BargeIn(threshold=0.35, cooldown_ms=0))
        one.call.play(frames(200))
        one.voice = tone(A, 0.2)
        await pair.tick(4)
        [paused] = one.of(Paused)
        # The bridge is a verdict: what was paused goes on.
        await pair.during(one.call.bridge(two.call))
        assert [event.frame for event in one.of(Resumed)] == [paused.played]
        one.call.set_barge_in(BargeIn(threshold=0.3, cooldown_ms=0))
        one.voice = None
        await pair.tick(20)
        one.voice = tone(A, 0.2)
        await pair.tick(10)
        assert len(one.of(SpeechStarted)) == 2
        assert len(one.of(Paused)) == 1
        await pair.during(one.call.unbridge())
        await pair.tick(10)
        # What was being said when the bridge ended is excused.
        assert len(one.of(Paused)) == 1
        one.voice = np.zeros(160, np.int16)
        await pair.tick(10)
        one.voice = tone(A, 0.2)
        await pair.tick(4)
        assert len(one.of(Paused)) == 2

    on_a_pair(test)


@pytest.mark.parametrize("digits", [True, False])
def test_a_key_is_told_and_sent_on_if_that_is_wanted(digits: bool) -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        await pair.tick(5)
        await pair.during(one.call.bridge(two.call, digits=digits))
        for packet in one.press(5):
            one.deliver(packet)
            await pair.tick()
        await pair.tick(20)
        assert [event.digit for event in one.of(DigitHeard)] == ["5"]
        assert two.of(DigitHeard) == []
        keys = [packet.payload[0] for packet in two.got if packet.payload_type == KEYS]
        assert keys == ([5] * 7 if digits else [])
        assert not any(packet.payload_type == KEYS for packet in one.got)
        # A second order changes what is wanted, and interrupts nothing.
        await pair.during(two.call.bridge(one.call, digits=not digits))
        for packet in two.press(7):
            two.deliver(packet)
            await pair.tick()
        await pair.tick(20)
        assert any(packet.payload_type == KEYS for packet in one.got) is not digits
        assert one.of(Unbridged) == two.of(Unbridged) == []

    on_a_pair(test)


def test_a_peer_that_takes_no_keys_gets_none() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(two.connect(telephone_event=None))
        await pair.during(one.call.bridge(two.call))
        for packet in one.press(5):
            one.deliver(packet)
            await pair.tick()
        await pair.tick(10)
        assert len(one.of(DigitHeard)) == 1
        assert {packet.payload_type for packet in two.got} == {8}

    on_a_pair(test)


def test_lost_packets_are_concealed_and_the_delay_grows_by_two_ticks_at_most() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        await pair.during(one.call.bridge(two.call))
        await pair.tick(50)
        pair.lost = lambda side, tick: side is one and tick % 20 == 7
        count = len(two.got)
        await pair.tick(200)
        heard = two.heard(count)
        assert hears(heard, A)
        # Five in a hundred are lost, and no packet is without the tone.
        silent = [n for n in range(200) if np.abs(heard[n * 160 : n * 160 + 160].astype(int)).max() < 2000]
        assert silent == []
        assert strength(one.heard(count), B) == pytest.approx(6000, rel=0.03)

    on_a_pair(test)


def test_what_came_in_a_heap_is_played_evenly_and_its_delay_shrinks_again() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        noise = np.random.default_rng(5).normal(0, 3000, 160 * 1000).astype(np.int16)
        one.voice = noise
        await pair.during(one.call.bridge(two.call))
        await pair.tick(50)
        # The network stands still for 80 ms, then brings everything.
        held = [packet for _ in range(4) if (packet := one.next_packet()) is not None]
        for _ in range(4):
            await pair.plane.tick()
            pair.collect()
        for packet in held:
            one.deliver(packet)
        count = len(two.got)
        begun = one.said
        await pair.tick(20)
        late = delay(noise[begun : begun + 1600], two.heard(count))
        assert late == 4 * 160
        await pair.tick(500)
        begun, count = one.said, len(two.got)
        await pair.tick(20)
        assert delay(noise[begun : begun + 1600], two.heard(count)) <= TOO_MUCH

    on_a_pair(test)


def test_a_peer_that_sends_40_ms_at_a_time_is_heard_evenly() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        noise = np.random.default_rng(6).normal(0, 3000, 320 * 60).astype(np.int16)
        await pair.during(one.call.bridge(two.call))
        for number in range(60):
            payload = encode(noise[320 * number : 320 * number + 320], one.codec).tobytes()
            one.deliver(RtpPacket(0, number, 320 * number, 7, payload))
            if number == 20:
                count = len(two.got)
            await pair.tick(2)
        # From some packet on not a sample is missing or made up.
        sent, heard = noise[320 * 20 : 320 * 50], two.heard(count)
        late = delay(sent, heard)
        assert late <= 160
        assert np.corrcoef(sent, heard[late : late + len(sent)])[0, 1] > 0.99

    on_a_pair(test)


def test_a_side_on_hold_leaves_comfort_noise_and_gets_nothing_and_comes_back() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        await pair.during(one.call.bridge(two.call))
        await pair.tick(30)
        # The second peer holds us: inactive, it neither sends nor hears.
        two.voice = None
        first, second = len(one.got), len(two.got)
        last = two.got[-1]
        await pair.during(two.connect(Direction.INACTIVE))
        await pair.tick(150)
        assert quiet(one.heard(first + 20))
        assert len(two.got) == second
        assert two.of(MediaTimeout) == one.of(MediaTimeout) == []
        two.voice = tone(B, 0.2)
        await pair.during(two.connect(Direction.SENDRECV))
        await pair.tick(30)
        assert hears(one.heard(-25), B)
        assert hears(two.heard(-25), A)
        # The timestamp clock has run on (RFC 3264 section 8.4), the sequence has not.
        again = two.got[second]
        assert again.sequence == (last.sequence + 1) & 0xFFFF
        ticks = len(one.got) - first + 1 - (len(two.got) - second)
        assert (again.timestamp - last.timestamp) & 0xFFFFFFFF == 160 * ticks
        assert again.marker

    on_a_pair(test, timeout_s=1.0)


def test_music_of_a_peer_that_holds_us_is_heard_by_the_other() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        await pair.during(one.call.bridge(two.call))
        await pair.during(two.connect(Direction.RECVONLY))
        count = len(two.got)
        await pair.tick(30)
        assert hears(one.heard(-25), B)
        assert len(two.got) == count

    on_a_pair(test)


@pytest.mark.parametrize("leaves", [0, 1])
def test_when_one_side_closes_the_other_is_told_and_its_call_goes_on(leaves: int) -> None:
    async def test(pair: Pair) -> None:
        gone, stays = pair.sides[leaves], pair.sides[1 - leaves]
        talk(pair, A, B)
        await pair.during(gone.call.bridge(stays.call))
        await pair.tick(20)
        count = len(stays.got)
        await pair.during(gone.call.close())
        await pair.tick(30)
        assert len(stays.of(Unbridged)) == 1
        assert gone.of(Unbridged) == []
        assert quiet(stays.heard(count + 3))
        stays.call.play(tone(C, 0.5).reshape(-1, 160))
        await pair.tick(25)
        assert hears(stays.heard(-20), C)
        with pytest.raises(MediaUnavailable, match="over"):
            await pair.during(stays.call.bridge(gone.call))
        with pytest.raises(MediaUnavailable, match="over"):
            await gone.call.bridge(stays.call)

    on_a_pair(test)


def test_a_third_call_takes_the_place_of_the_second() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        third = await pair.during(pair.plane.open("third", None, beside=one.call))
        await pair.during(one.call.bridge(two.call))
        await pair.tick(10)
        await pair.during(third.bridge(one.call))
        await pair.tick(10)
        assert len(two.of(Unbridged)) == 1
        assert one.of(Unbridged) == []
        assert quiet(two.heard(-8))
        await pair.during(third.close())
        await pair.tick(2)
        assert len(one.of(Unbridged)) == 1
        with pytest.raises(ValueError, match="itself"):
            await one.call.bridge(one.call)

    on_a_pair(test)


def test_calls_of_two_processes_cannot_be_bridged() -> None:
    async def test() -> None:
        planes = [InProcessPlane(rows=1, vad=LoudIsSpeech(1)) for _ in range(2)]
        first, second = [await plane.during(plane.open("call", None)) for plane in planes]
        with pytest.raises(MediaUnavailable, match="same"):
            await first.bridge(second)
        with pytest.raises(MediaUnavailable, match="row"):
            await planes[0].open("beside", None, beside=first)

    asyncio.run(test())


def test_the_recording_has_the_caller_left_and_right_what_the_caller_hears(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def test(pair: Pair) -> None:
        one, two = pair.sides
        talk(pair, A, B)
        await pair.tick(25)
        await pair.during(one.call.bridge(two.call))
        await pair.tick(50)
        one.call.play(tone(C, 0.5).reshape(-1, 160))
        await pair.tick(25)
        await pair.during(one.call.unbridge())
        await pair.tick(25)
        report = await pair.during(one.call.close())
        sent = one.heard()
        with wave.open(str(path)) as wav:
            assert wav.getnframes() == report.duration_samples
            laid = np.frombuffer(wav.readframes(wav.getnframes()), np.int16).reshape(-1, 2)
        left, right = laid[:, 0], laid[:, 1]
        assert hears(left[1600:], A)
        assert not hears(left, B)
        # Sample by sample what left to the caller, but for the packets before its peer was read and G.711's rounding.
        start = len(right) - len(sent)
        assert start % 160 == 0
        assert int(np.abs(right[start:].astype(int) - sent).max()) < 600
        assert hears(right[-160 * 100 : -160 * 30], B)
        assert not hears(right, A)

    on_a_pair(test, recording=path)


def test_keys_faster_than_they_can_be_sent_on_are_told_and_left_out() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        for number in range(60):
            key = one.press(number % 10)[-1]
            one.sequence += 10
            one.deliver(key)
            await pair.tick()
        assert len(one.of(DigitHeard)) == 60
        await pair.tick(400)
        ends = [packet for packet in two.got if packet.payload_type == KEYS and packet.payload[1] & 0x80]
        keys = {packet.timestamp for packet in ends}
        assert 20 < len(keys) < 35

    on_a_pair(test)
