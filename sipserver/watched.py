"""A call's media with its events told twice: to the call, which must know of the end, and to the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from media.frames import CallMedia, MediaEvent

_QUEUED_EVENTS = 256


class WatchedMedia:
    """Stands for a `CallMedia` in everything but `events`, whose one consumer is `watch`.

    The conversation's queue is bounded: when it is full, `watch` waits, and events stay in the media plane's own queue. The call then
    hears of the media's end late, and the guard of its duration still ends it.
    """

    def __init__(self, media: CallMedia) -> None:
        self._media = media
        self._events: asyncio.Queue[MediaEvent | None] = asyncio.Queue(_QUEUED_EVENTS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._media, name)

    async def watch(self, observe: Callable[[MediaEvent], None]) -> None:
        """Read the media's events to their end: each is observed, then queued for the conversation."""
        async for event in self._media.events():
            observe(event)
            await self._events.put(event)
        await self._events.put(None)

    async def events(self) -> AsyncIterator[MediaEvent]:
        """As `CallMedia.events`. One consumer."""
        while (event := await self._events.get()) is not None:
            yield event
