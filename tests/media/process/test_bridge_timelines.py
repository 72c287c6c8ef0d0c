"""What the other side of a bridge hears of a network's tricks: lost, late, doubled, reordered, wrapped and restarted streams."""

from __future__ import annotations

import numpy as np
import pytest

from media.codecs.g711 import encode
from media.frames import Codec, Pcm
from media.rtp import RtpPacket
from tests.media.process.pair import Pair, Side, on_a_pair
from tests.tones import strength, tone

FRAMES = 300
SLACK = 120
COMFORT_NOISE = 13


class Talker:
    """The peer of `side`, who says a noise that is found again: packet n holds its frame n."""

    def __init__(self, side: Side, sequence: int = 500, timestamp: int = 8000, ssrc: int = 9) -> None:
        self.side = side
        self.noise = np.random.default_rng(7).normal(0, 3000, 160 * FRAMES).astype(np.int16)
        self.sequence, self.timestamp, self.ssrc = sequence, timestamp, ssrc

    def packet(self, number: int, frames: int = 1, codec: Codec | None = None) -> RtpPacket:
        pcm = self.noise[160 * number : 160 * (number + frames)]
        codec = codec or self.side.codec
        return RtpPacket(
            0 if codec is Codec.PCMU else 8,
            (self.sequence + number // frames) & 0xFFFF,
            (self.timestamp + 160 * number) & 0xFFFFFFFF,
            self.ssrc,
            encode(pcm, codec).tobytes(),
        )

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.side.deliver(self.packet(number))


def heard_of(talker: Talker, listener: Side, first: int, frames: int = 20) -> tuple[int, float]:
    """Where in what was heard the frames from `first` on lie, in samples, and how like themselves they are."""
    sent, heard = talker.noise[160 * first : 160 * (first + frames)].astype(float), listener.heard().astype(float)
    size = len(heard) + len(sent)
    alike = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    at = int(np.argmax(alike[: len(heard) - len(sent) + 1]))
    return at, float(np.corrcoef(sent, heard[at : at + len(sent)])[0, 1])


def shift(talker: Talker, listener: Side, first: int, second: int) -> int:
    """By how many samples the delay has grown from frame `first` to frame `second`. Both are there as they were said."""
    (before, one), (after, two) = heard_of(talker, listener, first), heard_of(talker, listener, second)
    assert one > 0.99
    assert two > 0.99
    return after - before - 160 * (second - first)


@pytest.mark.parametrize("burst", [1, 3, 8])
def test_what_is_lost_is_made_up_and_delays_nothing(burst: int) -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker = Talker(one)
        for number in range(120):
            talker.say(*([] if 40 <= number < 40 + burst else [number]))
            await pair.tick()
        assert shift(talker, two, 10, 60) == 0
        # What was lost does not sound like a hole.
        at = heard_of(talker, two, 10)[0] + 160 * 30
        assert np.abs(two.heard()[at : at + 80].astype(int)).max() > 1000

    on_a_pair(test)


def test_doubled_packets_are_heard_once() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker = Talker(one)
        for number in range(100):
            talker.say(number, number, *([number - 3] if number > 3 else []))
            await pair.tick()
        assert shift(talker, two, 10, 70) == 0

    on_a_pair(test)


def test_packets_that_overtake_each_other_are_waited_for_once_that_is_known() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker = Talker(one)
        for number in range(FRAMES):
            # 13 comes with 14 and after it, 23 with 24, ...
            talker.say(*([] if number % 10 == 3 else [number, number - 1] if number % 10 == 4 else [number]))
            await pair.tick()
        before, after = heard_of(talker, two, 4, 8)[0], heard_of(talker, two, FRAMES - 60, 40)
        assert after[1] > 0.99
        assert abs(after[0] - before - 160 * (FRAMES - 64)) <= SLACK

    on_a_pair(test)


def test_numbers_and_timestamps_wrap_around() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker = Talker(one, sequence=2**16 - 40, timestamp=2**32 - 160 * 50 - 77)
        for number in range(120):
            talker.say(number)
            await pair.tick()
        assert shift(talker, two, 10, 80) == 0
        assert heard_of(talker, two, 30, 40)[1] > 0.99

    on_a_pair(test)


def test_a_stream_that_begins_anew_is_heard_at_once_and_no_later_than_before() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker = Talker(one)
        for number in range(140):
            if number == 60:
                talker.sequence, talker.timestamp, talker.ssrc = 40000, 3_000_000_000, 77
            talker.say(number)
            await pair.tick()
        # Its first packet has to be confirmed by the second.
        assert abs(shift(talker, two, 20, 90)) <= 160

    on_a_pair(test)


def test_the_codec_may_change_in_the_middle() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker = Talker(one)
        for number in range(120):
            one.deliver(talker.packet(number, codec=Codec.PCMA if 40 <= number < 80 else Codec.PCMU))
            await pair.tick()
        assert shift(talker, two, 15, 50) == shift(talker, two, 15, 90) == 0

    on_a_pair(test, codecs=(Codec.PCMU, Codec.PCMU))


@pytest.mark.parametrize("ptime", [40, 60])
def test_long_packets_are_heard_evenly_and_none_is_waited_for_twice(ptime: int) -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker, frames = Talker(one), ptime // 20
        for number in range(0, FRAMES - frames, frames):
            one.deliver(talker.packet(number, frames))
            await pair.tick(frames)
        assert heard_of(talker, two, 30, 150)[1] > 0.99
        assert shift(talker, two, 30, FRAMES - 60) == 0

    on_a_pair(test)


@pytest.mark.parametrize("ptime", [10, 30])
def test_packets_that_are_no_whole_frames_are_heard_evenly(ptime: int) -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker, samples, said = Talker(one), 8 * ptime, 0
        for tick in range(FRAMES - 10):
            while samples * (said + 1) <= 160 * (tick + 1):
                at = samples * said
                octets = encode(talker.noise[at : at + samples], one.codec).tobytes()
                one.deliver(RtpPacket(0, said, 8000 + at, 9, octets))
                said += 1
            await pair.tick()
        # Once it is known how the packets come, nothing is missing and nothing made up.
        assert heard_of(talker, two, FRAMES - 90, 70)[1] > 0.99

    on_a_pair(test)


def test_comfort_noise_is_heard_as_noise_of_its_level_and_speech_after_it_is_not_late() -> None:
    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        talker = Talker(one)
        for number in range(200):
            if number == 60:
                one.deliver(RtpPacket(COMFORT_NOISE, 560, 8000 + 160 * 60, 9, bytes([50])))
            elif not 60 < number < 140:
                talker.sequence = 500 if number < 60 else 500 - 79
                talker.say(number)
            await pair.tick()
        at = heard_of(talker, two, 20)[0] + 160 * (70 - 20)
        noise = two.heard()[at : at + 160 * 65].astype(float)
        # -50 dBov, with our own of -72 below it.
        assert 20 * np.log10(noise.std() / 32768) == pytest.approx(-50, abs=1)
        assert np.abs(noise).max() < 1000
        assert shift(talker, two, 20, 160) == 0
        report = await pair.during(one.call.close())
        assert report.packets_lost == 0
        assert report.quality.heard.concealed_ms == 0

    on_a_pair(test)


def test_a_tone_is_as_loud_over_a_network_that_delays_as_it_was() -> None:
    """Five seconds of packets that come up to 60 ms late: the tone is stretched, and never falls silent or clicks."""

    async def test(pair: Pair) -> None:
        one, two = pair.sides
        await pair.during(one.call.bridge(two.call))
        voice: Pcm = tone(400, 0.2)
        one.voice = voice
        late = np.random.default_rng(4).integers(0, 4, 250)
        waiting: dict[int, list[RtpPacket]] = {}
        pair.lost = lambda side, tick: side is one
        for tick in range(250):
            packet = RtpPacket(0, tick, 160 * tick, 3, encode(voice[:160], one.codec).tobytes())
            waiting.setdefault(tick + int(late[tick]), []).append(packet)
            for come in waiting.pop(tick, []):
                one.deliver(come)
            await pair.tick()
        heard = two.heard()[160 * 100 : 160 * 240]
        assert strength(heard, 400) > 4000
        quietest = min(np.abs(heard[at : at + 160].astype(int)).max() for at in range(0, len(heard), 160))
        assert quietest > 4000

    on_a_pair(test)
