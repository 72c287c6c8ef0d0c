"""The agent's ear: one recogniser session per call, one utterance after the other.

An utterance begins when speech does (a little before: the caller's first sound counts) and is fed with frames until it is
finished or dropped. The next one waits until the recogniser is done with the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from inference.stt.base import SttEngine, SttEvent, SttHints, SttSession, SttUnavailable
from media.frames import LINE_RATE, CallMedia, HeardFrame

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LEAD = LINE_RATE * 200 // 1000
"""How much is heard from before the onset, in samples."""
_FURTHEST_BACK = LINE_RATE * 500 // 1000
FINAL_SECONDS = 3.0
"""How long the recogniser may take for its result."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What the recogniser makes of the utterance so far."""

    utterance: int
    text: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """The result of an utterance that was finished."""

    utterance: int
    event: SttEvent


@dataclass(frozen=True, slots=True)
class Deaf:
    """The recogniser could not serve the utterance."""

    utterance: int
    reason: str


Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
Report = Callable[[Partial | Recognised | Deaf], Awaitable[None]]


class Listener:
    """The ear of one call. Everything it finds goes to `report`; `start` makes its tasks."""

    def __init__(self, engine: SttEngine | None, media: CallMedia, start: Start, report: Report) -> None:
        self._engine = engine
        self._session: SttSession | None = None
        self._media = media
        self._start_task = start
        self._report = report
        self._turnstile = asyncio.Lock()
        self._number = 0
        self._current: tuple[asyncio.Event, asyncio.Task[None]] | None = None

    async def open(self) -> None:
        """Get a session. Raises SttUnavailable."""
        if self._engine is None:
            raise SttUnavailable("no recogniser is configured")
        self._session = await self._engine.open()

    async def aclose(self) -> None:
        """The call is over. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    def start(self, at: int, hints: SttHints) -> int:
        """An utterance begins at position `at`. Returns its number."""
        self._number += 1
        finished = asyncio.Event()
        self._current = finished, self._start_task(self._utterance(self._number, at - LEAD, hints, finished))
        return self._number

    def finish(self) -> int | None:
        """The utterance is over: `Recognised` or `Deaf` will be reported with this number. None: it has failed already."""
        current, self._current = self._current, None
        if current is None:
            return None
        current[0].set()
        return self._number

    def drop(self) -> None:
        """The utterance is nothing: forget it."""
        current, self._current = self._current, None
        if current is not None:
            current[1].cancel()

    async def _utterance(self, number: int, start: int, hints: SttHints, finished: asyncio.Event) -> None:
        session = self._session
        if session is None:
            return
        async with self._turnstile:
            try:
                await session.begin(hints)
                event = await self._hear(session, number, start, finished)
            except SttUnavailable as error:
                if number == self._number and not finished.is_set():
                    self._current = None
                await self._report(Deaf(number, str(error)))
            else:
                await self._report(Recognised(number, event))
            finally:
                await session.reset()

    async def _hear(self, session: SttSession, number: int, start: int, finished: asyncio.Event) -> SttEvent:
        """Feed the recogniser until the utterance is finished; its result. Raises SttUnavailable."""
        async with asyncio.TaskGroup() as group:
            ear = group.create_task(self._push(session, start))
            words = group.create_task(self._tell_partials(session, number))
            await finished.wait()
            ear.cancel()
            result = await _result(session)
            words.cancel()
        if isinstance(result, SttUnavailable):
            raise result
        return result

    async def _push(self, session: SttSession, start: int) -> None:
        start = max(start, self._media.position() - _FURTHEST_BACK, 0)
        async with aclosing(cast("AsyncGenerator[HeardFrame]", self._media.hear(start))) as frames:
            async for frame in frames:
                session.push(frame.pcm)

    async def _tell_partials(self, session: SttSession, number: int) -> None:
        async with aclosing(cast("AsyncGenerator[SttEvent]", session.partials())) as partials:
            async for partial in partials:
                await self._report(Partial(number, partial.text))


async def _result(session: SttSession) -> SttEvent | SttUnavailable:
    try:
        return await session.finalize(FINAL_SECONDS)
    except SttUnavailable as error:
        return error
