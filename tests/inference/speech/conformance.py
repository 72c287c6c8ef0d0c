"""What every recogniser and every voice must do, whatever it is made of. A test module subclasses these and names its engine."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

from inference.stt.base import SttEngine, SttHints, SttUnavailable
from inference.tts.base import TtsChunk, TtsEngine, TtsUnavailable
from inference.voices import voice_id
from media.frames import Pcm
from tests.inference.speech.telephone import hear

SENTENCE = "Hello, thank you for calling. How can I help you today?"


async def collect(
    engine: TtsEngine, text: str, voice: str | None = None, speed: float = 1.0, line_rate: int = 8000
) -> list[TtsChunk]:
    return [chunk async for chunk in engine.speak(text, voice=voice, speed=speed, line_rate=line_rate).audio()]


def joined(chunks: list[TtsChunk]) -> Pcm:
    return np.concatenate([chunk.pcm for chunk in chunks]) if chunks else np.zeros(0, np.int16)


class TtsConformance:
    """`runner` and `engine` come from a fixture `tts` of the subclass's module."""

    texts: ClassVar[tuple[str, ...]] = ("", "   ", "…", "\x00\x01\x1b")
    """Nothing to say."""

    def test_it_is_healthy_and_has_voices(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        assert runner.run(tts.health()) is None
        voices = tts.voices()
        assert voices
        assert len({voice.id for voice in voices}) == len(voices)
        assert all(voice.id == voice_id(tts.name, voice.name) for voice in voices)

    def test_a_sentence_is_audio_at_the_line_rate(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        chunks = runner.run(collect(tts, SENTENCE))
        pcm = joined(chunks)
        assert pcm.dtype == np.int16
        assert 2.0 < len(pcm) / 8000 < 6.0
        assert np.abs(pcm.astype(np.int32)).max() < 32767

    def test_a_wideband_call_gets_what_lies_above_4_khz(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        wide = joined(runner.run(collect(tts, SENTENCE, line_rate=16000)))
        assert len(wide) == pytest.approx(2 * len(joined(runner.run(collect(tts, SENTENCE)))), rel=0.01)
        power = np.abs(np.fft.rfft(wide.astype(float))) ** 2
        assert power[int(len(power) * 4500 / 8000) :].sum() > 0.0005 * power.sum()

    def test_its_level_is_that_of_a_telephone(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        for voice in tts.voices():
            x = joined(runner.run(collect(tts, SENTENCE, voice.id))).astype(np.float64) / 32768
            active = x[np.abs(x) > 0.01 * np.abs(x).max()]
            assert 20 * np.log10(np.sqrt(np.mean(active**2))) == pytest.approx(-20, abs=2), voice.name

    def test_silence_is_trimmed_at_both_ends(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        x = np.abs(joined(runner.run(collect(tts, SENTENCE))).astype(np.int32))
        loud = np.flatnonzero(x > 100)
        assert loud[0] < 0.02 * 8000
        assert len(x) - loud[-1] < 0.03 * 8000

    def test_words_are_marked_in_order(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        chunks = runner.run(collect(tts, SENTENCE))
        position, starts = 0, []
        for chunk in chunks:
            for mark in chunk.marks:
                assert position <= mark.sample < position + len(chunk.pcm)
                starts.append(mark.start)
            position += len(chunk.pcm)
        assert starts == [i for i, c in enumerate(SENTENCE) if c.isalpha() and (i == 0 or SENTENCE[i - 1] == " ")]

    def test_speed_changes_the_length(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        slow, normal, fast = (len(joined(runner.run(collect(tts, SENTENCE, None, s)))) for s in (0.6, 1.0, 1.5))
        assert slow > 1.3 * normal
        assert fast < 0.8 * normal

    def test_nothing_to_say_is_no_audio(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        for text in self.texts:
            assert not len(joined(runner.run(collect(tts, text)))), repr(text)

    def test_an_unknown_voice_is_an_error(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        with pytest.raises(TtsUnavailable):
            runner.run(collect(tts, SENTENCE, "00000000-0000-0000-0000-000000000000"))

    def test_no_chunk_comes_after_cancel(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        async def cancelled() -> tuple[int, float, list[TtsChunk]]:
            stream = tts.speak(SENTENCE * 200, voice=None, speed=1)
            audio = stream.audio()
            first = await anext(audio)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await stream.cancel()
            await stream.cancel()
            rest = [chunk async for chunk in audio]
            return len(first.pcm), loop.time() - began, rest

        first, took, rest = runner.run(cancelled())
        assert first > 0
        assert rest == []
        assert took < 0.05
        assert len(joined(runner.run(collect(tts, SENTENCE)))) > 8000

    def test_many_streams_at_once_say_the_same_as_one(self, runner: asyncio.Runner, tts: TtsEngine) -> None:
        async def together() -> list[Pcm]:
            return [joined(chunks) for chunks in await asyncio.gather(*(collect(tts, SENTENCE) for _ in range(12)))]

        alone = joined(runner.run(collect(tts, SENTENCE)))
        assert all(abs(len(pcm) - len(alone)) <= 0.05 * len(alone) for pcm in runner.run(together()))


class SttConformance:
    """`runner`, `stt` are fixtures; the subclass says what its engine understands."""

    @abstractmethod
    def understood(self) -> tuple[Pcm, SttHints, str]:
        """Audio (int16, (n,), 16 kHz), what may be said, and what is said."""

    @abstractmethod
    def not_understood(self) -> tuple[Pcm, SttHints]:
        """Speech that is none of what may be said."""

    def test_it_is_healthy(self, runner: asyncio.Runner, stt: SttEngine) -> None:
        assert runner.run(stt.health()) is None
        assert stt.caps.max_sessions > 0
        assert stt.caps.languages

    def test_it_understands_utterance_after_utterance(self, runner: asyncio.Runner, stt: SttEngine) -> None:
        pcm, hints, text = self.understood()

        async def call() -> None:
            session = await stt.open()
            for _ in range(2):
                result, partials = await hear(session, pcm, hints)
                assert (result.kind, result.text) == ("final", text)
                assert result.confidence is not None
                assert 0.5 <= result.confidence <= 1
                assert all(partial.kind == "partial" for partial in partials)
                assert all(a.text != b.text for a, b in pairwise(partials))
            await session.aclose()

        runner.run(call())

    def test_it_rejects_what_is_no_sentence(self, runner: asyncio.Runner, stt: SttEngine) -> None:
        pcm, hints = self.not_understood()

        async def call() -> None:
            session = await stt.open()
            result, _ = await hear(session, pcm, hints)
            assert result.kind == "rejected"
            await session.aclose()

        runner.run(call())

    def test_silence_is_rejected(self, runner: asyncio.Runner, stt: SttEngine) -> None:
        _, hints, _ = self.understood()

        async def call() -> None:
            session = await stt.open()
            result, partials = await hear(session, np.zeros(16000, np.int16), hints)
            assert (result.kind, partials) == ("rejected", [])
            await session.begin(hints)
            assert (await session.finalize(5)).kind == "rejected"
            await session.aclose()

        runner.run(call())

    def test_reset_forgets(self, runner: asyncio.Runner, stt: SttEngine) -> None:
        pcm, hints, text = self.understood()

        async def call() -> None:
            session = await stt.open()
            await session.reset()
            await session.begin(hints)
            session.push(pcm)
            partials = session.partials()
            await session.reset()
            assert [event async for event in partials] == []
            with pytest.raises(SttUnavailable):
                await session.finalize(5)
            session.push(pcm)
            result, _ = await hear(session, pcm, hints)
            assert result.text == text
            await session.aclose()
            await session.aclose()

        runner.run(call())

    def test_calls_do_not_hear_each_other(self, runner: asyncio.Runner, stt: SttEngine) -> None:
        pcm, hints, text = self.understood()
        silence = np.zeros_like(pcm)

        async def call() -> None:
            speaking, silent = await stt.open(), await stt.open()
            heard, nothing = await asyncio.gather(hear(speaking, pcm, hints), hear(silent, silence, hints))
            assert heard[0].text == text
            assert nothing[0].kind == "rejected"
            await asyncio.gather(speaking.aclose(), silent.aclose())

        runner.run(call())
