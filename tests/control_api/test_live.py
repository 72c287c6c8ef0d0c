"""Events of calls to those who watch."""

from __future__ import annotations

import asyncio

from control_api.live import QUEUE, LiveEvents
from sipserver.protocols import LiveEvent


def test_watchers_see_what_happens_until_the_end() -> None:
    async def body() -> None:
        live = LiveEvents()
        live.publish("a", LiveEvent("status", {"n": 0}))
        with live.watch("a") as first, live.watch("a") as second, live.watch("b") as other:
            for number in (1, 2):
                live.publish("a", LiveEvent("status", {"n": number}))
            live.end("a")
            for watcher in (first, second):
                assert [event.data["n"] async for event in watcher.events()] == [1, 2]
            live.end("b")
            assert [event async for event in other.events()] == []

    asyncio.run(body())


def test_a_slow_watcher_loses_the_oldest() -> None:
    async def body() -> None:
        live = LiveEvents()
        with live.watch("a") as watcher:
            for number in range(QUEUE + 10):
                live.publish("a", LiveEvent("status", {"n": number}))
            live.end("a")
            seen = [event.data["n"] async for event in watcher.events()]
        assert seen == list(range(11, QUEUE + 10))

    asyncio.run(body())
