"""The node's calls together: listing, capacity, drain, stop."""

from __future__ import annotations

import asyncio

from sipserver.calls import CallView
from sipserver.capacity import Limits
from sipserver.inbound import Manners
from sipserver.legs import Answered, Ended
from sipserver.protocols import CallDirection, CallStatus
from tests.sipserver.call.fakes import AGENT, CALLEE, CALLER, Stage, peer, until
from tests.virtual_time import now, run


def test_start_takes_what_the_endpoint_brings() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.calls.start()
        assert stage.endpoint.on_invite == stage.calls.on_invite

    run(scene())


def test_the_list_of_live_calls() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.ring()
        await until(1)
        stage.dial()
        await until(2)
        assert stage.calls.live() == [
            CallView("call-1", CallDirection.INBOUND, CallStatus.IN_PROGRESS, AGENT.id, CALLER, CALLEE, 0),
            CallView("out", CallDirection.OUTBOUND, CallStatus.QUEUED, AGENT.id, CALLER, CALLEE, None),
        ]
        await stage.calls.stop()
        await stage.done()

    run(scene())


def test_capacity_is_the_least_of_all_limits() -> None:
    async def scene() -> None:
        stage = Stage(Limits(max_calls=5))
        assert stage.calls.capacity() == 5
        stage.plane.rows = 4
        stage.ring()
        await until(1)
        assert stage.calls.capacity() == 3
        stage.log.refusal = "The disk is full."
        assert stage.calls.capacity() == 0
        stage.log.refusal = None
        stage.calls.drain()
        assert stage.calls.capacity() == 0
        await stage.calls.stop()
        await stage.done()

    run(scene())


def test_drain_lets_running_calls_go_on() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = stage.ring()
        await until(1)
        stage.calls.drain()
        waiting = asyncio.create_task(stage.calls.idle())
        late = stage.ring()
        await until(100)
        assert late.did == ["reject 503"]
        assert not waiting.done()
        leg.tell(Ended("bye"))
        await waiting
        assert now() == 100
        assert stage.end() == ("completed", "customer_ended")
        await stage.done()

    run(scene())


def test_stop_hangs_up_everything() -> None:
    async def scene() -> None:
        stage = Stage(manners=Manners(ring_seconds=10))
        talking = stage.ring()
        await until(11)
        ringing = stage.ring()
        stage.dial("dialling")
        stage.dial("talking")
        await until(12)
        dialled, spoken = stage.endpoint.legs
        spoken.tell(Answered(peer().answer(spoken.invite.body)))
        await until(13)
        await stage.calls.stop()
        assert stage.calls.live() == []
        assert stage.calls.capacity() == 0
        assert stage.endpoint.draining
        assert talking.did[-1] == "hang_up node_lost"
        assert ringing.did[-1] == "reject 503"
        assert dialled.did == ["hang_up node_lost"]
        assert spoken.did == ["hang_up node_lost"]
        assert [stage.end(call_id) for call_id in ("call-1", "call-2", "dialling", "talking")] == [
            ("completed", "node_lost"),
            ("failed", "node_lost"),
            ("failed", "node_lost"),
            ("completed", "node_lost"),
        ]
        await stage.done()

    run(scene())


def test_stop_while_a_row_is_being_begun() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.log.write_takes = 0.5
        leg = stage.ring()
        await until(0.2)
        await stage.calls.stop()
        assert leg.did == ["ring 180", "reject 503"]
        assert stage.end() == ("failed", "node_lost")
        await stage.done()

    run(scene())


def test_hang_up_of_a_call_that_rings_here() -> None:
    async def scene() -> None:
        stage = Stage(manners=Manners(ring_seconds=10))
        leg = stage.ring()
        await until(1)
        assert await stage.calls.hang_up("call-1")
        await stage.done()
        assert leg.did == ["ring 180", "reject 480"]
        assert stage.end() == ("failed", "canceled")

    run(scene())


def test_two_hundred_calls_leave_nothing_behind() -> None:
    async def scene() -> None:
        stage = Stage(Limits(max_calls=200))
        stage.plane.rows = 200
        for number in range(100):
            stage.ring()
            stage.dial(f"out-{number}")
        await until(1)
        assert stage.calls.capacity() == 0
        await stage.calls.stop()
        await stage.done()
        assert len(asyncio.all_tasks()) == 1
        assert len(stage.log.ends) == 200

    run(scene())
