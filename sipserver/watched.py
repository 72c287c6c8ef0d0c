"""A call's media with its events told twice: to the call, which must know of the end, and to the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Literal

from media.frames import CallMedia, DigitHeard, MediaEvent
from sipserver.recording_switch import RecordingSwitch

_QUEUED_EVENTS = 256


class WatchedMedia:
    """Stands for a `CallMedia` in everything but `events`, whose one consumer is `watch`, and `set_recording`, which asks the `switch`.

    The conversation's queue is bounded: when it is full, `watch` waits, and events stay in the media plane's own queue. The call then
    hears of the media's end late, and the guard of its duration still ends it.
    """

    def __init__(self, media: CallMedia) -> None:
        self.switch = RecordingSwitch(media)
        self._media = media
        self._events: asyncio.Queue[MediaEvent | None] = asyncio.Queue(_QUEUED_EVENTS)
        self._keys_by: Literal["rtp", "info"] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._media, name)

    async def watch(self, observe: Callable[[MediaEvent], None]) -> None:
        """Read the media's events to their end: each is observed, then queued for the conversation."""
        async for event in self._media.events():
            if isinstance(event, DigitHeard) and not self._counts("rtp"):
                continue
            observe(event)
            await self._events.put(event)
        await self._events.put(None)

    def press(self, digit: str, duration_ms: int) -> None:
        """A key that signalling told of. The conversation hears it like one of RFC 4733; its queue may be full, then it is lost."""
        if self._counts("info"):
            with suppress(asyncio.QueueFull):
                self._events.put_nowait(DigitHeard(self._media.position(), digit, duration_ms))

    async def set_recording(self, on: bool) -> None:
        """Off: silence is laid into the recording. On: it goes on, unless the call is off the record."""
        await self.switch.set_recording(on)

    def _counts(self, way: Literal["rtp", "info"]) -> bool:
        """Some peers tell of each key both ways: the first way by which one comes is the way for the call."""
        self._keys_by = self._keys_by or way
        return self._keys_by == way

    async def events(self) -> AsyncIterator[MediaEvent]:
        """As `CallMedia.events`. One consumer."""
        while (event := await self._events.get()) is not None:
            yield event
