"""What a speech recogniser is to a conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from media.frames import Pcm


class SttUnavailable(Exception):
    """The recogniser cannot serve this utterance: no worker, no decoder in time, or its process died."""


@dataclass(frozen=True, slots=True)
class SttCaps:
    """What an engine can do. `open_vocabulary` False: it needs a grammar, an agent without a script cannot use it."""

    name: str
    languages: tuple[str, ...]
    open_vocabulary: bool
    streaming: bool
    max_sessions: int


@dataclass(frozen=True, slots=True)
class SttHints:
    """What may be said now.

    `grammar` is JSGF: the sentences of the script step; `loose` a JSGF word loop over the same words with fillers,
    tried when the strict one is rejected. `phrases` are plain texts for engines with an open vocabulary.
    """

    grammar: str | None = None
    loose: str | None = None
    phrases: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class SttEvent:
    """What was recognised. Of an utterance there are many `partial`s and one `final` or `rejected`.

    `final` with `confirm` True was understood, but only just: ask back ("Did you say …?"). `rejected` was speech that
    is no sentence of the grammar; `text` then is the closest one, for the log only.
    """

    kind: Literal["partial", "final", "rejected"]
    text: str
    confidence: float | None = None
    confirm: bool = False


class SttSession(Protocol):
    """The recogniser of one call. Utterances follow each other: begin, push …, finalize or reset."""

    async def begin(self, hints: SttHints) -> None:
        """A new utterance starts (a decoder is taken from the pool). Raises SttUnavailable."""

    def push(self, pcm: Pcm) -> None:
        """More of the utterance. pcm: int16, (n,), 16 kHz. Never blocks: a full queue drops and counts."""

    def partials(self) -> AsyncIterator[SttEvent]:
        """Each changed partial of the current utterance; ends when it is finalized or reset."""

    async def finalize(self, timeout: float) -> SttEvent:
        """The utterance is over: its result, within `timeout` seconds. Raises SttUnavailable."""

    async def reset(self) -> None:
        """Forget the utterance. Idempotent."""

    async def aclose(self) -> None:
        """The call is over. Idempotent."""


class SttEngine(Protocol):
    """A recogniser for many calls."""

    caps: SttCaps

    async def start(self) -> None:
        """Get ready (worker processes, decoders)."""

    async def health(self) -> str | None:
        """None when it can serve; else the sentence that says why not."""

    async def open(self) -> SttSession:
        """A session for one call. Raises SttUnavailable."""

    async def pronounce(self, words: frozenset[str]) -> frozenset[str]:
        """Which of these words the engine has no pronunciation for and cannot make one; open engines answer none."""

    async def aclose(self) -> None:
        """End the workers. Idempotent."""
