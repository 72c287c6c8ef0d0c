"""A call that is over leaves nothing to the collector of garbage: its runs hold up all the other calls."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from sipserver.call import Call
from sipserver.legs import Answered, Ended
from tests.sipserver.call.fakes import FakeLeg, Stage, peer, until
from tests.virtual_time import run


@pytest.fixture(autouse=True)
def by_hand() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def calls() -> int:
    return sum(isinstance(one, Call) for one in gc.get_objects())


async def hang_up(stage: Stage, leg: FakeLeg) -> None:
    await until(5)
    assert calls() == 1
    leg.tell(Ended("bye"))
    await stage.done()
    stage.tasks.clear()
    stage.plane.opened.clear()
    stage.conversations.calls.clear()
    stage.conversations.made.clear()
    await asyncio.sleep(0)


def test_an_inbound_call_goes_by_itself() -> None:
    async def scene() -> None:
        stage = Stage()
        await hang_up(stage, stage.ring())
        assert calls() == 0

    run(scene())


def test_an_outbound_call_goes_by_itself() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        leg = stage.endpoint.legs[-1]
        leg.tell(Answered(peer().answer(leg.invite.body)))
        await hang_up(stage, leg)
        assert calls() == 0

    run(scene())
