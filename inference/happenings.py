"""What happens on a call, in one line: the inbox of a conversation, and the tasks that work beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from inference.listener import Deaf, Partial, Recognised
from inference.reply import Written
from media.frames import LINE_RATE, CallMedia, MediaEvent
from sipserver.protocols import SpeechOrder, TransferOrder, TransferOutcome

_WAITING = 256


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer is due."""


@dataclass(frozen=True, slots=True)
class MediaOver:
    """The media plane has no more events: the call was closed."""


@dataclass(frozen=True, slots=True)
class TransferOrdered:
    """Somebody ordered the caller to be handed over."""

    order: TransferOrder


@dataclass(frozen=True, slots=True)
class SpeechOrdered:
    """Somebody ordered the agent to say something."""

    order: SpeechOrder


@dataclass(frozen=True, slots=True)
class TransferOver:
    """What a transfer came to."""

    outcome: TransferOutcome


Happening = (
    MediaEvent
    | Partial
    | Recognised
    | Deaf
    | Written
    | Tick
    | MediaOver
    | TransferOrdered
    | SpeechOrdered
    | TransferOver
)


class Inbox:
    """Happenings in order. When it is full, whoever reports waits: nothing is dropped."""

    def __init__(self, media: CallMedia) -> None:
        self._media = media
        self._queue: asyncio.Queue[Happening] = asyncio.Queue(_WAITING)

    async def put(self, happening: Happening) -> None:
        """Report something."""
        await self._queue.put(happening)

    def offer(self, happening: Happening) -> bool:
        """Report something at once; False when the line is full."""
        if self._queue.full():
            return False
        self._queue.put_nowait(happening)
        return True

    async def listen(self) -> None:
        """Take in the events of the media plane until there are no more."""
        async for event in self._media.events():
            await self._queue.put(event)
        await self._queue.put(MediaOver())

    async def next(self, due: int) -> Happening:
        """The next happening, or a Tick when position `due` is reached before."""
        if not self._queue.empty():
            return self._queue.get_nowait()
        try:
            async with asyncio.timeout(max(0, due - self._media.position()) / LINE_RATE):
                return await self._queue.get()
        except TimeoutError:
            return Tick()


class Tasks:
    """The tasks of one call, all children of its group. `cancel` ends those that are left."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work beside the conversation."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """End what is left."""
        for task in tuple(self._tasks):
            task.cancel()
