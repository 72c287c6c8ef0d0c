"""Garbage is looked for among what is new; the rest is looked at seldom, best without calls."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from sipserver import garbage
from tests import virtual_time


class Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def settled() -> Iterator[None]:
    before = gc.get_threshold()
    garbage.settle_in()
    yield
    gc.callbacks.remove(garbage._set_aside)
    gc.set_threshold(*before)
    gc.unfreeze()


def churn(count: int = 40_000) -> list[Ring]:
    return [Ring() for _ in range(count)]


@pytest.mark.usefixtures("settled")
def test_garbage_that_is_young_goes_soon_and_garbage_that_was_set_aside_with_a_full_look() -> None:
    old, young = Ring(), Ring()
    gone_young = weakref.ref(young)
    del young
    kept = churn()
    assert gone_young() is None
    gone = weakref.ref(old)
    del old
    kept += churn()
    assert gone() is not None, "It was in use when it was looked at, and is not looked at again."
    assert garbage.collect_all() >= 1
    assert gone() is None
    assert len(kept) == 80_000


@pytest.mark.usefixtures("settled")
def test_what_is_in_use_is_looked_at_once() -> None:
    looked = []
    gc.callbacks.append(lambda phase, info: looked.append(info["generation"]) if phase == "stop" else None)
    kept = churn(200_000)
    gc.callbacks.pop()
    assert looked
    assert set(looked) == {0}
    assert len(kept) == 200_000


@pytest.mark.parametrize(("calls", "looks"), [(0, 12), (3, 4)])
def test_full_looks_are_rarer_while_there_are_calls(calls: int, looks: int) -> None:
    times: list[float] = []

    async def two_hours() -> None:
        def collect() -> int:
            times.append(asyncio.get_running_loop().time())
            return 0

        with suppress(TimeoutError):
            async with asyncio.timeout(7201):
                await garbage.sweep(lambda: calls, collect)

    virtual_time.run(two_hours())
    assert len(times) == looks


def test_a_busy_server_is_looked_through_when_its_last_call_has_gone() -> None:
    times: list[float] = []

    async def an_hour() -> None:
        loop = asyncio.get_running_loop()

        def collect() -> int:
            times.append(loop.time())
            return 0

        with suppress(TimeoutError):
            async with asyncio.timeout(1500):
                await garbage.sweep(lambda: int(loop.time() < 1200), collect)

    virtual_time.run(an_hour())
    assert [round(at) for at in times] == [1200]
