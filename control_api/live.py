"""What happens in calls while they run, for whoever watches. Nothing here is kept, nothing depends on it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from sipserver.protocols import LiveEvent

QUEUE = 500

Tap = Callable[[str, LiveEvent], None]


class Watcher:
    """One who watches a call. Iterate for its events; the iteration ends with the call.

    A watcher that is too slow loses the oldest events, never the newest, and never delays the call.
    """

    def __init__(self) -> None:
        self._events: asyncio.Queue[LiveEvent | None] = asyncio.Queue(maxsize=QUEUE)

    def put(self, event: LiveEvent | None) -> None:
        """Hand over an event, None for the end."""
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[LiveEvent]:
        while (event := await self._events.get()) is not None:
            yield event


class LiveEvents:
    """Brings events of calls to their watchers."""

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        self._taps: list[Tap] = []

    def tap(self, tap: Tap) -> None:
        """From now on `tap` is called with every event of every call; it must not block."""
        self._taps.append(tap)

    @contextmanager
    def watch(self, call_id: str) -> Iterator[Watcher]:
        """Watch a call. Look at the call's row only after this, so that its end cannot fall between."""
        watcher = Watcher()
        self._watchers[call_id].add(watcher)
        try:
            yield watcher
        finally:
            self._forget(call_id, watcher)

    def publish(self, call_id: str, event: LiveEvent) -> None:
        """Tell those who watch. Never blocks, never fails."""
        for tap in self._taps:
            tap(call_id, event)
        for watcher in self._watchers.get(call_id, ()):
            watcher.put(event)

    def end(self, call_id: str) -> None:
        """The call is over; its watchers see what came before, and then the end."""
        for watcher in self._watchers.get(call_id, ()):
            watcher.put(None)

    def _forget(self, call_id: str, watcher: Watcher) -> None:
        self._watchers[call_id].discard(watcher)
        if not self._watchers[call_id]:
            del self._watchers[call_id]
