"""Which word left at which sample: what is said to have been heard, held against the packets, tick by tick.

Each word is a level of its own, so the packets themselves say where one ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import accumulate

import numpy as np
import pytest

from inference.speaker import Mouth
from inference.tts.base import TtsChunk, Voice, WordMark
from media.codecs.coders import decoder_of
from media.codecs.g711 import decode
from media.frames import BargeIn, Codec, Pcm, RtpFormat
from tests.media.process.line import Line, on_a_line

PCMU, L16 = RtpFormat(Codec.PCMU, 0), RtpFormat(Codec.L16, 97)
WORDS = ("one", "two", "three", "four", "five")
LENGTHS = (799, 1601, 641, 1440, 1039)
"""Samples at 8 kHz: they end a sample before the end of a frame, with one, a sample after one, and in the middle."""
CHUNK = 500


class Levels:
    """A voice whose words are levels: 2000, 4000 and so on. Its chunks end anywhere."""

    name = "levels"

    async def start(self) -> None: ...

    async def health(self) -> str | None:
        return None

    def voices(self) -> tuple[Voice, ...]:
        return ()

    async def aclose(self) -> None: ...

    def speak(self, text: str, *, voice: str | None, speed: float, line_rate: int = 8000) -> Sentence:
        return Sentence(text, line_rate)


class Sentence:
    def __init__(self, text: str, rate: int) -> None:
        # An odd number more at 16 kHz, where a word may begin between two samples of 8 kHz.
        self.lengths = [length * rate // 8000 + (rate > 8000) for length in LENGTHS]
        self.marks = [
            WordMark(sample, text.find(word))
            for sample, word in zip(accumulate([0, *self.lengths]), WORDS, strict=False)
        ]

    async def audio(self) -> AsyncIterator[TtsChunk]:
        pcm = np.repeat(np.arange(1, len(WORDS) + 1) * 2000, self.lengths).astype(np.int16)
        for start in range(0, len(pcm), CHUNK):
            marks = tuple(mark for mark in self.marks if start <= mark.sample < start + CHUNK)
            yield TtsChunk(pcm[start : start + CHUNK], marks)

    async def cancel(self) -> None: ...


async def text() -> AsyncIterator[str]:
    yield " ".join(WORDS) + "."


def wire(line: Line, codec: Codec) -> Pcm:
    """What the peer makes of what was sent, end to end."""
    if not codec.is_wideband:
        return decode(np.frombuffer(b"".join(packet.payload for packet in line.sent), np.uint8), codec)
    decoder = decoder_of(codec)
    return np.concatenate([decoder.decode(packet.payload) for packet in line.sent])


@pytest.mark.parametrize("fmt", [PCMU, L16], ids=["8 kHz", "16 kHz"])
def test_a_word_was_heard_when_its_last_sample_is_on_the_wire(fmt: RtpFormat) -> None:
    async def test(line: Line) -> None:
        await line.connect(fmt=fmt)
        line.sent.clear()
        speech = Mouth(line.call, Levels(), None, 1.0).speech()
        speech.may_play.set()
        await speech.speak(text())
        frame = line.call.rate // 50
        ends = list(accumulate(Sentence("", line.call.rate).lengths))
        for tick in range(1, ends[-1] // frame + 8):
            await line.tick()
            heard = speech.heard(line.call.played()).rstrip(".").split()
            assert heard == [word for word, end in zip(WORDS, ends, strict=True) if end <= tick * frame]
        levels = np.rint(wire(line, fmt.codec)[: ends[-1]] / 2000).astype(int)
        ramp = frame // 4
        assert (levels[ramp:] == np.repeat(range(1, 6), np.diff([0, *ends]))[ramp:]).all()

    on_a_line(test, barge_in=BargeIn(enabled=False))


def test_the_agent_goes_on_with_the_frame_in_which_the_word_begins() -> None:
    async def test(line: Line) -> None:
        speech = Mouth(line.call, Levels(), None, 1.0).speech()
        speech.may_play.set()
        await speech.speak(text())
        # The words begin at samples 0, 799, 2400, 3041 and 4481: in frames 0, 4, 15, 19 and 28.
        starts = {0: 0, 3: 0, 4: 4, 14: 4, 15: 15, 18: 15, 19: 19, 27: 19, 28: 28, 34: 28}
        assert {played: speech.word_start(played) for played in starts} == starts

    on_a_line(test, barge_in=BargeIn(enabled=False))
