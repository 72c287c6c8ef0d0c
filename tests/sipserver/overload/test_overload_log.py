"""What the log says of an overload."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

import structlog

from sipserver.useragent.overload import QUIET_SECONDS, OverloadLog
from tests import virtual_time


def told(refusals: Sequence[float], stop: float) -> list[MutableMapping[str, Any]]:
    """What is logged where calls are refused at these seconds."""

    async def life() -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        overload = OverloadLog(loop.time)
        for at in refusals:
            await asyncio.sleep(begun + at - loop.time())
            overload.refused()
        await asyncio.sleep(begun + stop - loop.time())
        overload.stop()

    with structlog.testing.capture_logs() as logs:
        virtual_time.run(life())
    return logs


def test_an_overload_is_told_of_when_it_begins_and_when_it_is_over() -> None:
    logs = told([0, 5, 12.5, 40], stop=200)
    assert [line["event"] for line in logs] == ["sip_overload", "sip_overload_over"]
    assert (logs[1]["calls"], logs[1]["seconds"]) == (4, 40.0)


def test_after_a_quiet_while_it_is_another() -> None:
    logs = told([0, 1, 2 + QUIET_SECONDS], stop=200)
    assert [(line["event"], line.get("calls")) for line in logs] == [
        ("sip_overload", None),
        ("sip_overload_over", 2),
        ("sip_overload", None),
        ("sip_overload_over", 1),
    ]


def test_one_that_is_not_over_when_the_server_stops_is_told_of() -> None:
    logs = told([0, 1], stop=2)
    assert (logs[-1]["event"], logs[-1]["calls"]) == ("sip_overload_over", 2)
    assert len(told([], stop=1)) == 0
