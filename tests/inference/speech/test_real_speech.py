"""Recorded people through G.711: what the README of the test data expects. The recordings are not part of the project."""

from __future__ import annotations

import asyncio
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from inference.stt.base import SttEvent, SttHints
from inference.stt.pocketsphinx import PocketsphinxEngine
from media.frames import EAR_RATE, LINE_RATE, Pcm
from tests.inference.speech.telephone import hear, over_the_line, resampled

pytestmark = pytest.mark.skipif("ANTIPHON_TEST_DATA" not in os.environ, reason="ANTIPHON_TEST_DATA is not set")


def _folder() -> Path:
    return Path(os.environ["ANTIPHON_TEST_DATA"]) / "speech"


def _recording(name: str) -> Pcm:
    path = _folder() / name
    if path.suffix == ".raw":
        return np.fromfile(path, "<i2")
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def _verdict(runner: asyncio.Runner, stt: PocketsphinxEngine, name: str, grammar: str) -> SttEvent:
    async def call() -> SttEvent:
        session = await stt.open()
        pcm = over_the_line(resampled(_recording(name), EAR_RATE, LINE_RATE))
        result, _ = await hear(session, pcm, SttHints((_folder() / grammar).read_text()))
        await session.aclose()
        return result

    return runner.run(call())


@pytest.mark.parametrize(
    ("name", "grammar", "text"),
    [("002.wav", "cards.gram", "four queen of clubs"), ("goforward.raw", "goforward.gram", "go forward ten meters")],
)
def test_understood(runner: asyncio.Runner, stt: PocketsphinxEngine, name: str, grammar: str, text: str) -> None:
    result = _verdict(runner, stt, name, grammar)
    assert (result.kind, result.text, result.confirm) == ("final", text, False)


@pytest.mark.parametrize(("name", "text"), [("001.wav", "ten of clubs"), ("003.wav", "seven of clubs")])
def test_a_false_start_is_never_taken_for_something_else(
    runner: asyncio.Runner, stt: PocketsphinxEngine, name: str, text: str
) -> None:
    """The corpus says that these words were spoken; to ask again is right too, to take other words for them is not."""
    result = _verdict(runner, stt, name, "cards.gram")
    assert result.kind == "rejected" or result.confirm or result.text == text


@pytest.mark.parametrize("grammar", ["cards.gram", "goforward.gram"])
@pytest.mark.parametrize("name", ["0870.wav", "0880.wav"])
def test_prose_is_rejected(runner: asyncio.Runner, stt: PocketsphinxEngine, name: str, grammar: str) -> None:
    assert _verdict(runner, stt, name, grammar).kind == "rejected"
