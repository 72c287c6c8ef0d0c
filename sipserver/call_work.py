"""What is under way for one call: work that ends with it, and lines for its row, which are written whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Literal

import structlog

from sipserver.protocols import CallEnd, CallLog, Problem

ENDED_RETRIES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds after each attempt to make a row final. What is still open then, the next start of the node ends as `node_lost`."""


class CallWork:
    """The tasks of one call, in one group: `async with` waits for all of them. `clock` tells µs since the epoch."""

    def __init__(self, call_id: str, log: CallLog, clock: Callable[[], int]) -> None:
        self.logger = structlog.get_logger().bind(call_id=call_id)
        self._call_id = call_id
        self._log = log
        self._clock = clock
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self._row: asyncio.Task[bool] | None = None

    async def __aenter__(self) -> None:
        await self._group.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._group.__aexit__(kind, error, traceback)

    def begin(self, writing: Coroutine[Any, Any, None]) -> None:
        """The row itself, where the call has none yet; it is written beside the first steps of the call."""
        self._row = self._group.create_task(self._kept(writing))

    async def begun(self) -> bool:
        """Whether the call has its row, as soon as that is known."""
        return self._row is None or await asyncio.shield(self._row)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work that is cancelled when the call ends."""
        task = self._group.create_task(work)
        self._tasks.append(task)
        return task

    def write(self, writing: Coroutine[Any, Any, None]) -> None:
        """A line for the call log. Nobody waits for it, but the call's last word comes after it."""
        self._group.create_task(self._kept(writing))

    def problem(self, part: Literal["sip", "media"], message: str) -> None:
        """A sentence for the call's problems."""
        self.logger.warning("call problem", part=part)
        self.write(self._log.problem(self._call_id, Problem(self._clock(), part, message)))

    def cancel(self) -> None:
        """End all that was spawned. Forgotten, too: what a cancelled task went through points at its call."""
        while self._tasks:
            self._tasks.pop(0).cancel()

    async def finish(self, end: CallEnd) -> None:
        """The call's last word, when everything else is over."""
        self.logger.info("call ended", status=end.status, reason=end.reason, sip_code=end.sip_code)
        if not await self.begun():
            return
        for seconds in ENDED_RETRIES:
            if await self._kept(self._log.ended(self._call_id, end)):
                return
            await asyncio.sleep(seconds)
        self.logger.error("call is not final", attempts=len(ENDED_RETRIES))

    async def _kept(self, writing: Coroutine[Any, Any, None]) -> bool:
        """Whether the call log took it. A store that fails, whichever way, ends no call that people are speaking on."""
        try:
            await writing
        except Exception:
            self.logger.exception("call log failed")
            return False
        return True
