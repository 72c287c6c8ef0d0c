"""Everything that can end an answered call, each with one last word in the call log."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from media.frames import DigitHeard, MediaEvent, MediaFailed, MediaTimeout
from sipserver.agents import POLITE_SECONDS
from sipserver.call_work import ENDED_RETRIES
from sipserver.legs import Answered, Ended
from sipserver.media_session import CLOSE_SECONDS
from sipserver.protocols import ConversationEnd, EndedReason, LiveCall
from tests.sipserver.call.fakes import AGENT, REPORT, FakeLeg, Stage, peer, until
from tests.virtual_time import now, run


async def answered(stage: Stage) -> FakeLeg:
    leg = stage.ring()
    await until(1)
    assert leg.at("answer") == 0
    return leg


def test_no_rtp_is_a_media_timeout() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await answered(stage)
        await until(31)
        stage.media.emit(MediaTimeout(240_000))
        await stage.done()
        assert leg.deeds[-1] == (31.0, "hang_up", "media_timeout")
        assert stage.end() == ("completed", "media_timeout")

    run(scene())


def test_a_dead_media_process_takes_the_call_down_properly() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await answered(stage)
        stage.media.emit(MediaFailed(8000, "The media process is gone."))
        await stage.done()
        assert leg.did[-1] == "hang_up error"
        assert stage.end() == ("completed", "error")
        assert [problem.message for problem in stage.log.problems["call-1"]] == ["The media process is gone."]
        assert stage.conversations.made[0].cancelled_at == 1

    run(scene())


def test_the_conversation_sees_every_event_and_their_end() -> None:
    async def scene() -> None:
        seen: list[MediaEvent] = []

        async def listen(call: LiveCall) -> ConversationEnd:
            async for event in call.media.events():
                seen.append(event)
                await asyncio.sleep(0)
            return ConversationEnd(EndedReason.AGENT_ENDED)

        stage = Stage()
        stage.conversations.talk = listen
        await answered(stage)
        one, two = DigitHeard(800, "1", 100), DigitHeard(1600, "2", 100)
        stage.media.emit(one)
        stage.media.emit(two)
        await until(2)
        assert seen == [one, two]
        stage.media.emit(MediaFailed(8000, "gone"))
        await stage.done()
        assert stage.end() == ("completed", "error")

    run(scene())


def test_a_conversation_that_does_not_listen_cannot_hide_the_end() -> None:
    async def scene() -> None:
        stage = Stage()
        await answered(stage)
        for at in range(200):
            stage.media.emit(DigitHeard(at, "1", 100))
        stage.media.emit(MediaTimeout(200))
        await stage.done()
        assert stage.end() == ("completed", "media_timeout")

    run(scene())


def test_the_conversation_may_ask_its_media_for_anything_else() -> None:
    async def scene() -> None:
        positions: list[int] = []

        async def ask(call: LiveCall) -> ConversationEnd:
            await asyncio.sleep(2)
            positions.append(call.media.position())
            return ConversationEnd(EndedReason.SILENCE_TIMEOUT)

        stage = Stage()
        stage.conversations.talk = ask
        await answered(stage)
        await stage.done()
        assert positions == [16000]
        assert stage.end() == ("completed", "silence_timeout")

    run(scene())


def test_a_conversation_that_breaks_ends_the_call_with_a_bye() -> None:
    async def scene() -> None:
        async def broken(call: LiveCall) -> ConversationEnd:
            await asyncio.sleep(3)
            raise ZeroDivisionError("a defect")

        stage = Stage()
        stage.conversations.talk = broken
        leg = await answered(stage)
        await stage.done()
        assert leg.deeds[-1] == (3.0, "hang_up", "error")
        assert stage.end() == ("completed", "error")
        assert stage.log.ends["call-1"].media == REPORT
        assert stage.log.ends["call-1"].conversation == ConversationEnd(None, {"so": "far"}, 2)

    run(scene())


def test_a_conversation_that_ends_without_a_reason_is_a_defect() -> None:
    async def scene() -> None:
        async def lost(call: LiveCall) -> ConversationEnd:
            return ConversationEnd(None)

        stage = Stage()
        stage.conversations.talk = lost
        leg = stage.ring()
        await stage.done()
        assert leg.did[-1] == "hang_up error"
        assert stage.end() == ("completed", "error")

    run(scene())


def test_the_first_reason_stays() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.conversations.put_down_takes = 2
        leg = await answered(stage)
        stage.media.emit(MediaTimeout(8000))
        await until(1.5)
        stage.media.emit(MediaFailed(8000, "gone"))
        leg.tell(Ended("bye"))
        assert not await stage.calls.hang_up("call-1")
        await stage.done()
        assert stage.end() == ("completed", "media_timeout")

    run(scene())


def test_the_duration_is_limited_also_when_the_conversation_does_not_care() -> None:
    async def scene() -> None:
        stage = Stage(agent=replace(AGENT, max_call_seconds=30))
        leg = await answered(stage)
        await stage.done()
        assert leg.deeds[-1] == (30 + POLITE_SECONDS, "hang_up", "max_duration")
        assert stage.end() == ("completed", "max_duration")

    run(scene())


def test_bye_leaves_before_the_conversation_is_put_down() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.conversations.put_down_takes = 3
        leg = await answered(stage)
        assert await stage.calls.hang_up("call-1")
        await stage.done()
        assert leg.at("hang_up") == 1
        assert stage.media.closed_at == 4
        assert stage.log.ends["call-1"].at == 4_000_000

    run(scene())


def test_media_that_do_not_close_do_not_keep_the_call() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await answered(stage)
        stage.media.close_takes = 1000
        leg.tell(Ended("bye"))
        await asyncio.gather(*stage.tasks)
        assert stage.end() == ("completed", "customer_ended")
        assert stage.log.ends["call-1"].at == 1_000_000 + CLOSE_SECONDS * 1_000_000
        assert stage.log.ends["call-1"].media is None

    run(scene())


def test_media_that_fail_to_close_do_not_cost_the_last_word() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await answered(stage)
        stage.media.close_fails = OSError("disk full")
        leg.tell(Ended("bye"))
        await asyncio.gather(*stage.tasks)
        assert stage.end() == ("completed", "customer_ended")

    run(scene())


def test_a_cancellation_while_the_call_is_put_down_does_not_cost_the_last_word() -> None:
    async def scene() -> None:
        stage = Stage()
        task = stage.dial()
        await until(1)
        stage.media.close_takes = 2
        stage.log.write_takes = 2
        assert await stage.calls.hang_up("out")
        await until(2)
        task.cancel()
        await until(4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stage.end("out") == ("failed", "canceled")

    run(scene())


@pytest.mark.parametrize(("at", "status"), [(1.0, "failed"), (5.0, "completed")])
def test_a_cancelled_task_still_says_its_last_word(at: float, status: str) -> None:
    async def scene() -> None:
        stage = Stage()
        task = stage.dial()
        await until(at / 2)
        [leg] = stage.endpoint.legs
        if status == "completed":
            leg.tell(Answered(peer().answer(leg.invite.body)))
        await until(at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert leg.deeds == [(at, "hang_up", "node_lost")]
        assert stage.end("out") == (status, "node_lost")
        assert stage.media.closed_at == at
        assert stage.calls.live() == []

    run(scene())


def test_what_is_being_written_is_written_before_the_last_word() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.log.write_takes = 0.4
        leg = stage.ring()
        await until(0.5)
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.log.told["call-1"] == ["begin", "answered sip-1", "ended"]

    run(scene())


def test_a_store_that_fails_in_a_call_does_not_end_it_and_gets_the_last_word_later() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.log.write_takes = 0.4
        leg = stage.ring()
        await until(0.5)
        stage.log.down = OSError("disk full")
        await until(60)
        assert leg.did == ["ring 180", "answer"]
        leg.tell(Ended("bye"))
        await until(62)
        stage.log.down = None
        await stage.done()
        assert stage.log.told["call-1"] == ["begin", "ended"]
        assert stage.end() == ("completed", "customer_ended")
        assert stage.log.ends["call-1"].at == 60_000_000

    run(scene())


def test_a_store_that_stays_down_does_not_keep_the_place_for_ever() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        stage.log.down = OSError("disk full")
        assert await stage.calls.hang_up("out")
        await stage.done()
        assert now() == 1 + sum(ENDED_RETRIES)
        assert "out" not in stage.log.ends

    run(scene())
