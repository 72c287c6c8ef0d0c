"""What is kept of a call, written in order beside the conversation: a durable write takes milliseconds, an answer must not wait.

The queue is bounded; when it is full the conversation waits for it, for a record is never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from sipserver.protocols import CallLog, LiveEvent, Problem, Utterance

Part = Literal["sip", "stt", "llm", "tts", "tool", "webhook", "media"]
_Write = Callable[[], Awaitable[None]]
_WAITING = 64


class Ledger:
    """One call's entries in the call log. `clock` gives the time of day for problems."""

    def __init__(self, log: CallLog, call_id: str, clock: Callable[[], datetime]) -> None:
        self._log = log
        self._call_id = call_id
        self._clock = clock
        self._writes: asyncio.Queue[_Write | None] = asyncio.Queue(_WAITING)

    async def run(self) -> None:
        """Write what is put down, until `finish`."""
        while (write := await self._writes.get()) is not None:
            await write()

    async def finish(self) -> None:
        """Nothing more comes: `run` ends when everything is written."""
        await self._writes.put(None)

    async def utterance(self, item: Utterance) -> None:
        """An item of the transcript. The call log shows it when it is written."""
        await self._writes.put(lambda: self._log.utterance(self._call_id, item))

    async def captured(self, values: Mapping[str, Any]) -> None:
        """Everything learnt so far."""
        kept = dict(values)
        await self._writes.put(lambda: self._log.captured(self._call_id, kept))

    async def problem(self, part: Part, message: str) -> None:
        """Something went wrong."""
        problem = Problem(round(self._clock().timestamp() * 1_000_000), part, message)
        await self._writes.put(lambda: self._log.problem(self._call_id, problem))

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """Something for whoever watches the call."""
        self._log.publish(self._call_id, LiveEvent(kind, data))
