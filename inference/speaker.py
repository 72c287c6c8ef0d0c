"""The agent's mouth: text to sentences to speech to frames, and the knowledge of which words have been heard.

A `Speech` is one turn of the agent. Its sentences are synthesised one after the other while the text is still being written,
and queued at the media plane well ahead of the wire. Frame numbers count as `CallMedia.played` counts. A word lies where it lies
in these frames, to the sample: it was heard when its last sample has left, which is the one before the next word's first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from inference.llm.base import LlmUnavailable
from inference.phrases import sentences
from inference.tts.base import TtsChunk, TtsEngine, TtsUnavailable
from media.frames import FRAME_MS, LINE_RATE, LINE_SAMPLES, CallMedia, Pcm

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

GAP_FRAMES = 7
"""Silence between two sentences: 140 ms."""
_WAITING_SENTENCES = 16
_FURTHEST_BACK = 50
"""`CallMedia.resume` goes back at most 1 s."""
_LETTERS_PER_SECOND = 15
"""How fast a voice without word marks is taken to speak."""
_TONE_HZ, _TONE_MS, _TONE_LEVEL = 440, 400, 6000


@dataclass(slots=True)
class Sentence:
    """A sentence on its way. `first` is the number of its first frame; `words` are (first sample, first character), samples of the
    sentence at 8 kHz."""

    text: str
    mark: int
    first: int | None = None
    frames: int = 0
    words: list[tuple[int, int]] = field(default_factory=list)
    whole: bool = False

    def heard(self, played: int) -> str:
        """What was heard of it when `played` frames had left."""
        if self.first is None or played <= self.first:
            return ""
        if self.whole and played >= self.first + self.frames:
            return self.text
        if not self.words:
            return self._by_length((played - self.first) * LINE_SAMPLES / LINE_RATE)
        left = (played - self.first) * LINE_SAMPLES
        starts = [start for sample, start in self.words if sample <= left]
        return self.text[: starts[-1]].rstrip() if starts else ""

    def starts(self) -> list[int]:
        """The frames in which it and its words begin."""
        if self.first is None:
            return []
        return [self.first, *(self.first + sample // LINE_SAMPLES for sample, _ in self.words)]

    def _by_length(self, seconds: float) -> str:
        cut = int(seconds * _LETTERS_PER_SECOND)
        return self.text if cut >= len(self.text) else self.text[: max(0, self.text.rfind(" ", 0, cut + 1))]


class Mouth:
    """Everything that is said on one call."""

    def __init__(self, media: CallMedia, engine: TtsEngine | None, voice: str | None, speed: float) -> None:
        self.media = media
        self._engine = engine
        self._voice = voice
        self._speed = speed
        self._mark = 0
        self._dropped = media.queued() - media.played()

    def speech(self) -> Speech:
        """A new turn of the agent."""
        return Speech(self)

    def next_frame(self) -> int:
        """The number that the next queued frame will have."""
        return self.media.queued() - self._dropped

    def all_played(self) -> bool:
        """Whether everything queued has left."""
        return self.media.played() >= self.next_frame()

    async def until_played(self) -> None:
        """Until everything queued has left. For media whose events somebody else reads, who cancels this when it is over."""
        while True:
            left = self.next_frame() - self.media.played()
            if left <= 0:
                return
            await asyncio.sleep(left * FRAME_MS / 1000)

    def next_mark(self) -> int:
        """A mark that was never used on this call."""
        self._mark += 1
        return self._mark

    def say(self, sentence: str, rate: int) -> AsyncIterator[TtsChunk]:
        """The audio of a sentence at 8 or 16 kHz. Raises TtsUnavailable; closing it early cancels the synthesis."""
        return self._say(sentence, rate)

    async def stop(self) -> int:
        """Drop what has not left. Nothing may be queued meanwhile. Returns how many frames have left."""
        played = await self.media.flush()
        self._dropped = self.media.queued() - played
        return played

    async def queue(self, frames: Pcm, mark: int = 0) -> bool:
        """Queue frames, int16 (n, 160) or (n, 320), waiting for room. False when the media is over."""
        while len(frames):
            taken = self.media.play(frames, mark)
            frames, mark = frames[taken:], 0 if taken else mark
            if len(frames):
                await self.media.wait_room(1)
                if self.media.room() == 0:
                    return False
        return True

    async def tone(self) -> None:
        """A short tone: the sign to speak, or the last sign of an agent that has lost its voice."""
        samples = np.arange(LINE_RATE * _TONE_MS // 1000 // LINE_SAMPLES * LINE_SAMPLES)
        wave = _TONE_LEVEL * np.sin(2 * np.pi * _TONE_HZ / LINE_RATE * samples)
        await self.queue(wave.astype(np.int16).reshape(-1, LINE_SAMPLES), self.next_mark())

    async def _say(self, sentence: str, rate: int) -> AsyncIterator[TtsChunk]:
        if self._engine is None:
            raise TtsUnavailable("no voice is configured")
        stream = self._engine.speak(sentence, voice=self._voice, speed=self._speed, line_rate=rate)
        try:
            async for chunk in stream.audio():
                yield chunk
        finally:
            await stream.cancel()


class Speech:
    """One turn of the agent on its way to the caller. `may_play` holds the sound back while it is cleared."""

    def __init__(self, mouth: Mouth) -> None:
        self.sentences: list[Sentence] = []
        self.may_play = asyncio.Event()
        self.failure: LlmUnavailable | TtsUnavailable | None = None
        self._mouth = mouth
        self._rest: Pcm = np.zeros(0, np.int16)
        # Samples of a frame: a sentence keeps its rate, though the call's codec may change meanwhile.
        self._frame = LINE_SAMPLES

    async def speak(self, pieces: AsyncIterator[str]) -> None:
        """Speak a text as it is written; returns when all of it is queued. What failed is in `failure` then."""
        waiting: asyncio.Queue[str | LlmUnavailable | None] = asyncio.Queue(_WAITING_SENTENCES)
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(_write(pieces, waiting))
            try:
                await self._speak_all(waiting)
            except TtsUnavailable as error:
                self.failure = error
            writer.cancel()

    def has_mark(self, mark: int) -> bool:
        """Whether a mark is one of this speech's."""
        return any(sentence.mark == mark for sentence in self.sentences)

    def queued(self) -> bool:
        """Whether any of it has gone to the media plane."""
        return any(sentence.first is not None for sentence in self.sentences)

    def heard(self, played: int) -> str:
        """What was heard when `played` frames had left: whole words only."""
        return " ".join(part for sentence in self.sentences if (part := sentence.heard(played)))

    def word_start(self, played: int) -> int:
        """The frame to go on from after a pause: the start of the word in which it came."""
        starts = [frame for sentence in self.sentences for frame in sentence.starts() if frame <= played]
        return max([*starts, played - _FURTHEST_BACK])

    async def _speak_all(self, waiting: asyncio.Queue[str | LlmUnavailable | None]) -> None:
        while (item := await waiting.get()) is not None:
            if isinstance(item, LlmUnavailable):
                self.failure = item
                return
            if not await self._speak_sentence(item):
                return

    async def _speak_sentence(self, text: str) -> bool:
        """False when the media is over."""
        sentence = Sentence(text, self._mouth.next_mark())
        self.sentences.append(sentence)
        rate = self._mouth.media.rate
        self._frame = rate * FRAME_MS // 1000
        async with aclosing(cast("AsyncGenerator[TtsChunk]", self._mouth.say(text, rate))) as chunks:
            async for chunk in chunks:
                if not await self._add(sentence, chunk):
                    return False
        padding = np.zeros(-len(self._rest) % self._frame + GAP_FRAMES * self._frame, np.int16)
        ended = await self._add(sentence, TtsChunk(padding))
        sentence.frames -= GAP_FRAMES
        sentence.whole = True
        return ended

    async def _add(self, sentence: Sentence, chunk: TtsChunk) -> bool:
        samples = np.concatenate([self._rest, chunk.pcm])
        whole = len(samples) // self._frame * self._frame
        frames, self._rest = samples[:whole].reshape(-1, self._frame), samples[whole:]
        if whole and sentence.first is None:
            await self.may_play.wait()
            sentence.first = self._mouth.next_frame()
        sentence.words += [(-(-mark.sample * LINE_SAMPLES // self._frame), mark.start) for mark in chunk.marks]
        mark = sentence.mark if sentence.frames == 0 else 0
        sentence.frames += len(frames)
        return not whole or await self._mouth.queue(frames, mark)


async def _write(pieces: AsyncIterator[str], waiting: asyncio.Queue[str | LlmUnavailable | None]) -> None:
    """The sentences of a text, in order; at the end None, or what broke it off."""
    try:
        async with aclosing(cast("AsyncGenerator[str]", pieces)) as text:
            async for sentence in sentences(text):
                await waiting.put(sentence)
    except LlmUnavailable as error:
        await waiting.put(error)
    else:
        await waiting.put(None)
