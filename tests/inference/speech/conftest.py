"""Engines live as long as a module's tests: starting a recogniser takes half a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from inference.stt.pocketsphinx import PocketsphinxEngine
from inference.tts.espeak import EspeakEngine


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def tts(runner: asyncio.Runner) -> Iterator[EspeakEngine]:
    engine = EspeakEngine()
    runner.run(engine.start())
    yield engine
    runner.run(engine.aclose())


@pytest.fixture(scope="module")
def stt(runner: asyncio.Runner) -> Iterator[PocketsphinxEngine]:
    engine = PocketsphinxEngine(workers=1, decoders_per_worker=2, checkout_timeout=0.2)
    runner.run(engine.start())
    yield engine
    runner.run(engine.aclose())
