"""The embedded recogniser on the real library, hearing the synthetic caller over a telephone line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inference.hear import words_of
from inference.llm.script_engine import ScriptDialogue
from inference.script import read_script
from inference.stt.base import SttHints, SttUnavailable
from inference.stt.pocketsphinx import PocketsphinxEngine
from inference.tts.espeak import CALLER_VOICE, EspeakEngine, say_pcm
from media.frames import Pcm
from tests.inference.speech.conformance import SttConformance
from tests.inference.speech.telephone import GRAMMAR, LOOSE, hear, over_the_line

IN_GRAMMAR = (
    "cancel my order",
    "i want to book an appointment",
    "i would like to speak to a human",
    "what are your opening hours",
    "where is my package",
    "on thursday morning please",
    "yes that is correct",
    "change my delivery address",
)
NOT_IN_GRAMMAR = (
    "the weather in paris was lovely",
    "my dog ate the sandwich",
    "i think the train was late again",
    "my sister moved to canada last year",
)
_spoken: dict[str, Pcm] = {}


@pytest.fixture(scope="module", autouse=True)
def _speech(runner: asyncio.Runner, tts: EspeakEngine) -> None:
    for text in (
        *IN_GRAMMAR,
        *NOT_IN_GRAMMAR,
        "um could you cancel that order please",
        "i am calling from zendesk about my order",
    ):
        _spoken[text] = over_the_line(runner.run(say_pcm(tts, text, CALLER_VOICE, 0.9)))


OPT_OUT = (
    "please stop calling me",
    "stop calling me",
    "please do not call again",
    "do not call me again",
    "remove my number",
)


def test_who_wants_no_more_calls_is_understood(
    runner: asyncio.Runner, stt: PocketsphinxEngine, tts: EspeakEngine
) -> None:
    """With the grammar of a shipped agent; to be asked "did you say …?" is understood too."""
    script = json.loads(Path("config/agents/appointment_reminder.json").read_text("utf-8"))["script"]
    dialogue = ScriptDialogue(read_script(script), {}, lambda: datetime(2026, 11, 22, tzinfo=UTC), print, "en")
    dialogue.open()

    async def call(text: str) -> str:
        session = await stt.open()
        pcm = over_the_line(await say_pcm(tts, text, CALLER_VOICE, 0.9))
        result, _ = await hear(session, pcm, dialogue.hints())
        await session.aclose()
        return f"{result.kind} {' '.join(words_of(result.text))}"

    assert [runner.run(call(text)) for text in OPT_OUT] == [f"final {text}" for text in OPT_OUT]


class TestPocketsphinx(SttConformance):
    """The suite."""

    def understood(self) -> tuple[Pcm, SttHints, str]:
        return _spoken["cancel my order"], SttHints(GRAMMAR), "cancel my order"

    def not_understood(self) -> tuple[Pcm, SttHints]:
        return _spoken["my dog ate the sandwich"], SttHints(GRAMMAR)


def _hear(runner: asyncio.Runner, stt: PocketsphinxEngine, text: str, hints: SttHints) -> tuple[str, str]:
    async def call() -> tuple[str, str]:
        session = await stt.open()
        try:
            result, _ = await hear(session, _spoken[text], hints)
        finally:
            await session.aclose()
        return result.kind, result.text

    return runner.run(call())


@pytest.mark.parametrize("text", IN_GRAMMAR)
def test_a_sentence_of_the_grammar_is_understood(runner: asyncio.Runner, stt: PocketsphinxEngine, text: str) -> None:
    assert _hear(runner, stt, text, SttHints(GRAMMAR)) == ("final", text)


@pytest.mark.parametrize("text", NOT_IN_GRAMMAR)
def test_other_sentences_are_rejected(runner: asyncio.Runner, stt: PocketsphinxEngine, text: str) -> None:
    assert _hear(runner, stt, text, SttHints(GRAMMAR))[0] == "rejected"
    assert _hear(runner, stt, text, SttHints(GRAMMAR, LOOSE))[0] == "rejected"


def test_the_loose_grammar_finds_the_words_of_a_paraphrase(runner: asyncio.Runner, stt: PocketsphinxEngine) -> None:
    kind, text = _hear(runner, stt, "um could you cancel that order please", SttHints(GRAMMAR, LOOSE))
    assert kind == "final"
    assert {"cancel", "order"} <= set(text.split())


def test_partials_come_while_the_caller_speaks(runner: asyncio.Runner, stt: PocketsphinxEngine) -> None:
    async def call() -> None:
        session = await stt.open()
        result, partials = await hear(session, _spoken["i want to book an appointment"], SttHints(GRAMMAR))
        assert [p.text for p in partials][-1] == result.text
        assert len(partials) >= 3
        await session.aclose()

    runner.run(call())


def test_a_name_that_no_dictionary_has_is_learnt(runner: asyncio.Runner, stt: PocketsphinxEngine) -> None:
    names = frozenset({"hello", "zendesk", "müller", "o'brien", "123", "日本", "?", ""})
    assert runner.run(stt.pronounce(names)) == {"123", "日本", "?", ""}
    grammar = "#JSGF V1.0; grammar g; public <who> = i am calling from (zendesk | müller) about my order | goodbye;"
    text = "i am calling from zendesk about my order"
    assert _hear(runner, stt, text, SttHints(grammar)) == ("final", text)


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        (None, "none was given"),
        ("nonsense", "does not compile"),
        ("#JSGF V1.0; grammar g; public <x> = <nowhere>;", "does not compile"),
        ("#JSGF V1.0; grammar g; <private> = hello;", "does not compile"),
        ("#JSGF V1.0; grammar g; public <x> = hello 日本;", "日本"),
    ],
)
def test_a_grammar_that_cannot_be_used_is_refused(
    runner: asyncio.Runner, stt: PocketsphinxEngine, grammar: str | None, reason: str
) -> None:
    async def call() -> None:
        session = await stt.open()
        with pytest.raises(SttUnavailable, match=reason):
            await session.begin(SttHints(grammar))
        await session.aclose()

    runner.run(call())
    assert _hear(runner, stt, "cancel my order", SttHints(GRAMMAR))[1] == "cancel my order"


def test_when_all_decoders_are_taken_the_next_waits_and_is_told(
    runner: asyncio.Runner, stt: PocketsphinxEngine
) -> None:
    async def calls() -> None:
        sessions = [await stt.open() for _ in range(3)]
        await sessions[0].begin(SttHints(GRAMMAR))
        await sessions[1].begin(SttHints(GRAMMAR))
        before = stt.pool.refused
        with pytest.raises(SttUnavailable, match="no decoder"):
            await sessions[2].begin(SttHints(GRAMMAR))
        assert stt.pool.refused == before + 1
        third = asyncio.create_task(sessions[2].begin(SttHints(GRAMMAR)))
        await asyncio.sleep(0)
        await sessions[0].reset()
        await third
        for session in sessions:
            await session.aclose()

    runner.run(calls())


def test_twenty_grammars_do_not_grow_a_decoder(runner: asyncio.Runner, stt: PocketsphinxEngine) -> None:
    for i in range(20):
        grammar = GRAMMAR.replace("grammar desk", f"grammar desk{i}")
        assert _hear(runner, stt, "where is my package", SttHints(grammar)) == ("final", "where is my package")


def test_a_dead_worker_is_told_and_replaced() -> None:
    async def story() -> None:
        engine = PocketsphinxEngine(1, 1, checkout_timeout=20)
        await engine.start()
        (worker,) = engine._workers.live
        session = await engine.open()
        await session.begin(SttHints(GRAMMAR))
        partials = session.partials()
        os.kill(worker.pid, signal.SIGKILL)
        assert [event async for event in partials] == []
        with pytest.raises(SttUnavailable, match="died"):
            await session.finalize(5)
        result, _ = await hear(session, _spoken["cancel my order"], SttHints(GRAMMAR))
        assert result.text == "cancel my order"
        assert engine._workers.restarts == 1
        await session.aclose()
        await engine.aclose()
        with pytest.raises(ProcessLookupError):
            os.kill(worker.pid, 0)

    asyncio.run(story())


def test_a_missing_package_is_named_and_does_not_stop_the_server(tmp_path: Path) -> None:
    (tmp_path / "pocketsphinx.py").write_text("raise ModuleNotFoundError(name='pocketsphinx')")

    async def story() -> None:
        engine = PocketsphinxEngine(environment={"PYTHONPATH": str(tmp_path)}, checkout_timeout=0.05)
        await engine.start()
        assert "'pocketsphinx' is not installed" in str(await engine.health())
        session = await engine.open()
        with pytest.raises(SttUnavailable):
            await session.begin(SttHints(GRAMMAR))
        with pytest.raises(SttUnavailable, match="not installed"):
            await engine.pronounce(frozenset({"hello"}))
        await engine.aclose()

    asyncio.run(story())
