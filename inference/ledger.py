"""What is kept of a call, written in order beside the conversation: a durable write takes milliseconds, an answer must not wait.

The queue is bounded; when it is full the conversation waits for it, for a record is never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from media.frames import LINE_RATE
from sipserver.protocols import CallLog, LiveEvent, OffRecord, Problem, Utterance

Part = Literal["sip", "stt", "llm", "tts", "tool", "webhook", "media"]
_Write = Callable[[], Awaitable[None]]
_WAITING = 64
_MS = LINE_RATE // 1000
OFF_RECORD = "[off the record]"
"""What the transcript says of anything that was said or pressed while the call was off the record."""


class Ledger:
    """One call's entries in the call log. `clock` gives the time of day for problems; `off_record` says what is not to be kept."""

    def __init__(self, log: CallLog, call_id: str, clock: Callable[[], datetime], off_record: OffRecord) -> None:
        self._log = log
        self._call_id = call_id
        self._clock = clock
        self._off_record = off_record
        self._writes: asyncio.Queue[_Write | None] = asyncio.Queue(_WAITING)

    async def run(self) -> None:
        """Write what is put down, until `finish`."""
        while (write := await self._writes.get()) is not None:
            await write()

    async def finish(self) -> None:
        """Nothing more comes: `run` ends when everything is written."""
        await self._writes.put(None)

    async def utterance(self, item: Utterance) -> None:
        """An item of the transcript. The call log shows it when it is written. Of what was off the record only the times are kept."""
        if self.is_off(item.start_ms * _MS, (item.end_ms + 1) * _MS - 1):
            item = replace(item, text=OFF_RECORD)
        await self._writes.put(lambda: self._log.utterance(self._call_id, item))

    async def captured(self, values: Mapping[str, Any]) -> None:
        """Everything learnt so far."""
        kept = dict(values)
        await self._writes.put(lambda: self._log.captured(self._call_id, kept))

    async def problem(self, part: Part, message: str) -> None:
        """Something went wrong."""
        problem = Problem(round(self._clock().timestamp() * 1_000_000), part, message)
        await self._writes.put(lambda: self._log.problem(self._call_id, problem))

    def is_off(self, start: int, end: int) -> bool:
        """Whether any of what lies between two positions is not to be kept, nor shown."""
        return self._off_record.covers(start, end)

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """Something for whoever watches the call."""
        self._log.publish(self._call_id, LiveEvent(kind, data))
