"""Work that goes on for as long as the node lives, and must not end unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Background:
    """Tasks without an end of their own. One that ends all the same is a defect: it is logged, and the node is not ready any more."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.ended: list[str] = []
        """A sentence for each task that ended."""

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin the work. `name` is what it is called in a sentence."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._over)
        self._tasks.append(task)

    async def stop(self) -> None:
        """Cancel all, the last one first, and wait for each."""
        while self._tasks:
            task = self._tasks.pop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("background work ended", task=task.get_name(), exc_info=task.exception())
            self.ended.append(f"{task.get_name()} has stopped.")


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for the work, however often the waiting is cancelled; the cancellation is passed on when the work is done."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError
