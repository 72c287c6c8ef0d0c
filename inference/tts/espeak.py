"""The embedded voice: espeak-ng in a worker process. It sounds like a machine, and answers in milliseconds on any computer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from inference.tts.base import TtsChunk, TtsEngine, TtsUnavailable, Voice, WordMark
from inference.voices import voice_id
from inference.wire import Message
from inference.workers import Worker, WorkerGone, Workers, WorkerSpec
from media.frames import LINE_RATE, Pcm

WORDS_PER_MINUTE = 165
"""At speed 1: a little slower than espeak-ng's own 175, for the telephone."""
WORKER_TIMEOUT = 2.0
"""Seconds that a sentence waits for a worker that is being restarted."""
CHUNK_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class _EspeakVoice:
    name: str
    espeak: str
    language: str
    gender: str


_VOICES = (
    _EspeakVoice("en-us", "en-us", "en-US", "male"),
    _EspeakVoice("en-us+f3", "en-us+f3", "en-US", "female"),
    _EspeakVoice("en-us+klatt4", "en-us+klatt4", "en-US", "male"),
    _EspeakVoice("en-gb", "en", "en-GB", "male"),
    _EspeakVoice("en-gb+f3", "en+f3", "en-GB", "female"),
    _EspeakVoice("en-gb-x-rp", "en-gb-x-rp", "en-GB", "male"),
    _EspeakVoice("en-gb-scotland", "en-gb-scotland", "en-GB", "male"),
)
CALLER_VOICE = voice_id("espeak", "en-us+klatt4")
"""The voice of the synthetic caller: of espeak-ng's voices the one that the embedded recogniser understands."""


class EspeakEngine:
    """A TtsEngine. One worker synthesises about a thousand seconds of speech a second, so one serves all calls."""

    name = "espeak"

    def __init__(self, workers: int = 1, environment: dict[str, str] | None = None) -> None:
        self._voices = {voice_id(self.name, voice.name): voice for voice in _VOICES}
        spec = WorkerSpec("tts", {"voices": [voice.espeak for voice in _VOICES]}, environment or {})
        self._workers = Workers(spec, workers)
        self._turn = 0

    async def start(self) -> None:
        """Start the workers. What fails is told by `health`, and tried again."""
        await self._workers.start()

    async def health(self) -> str | None:
        """None when a worker is there; else why not."""
        return None if self._workers.live else self._workers.problem or "no worker of the voice is running"

    def voices(self) -> tuple[Voice, ...]:
        """All of English; the first is the default."""
        return tuple(
            Voice(id_, self.name, voice.name, voice.language, voice.gender) for id_, voice in self._voices.items()
        )

    def speak(self, text: str, *, voice: str | None, speed: float, line_rate: int = LINE_RATE) -> EspeakStream:
        """Begin to speak. An unknown voice is told by the stream: TtsUnavailable."""
        known = self._voices.get(voice) if voice is not None else _VOICES[0]
        words = round(WORDS_PER_MINUTE * speed)
        stream = EspeakStream(self._workers, text, known.espeak if known else None, words, line_rate)
        live = self._workers.live
        if live:
            self._turn += 1
            stream.begin(live[self._turn % len(live)])
        return stream

    async def aclose(self) -> None:
        """End the workers. Idempotent."""
        await self._workers.aclose()


class EspeakStream:
    """A TtsStream. What it is sent ahead of its listener is bounded by the worker's window."""

    def __init__(self, workers: Workers, text: str, voice: str | None, rate: int, line_rate: int) -> None:
        self._workers = workers
        self._fields = {"text": text, "voice": voice, "rate": rate, "lineRate": line_rate}
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._worker: Worker | None = None
        self._id = 0
        self._cancelled = False

    def begin(self, worker: Worker) -> None:
        """Hand the text to a worker."""
        if self._fields["voice"] is None:
            return
        self._worker, self._id = worker, worker.new_id()
        worker.listen(self._id, self._messages.put_nowait)
        worker.post(Message("speak", self._id, self._fields))

    async def audio(self) -> AsyncIterator[TtsChunk]:
        """The audio, as it is made; ends early, without an error, when cancelled."""
        try:
            while (chunk := await self._next()) is not None:
                yield chunk
        finally:
            await self.cancel()

    async def cancel(self) -> None:
        """Stop. Nothing comes out of `audio` afterwards; the worker is told and drops the rest."""
        if self._cancelled:
            return
        self._cancelled = True
        if self._worker is not None:
            self._worker.unlisten(self._id)
            self._worker.post(Message("cancel", self._id))
        self._messages.put_nowait(None)

    async def _next(self) -> TtsChunk | None:
        if self._worker is None and not self._cancelled:
            await self._find_worker()
        message = await self._message()
        if self._cancelled:
            return None
        if message is None:
            raise TtsUnavailable("the voice's worker died")
        if message.kind == "failed":
            raise TtsUnavailable(message.fields["reason"])
        return self._chunk(message) if message.kind == "audio" else None

    async def _find_worker(self) -> None:
        if self._fields["voice"] is None:
            raise TtsUnavailable("espeak has no voice with this id")
        try:
            worker = await self._workers.one(WORKER_TIMEOUT)
        except WorkerGone as error:
            raise TtsUnavailable(str(error)) from error
        if not self._cancelled:
            self.begin(worker)

    async def _message(self) -> Message | None:
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT):
                return await self._messages.get()
        except TimeoutError:
            raise TtsUnavailable(f"the voice did not go on within {CHUNK_TIMEOUT:g} s") from None

    def _chunk(self, message: Message) -> TtsChunk:
        pcm = np.frombuffer(message.body, "<i2").astype(np.int16)
        assert self._worker is not None
        self._worker.post(Message("more", self._id, {"samples": len(pcm)}))
        return TtsChunk(pcm, tuple(WordMark(sample, start) for sample, start in message.fields["marks"]))


async def say_pcm(engine: TtsEngine, text: str, voice: str | None = None, speed: float = 1.0) -> Pcm:
    """A whole sentence at once: int16, (n,), 8 kHz. For tests, the demo and its synthetic caller. Raises TtsUnavailable."""
    stream = engine.speak(text, voice=voice, speed=speed)
    chunks = [chunk.pcm async for chunk in stream.audio()]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
