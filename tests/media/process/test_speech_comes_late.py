"""Speech that comes late: the queue runs empty in the middle of a tone, at full level, and the line hears no edge."""

from __future__ import annotations

import numpy as np
import pytest

from media.codecs.coders import decoder_of
from media.codecs.g711 import decode
from media.frames import BargeIn, Codec, Direction, Pcm, PlayoutIdle, RtpFormat
from media.playout import RAMP_SAMPLES
from tests.media.process.line import LOUD, Line, on_a_line
from tests.media.process.test_no_click import AMPLITUDE, STEEPEST

L16 = RtpFormat(Codec.L16, 97)


def voice(frames: int, rate: int) -> Pcm:
    """A tone of 200 Hz whose frames begin and end at its peak: the worst place to be cut off at."""
    samples = rate // 50
    tone = np.rint(AMPLITUDE * np.cos(2 * np.pi * 200 * np.arange(frames * samples) / rate)).astype(np.int16)
    return tone.reshape(-1, samples)


async def interrupted_by_itself(line: Line, rate: int) -> None:
    """Ten frames, nothing for five ticks, and the next ten."""
    line.sent.clear()
    for _ in range(2):
        line.call.play(voice(10, rate))
        await line.tick(15)
    assert line.call.played() == 20
    assert len(line.of(PlayoutIdle)) == 2
    assert len(line.sent) == 30


def loud_packets(wire: Pcm, samples: int) -> list[int]:
    """Packets whose second half, where no ramp is, is loud."""
    return np.flatnonzero(np.abs(wire.reshape(-1, samples)[:, samples // 2 :].astype(int)).max(axis=1) > LOUD).tolist()


def test_an_empty_queue_fades_out_and_the_next_word_in() -> None:
    async def test(line: Line) -> None:
        await interrupted_by_itself(line, 8000)
        wire = np.concatenate([decode(np.frombuffer(sent.payload, np.uint8), Codec.PCMU) for sent in line.sent])
        assert loud_packets(wire, 160) == [*range(10), *range(15, 25)]
        assert np.abs(np.diff(wire.astype(int))).max() < STEEPEST
        # It has faded away 5 ms after the last sample that was queued.
        after = wire.reshape(-1, 160)[10]
        assert np.abs(after[:4].astype(int)).min() > AMPLITUDE // 2
        assert np.abs(after[RAMP_SAMPLES:].astype(int)).max() < 100

    on_a_line(test, barge_in=BargeIn(enabled=False))


@pytest.mark.parametrize("rate", [16000, 8000])
def test_a_wideband_voice_fades_as_well_whatever_rate_it_was_queued_at(rate: int) -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=L16)
        await interrupted_by_itself(line, rate)
        decoder = decoder_of(Codec.L16)
        wire = np.concatenate([decoder.decode(sent.payload) for sent in line.sent])
        assert loud_packets(wire, 320) == [*range(10), *range(15, 25)]
        assert np.abs(np.diff(wire.astype(int))).max() < STEEPEST
        assert np.abs(wire.reshape(-1, 320)[10, 2 * RAMP_SAMPLES :].astype(int)).max() < 100

    on_a_line(test, barge_in=BargeIn(enabled=False))


def test_what_ended_as_a_hold_began_is_not_heard_after_it() -> None:
    async def test(line: Line) -> None:
        line.call.play(voice(3, 8000))
        await line.tick(3)
        await line.connect(Direction.RECVONLY)
        await line.tick(5)
        line.sent.clear()
        await line.connect(Direction.SENDRECV)
        await line.tick(5)
        wire = np.concatenate([decode(np.frombuffer(sent.payload, np.uint8), Codec.PCMU) for sent in line.sent])
        assert len(line.sent) >= 5
        assert np.abs(wire.astype(int)).max() < 100

    on_a_line(test, barge_in=BargeIn(enabled=False))
