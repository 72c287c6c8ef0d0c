"""What a voice is to a conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from media.frames import LINE_RATE, Pcm


class TtsUnavailable(Exception):
    """The voice cannot speak now: its worker died, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of this installation. `id` is the UUIDv5 of engine and name, the same on every machine."""

    id: str
    engine: str
    name: str
    language: str
    gender: str | None = None


@dataclass(frozen=True, slots=True)
class WordMark:
    """A word begins at sample `sample` of the utterance's audio (line rate); `start` is its first character in the text."""

    sample: int
    start: int


@dataclass(frozen=True, slots=True)
class TtsChunk:
    """A piece of speech. pcm: int16, (n,), at the line rate that was asked for, and the words that begin in it."""

    pcm: Pcm
    marks: tuple[WordMark, ...] = ()


class TtsStream(Protocol):
    """One sentence being spoken. Iterate for its audio; `cancel` stops it: no chunk after it returns, within 50 ms."""

    def audio(self) -> AsyncIterator[TtsChunk]:
        """The audio, as it is made. Raises TtsUnavailable."""

    async def cancel(self) -> None:
        """Stop. Idempotent."""


class TtsEngine(Protocol):
    """Voices for many calls."""

    name: str

    async def start(self) -> None:
        """Get ready (worker processes)."""

    async def health(self) -> str | None:
        """None when it can speak; else the sentence that says why not."""

    def voices(self) -> tuple[Voice, ...]:
        """What it can speak with; the first is the default."""

    def speak(self, text: str, *, voice: str | None, speed: float, line_rate: int = LINE_RATE) -> TtsStream:
        """Begin to speak `text` (one sentence). `voice` is a Voice id, None the default; `speed` 0.6–1.5.

        line_rate: 8000, or 16000 for a wideband call; the voice's own rate is brought to it once.
        """

    async def aclose(self) -> None:
        """End the workers. Idempotent."""
