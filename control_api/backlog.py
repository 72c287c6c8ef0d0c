"""What a failing disk did not take of calls, kept in memory until it does: a call in which people speak ends for no full disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from control_api.store.engine import Statements, Store

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    statements: Statements[Any]
    then: Callable[[Any], None]


class Backlog:
    """Writes of calls, each call's in their order. While the disk fails no new calls are taken, so there is an end to what waits.

    What waits when the process is stopped is lost: the next start ends such a call as `node_lost`, with what was written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, deque[_Entry]] = {}
        self._behind = asyncio.Event()
        self._flushing = asyncio.Lock()

    async def write(
        self, call_id: str, statements: Statements[T], then: Callable[[T], None] = lambda _result: None
    ) -> None:
        """Write, and call `then` with the result; now, or when the disk takes it. Raises what is not the disk's fault."""
        entry = _Entry(statements, then)
        if call_id in self._waiting:
            self._waiting[call_id].append(entry)
            return
        try:
            result = await self._store.write(statements, urgent=False)
        except SQLAlchemyError:
            if self._store.failure() is None:
                raise
            log.warning("call waits for the disk", call_id=call_id)
            self._waiting.setdefault(call_id, deque()).append(entry)
            self._behind.set()
        else:
            then(result)

    async def catch_up(self) -> None:
        """Write what waits whenever the disk takes writes again, until cancelled."""
        while True:
            await self._behind.wait()
            await self._store.usable()
            await self.flush()

    async def flush(self) -> None:
        """Write what waits, as far as the disk takes it. Two at once would write a line twice and skip the next."""
        async with self._flushing:
            for call_id in list(self._waiting):
                if not await self._written(call_id, self._waiting[call_id]):
                    return
            if not self._waiting:
                self._behind.clear()

    async def _written(self, call_id: str, entries: deque[_Entry]) -> bool:
        """Write all that waits of one call; what comes meanwhile waits behind it. False when the disk fails again."""
        while entries:
            try:
                result = await self._store.write(entries[0].statements)
            except SQLAlchemyError:
                if self._store.failure() is not None:
                    return False
                log.exception("a line of a call cannot be written", call_id=call_id)
                entries.popleft()
            else:
                entries.popleft().then(result)
        del self._waiting[call_id]
        return True
