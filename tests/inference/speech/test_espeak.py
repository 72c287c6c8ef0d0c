"""The embedded voice on the real library."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from inference.tts.base import TtsUnavailable
from inference.tts.espeak import CALLER_VOICE, EspeakEngine, say_pcm
from tests.inference.speech.conformance import SENTENCE, TtsConformance, collect, joined


class TestEspeak(TtsConformance):
    """The suite."""


def test_voice_ids_never_change(tts: EspeakEngine) -> None:
    assert tts.voices()[0].name == "en-us"
    assert CALLER_VOICE == "c38a8fcc-be65-5f9e-8feb-ce68525c779c"
    assert CALLER_VOICE in {voice.id for voice in tts.voices()}


def test_commands_and_markup_are_read_as_text_or_not_at_all(runner: asyncio.Runner, tts: EspeakEngine) -> None:
    plain = runner.run(say_pcm(tts, "one two three"))
    assert len(runner.run(say_pcm(tts, "one \x01 two\x00 three"))) == pytest.approx(len(plain), rel=0.2)
    markup = runner.run(say_pcm(tts, "one <break time='9s'/> two"))
    assert np.abs(markup.astype(np.int32)[8000:-800]).max() > 1000
    assert len(markup) < 6 * 8000
    assert len(runner.run(say_pcm(tts, "[[h@loU]] \ud800 \U0001f600 ok"))) > 1000


def test_word_marks_lie_where_the_words_begin(runner: asyncio.Runner, tts: EspeakEngine) -> None:
    text = "Café. Naïve 😀 people. Stop."
    chunks = runner.run(collect(tts, text))
    marks = {mark.start: mark.sample for chunk in chunks for mark in chunk.marks}
    pcm = np.abs(joined(chunks).astype(np.int32))
    for word in ("Naïve", "Stop"):
        sample = marks[text.index(word)]
        assert pcm[max(0, sample - 800) : sample - 240].max(initial=0) < 600, f"{word}: the pause before it"
        assert pcm[sample : sample + 2400].max() > 2000, word


def test_a_long_text_is_spoken_to_its_end(runner: asyncio.Runner, tts: EspeakEngine) -> None:
    text = "This sentence is one of many, and every one of them is heard. " * 20
    chunks = runner.run(collect(tts, text))
    starts = [mark.start for chunk in chunks for mark in chunk.marks]
    assert text.rindex("heard") in starts
    assert starts == sorted(starts)
    assert len(joined(chunks)) > 60 * 8000


def test_a_short_sentence_does_not_wait_for_a_long_text(runner: asyncio.Runner, tts: EspeakEngine) -> None:
    async def race() -> bool:
        long = asyncio.create_task(collect(tts, SENTENCE * 20))
        await asyncio.sleep(0)
        await collect(tts, "Sure.")
        ahead = not long.done()
        await long
        return ahead

    assert runner.run(race())


def test_an_unread_stream_stays_within_its_window(runner: asyncio.Runner, tts: EspeakEngine) -> None:
    async def unread() -> int:
        stream = tts.speak(SENTENCE * 50, voice=None, speed=1)
        await collect(tts, SENTENCE)
        await collect(tts, SENTENCE)
        waiting = stream._messages.qsize()
        await stream.cancel()
        return waiting

    assert 0 < runner.run(unread()) < 60


def test_a_dead_worker_is_told_and_replaced() -> None:
    async def story() -> None:
        engine = EspeakEngine()
        await engine.start()
        (worker,) = engine._workers.live
        stream = engine.speak(SENTENCE * 50, voice=None, speed=1)
        audio = stream.audio()
        await anext(audio)
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(TtsUnavailable):
            [chunk async for chunk in audio]
        assert len(await say_pcm(engine, SENTENCE)) > 8000
        assert await engine.health() is None
        await engine.aclose()
        await engine.aclose()
        assert await engine.health() is not None

    asyncio.run(story())


def test_no_process_is_left_after_closing() -> None:
    async def story() -> int:
        engine = EspeakEngine()
        await engine.start()
        pid = engine._workers.live[0].pid
        await engine.aclose()
        return pid

    pid = asyncio.run(story())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_signals_to_the_group_do_not_end_a_worker() -> None:
    async def story() -> None:
        engine = EspeakEngine()
        await engine.start()
        (worker,) = engine._workers.live
        os.kill(worker.pid, signal.SIGINT)
        os.kill(worker.pid, signal.SIGTERM)
        assert len(await say_pcm(engine, "Still here.")) > 1000
        assert engine._workers.live == (worker,)
        await engine.aclose()

    asyncio.run(story())


def test_a_missing_package_is_named_and_does_not_stop_the_server(tmp_path: Path) -> None:
    (tmp_path / "espeakng_loader.py").write_text("raise ModuleNotFoundError(name='espeakng_loader')")

    async def story() -> None:
        engine = EspeakEngine(environment={"PYTHONPATH": str(tmp_path)})
        await engine.start()
        assert "espeakng_loader" in str(await engine.health())
        with pytest.raises(TtsUnavailable, match="espeakng_loader"):
            await say_pcm(engine, SENTENCE)
        await engine.aclose()

    asyncio.run(story())
