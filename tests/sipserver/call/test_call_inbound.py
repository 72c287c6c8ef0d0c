"""Inbound calls: what is refused and how, and the way to the answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from media.frames import Codec, Direction, RtpRemote
from sipserver.capacity import Limits
from sipserver.inbound import Manners
from sipserver.legs import Answered, Ended
from sipserver.message import Request
from sipserver.protocols import CallDirection, ConversationEnd, EndedReason, LiveCall, RecordingSettings
from tests.sipserver.call.fakes import AGENT, CALLEE, CALLER, REPORT, TRUNK_HOST, VIDEO_ONLY, Stage, invite, peer, until
from tests.virtual_time import run


async def goodbye_after_ten(call: LiveCall) -> ConversationEnd:
    await asyncio.sleep(10)
    return ConversationEnd(EndedReason.AGENT_ENDED, turn_count=3)


# -- what is refused ----------------------------------------------------------------------------------------------------


def refused(stage: Stage, request: Request | None = None, host: str = TRUNK_HOST) -> tuple[int, str | None]:
    """Status and Retry-After; a refused call leaves no row, no media and no 18x."""

    async def scene() -> tuple[int, str | None]:
        leg = stage.ring(request, host)
        await stage.done()
        assert [deed for _, deed, _ in leg.deeds] == ["reject"]
        assert not stage.log.begun
        assert not stage.plane.opened
        return leg.deeds[0][2], leg.retry_after

    return run(scene())


def test_an_unknown_source_gets_403_also_when_the_guard_let_it_in() -> None:
    assert refused(Stage(), host="203.0.113.9") == (403, None)


def test_a_draining_node_answers_503_to_everybody() -> None:
    stage = Stage()
    stage.calls.drain()
    assert refused(stage) == (503, "30")
    assert stage.endpoint.draining


def test_a_node_that_takes_no_calls_says_so_before_it_looks_at_the_number() -> None:
    stage = Stage()
    stage.calls.drain()
    assert refused(stage, invite(peer().offer(), to="+12025550199")) == (503, "30")
    assert stage.directory.asked == []


def test_a_full_disk_is_503() -> None:
    stage = Stage(retry_after=120)
    stage.log.refusal = "Only 3 MiB of disk are free."
    assert refused(stage) == (503, "120")


def test_no_free_media_row_is_503() -> None:
    stage = Stage()
    stage.plane.rows = 0
    assert refused(stage) == (503, "30")


def test_an_unknown_number_is_404() -> None:
    assert refused(Stage(), invite(peer().offer(), to="+12025550199")) == (404, None)


def test_a_number_without_agent_is_480() -> None:
    stage = Stage()
    stage.directory.routes[CALLEE] = replace(stage.directory.routes[CALLEE], agent=None)
    assert refused(stage) == (480, None)


def test_an_inactive_agent_is_480() -> None:
    assert refused(Stage(agent=replace(AGENT, is_active=False))) == (480, None)


def test_an_offer_without_a_codec_of_ours_is_488_with_a_warning() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = stage.ring(invite(VIDEO_ONLY))
        await stage.done()
        assert leg.did == ["reject 488"]
        assert leg.warning is not None
        assert leg.warning.startswith('304 antiphon "')
        assert not stage.log.begun

    run(scene())


def test_a_body_that_is_no_sdp_is_488() -> None:
    assert refused(Stage(), invite(b"hello")) == (488, None)


def test_a_store_that_is_down_is_503_for_no_call_is_answered_without_a_row() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.log.down = OSError("disk full")
        leg = stage.ring()
        await stage.done()
        assert leg.deeds == [(0, "ring", 180), (0, "reject", 503)]
        assert leg.retry_after == "30"
        assert not stage.log.told

    run(scene())


def test_the_row_is_written_while_the_media_are_opened_and_the_answer_waits_for_both() -> None:
    async def scene(row: float, media: float) -> tuple[float | None, float | None]:
        stage = Stage()
        stage.log.write_takes, stage.plane.open_takes = row, media
        leg = stage.ring()
        await until(2)
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.log.told["call-1"] == ["begin", "answered sip-1", "ended"]
        return leg.at("ring"), leg.at("answer")

    assert run(scene(0.5, 0.2)) == (0, 0.5)
    assert run(scene(0.2, 0.5)) == (0, 0.5)


def test_a_broken_directory_is_503() -> None:
    stage = Stage()
    stage.directory.broken = ZeroDivisionError("a defect")
    assert refused(stage) == (503, "30")


def test_the_limit_of_an_agent_is_486_and_that_of_the_node_503() -> None:
    async def scene() -> None:
        stage = Stage(Limits(max_calls=3, max_calls_per_agent=2))
        other = replace(stage.directory.routes[CALLEE], number="+12025550101", agent=replace(AGENT, id="agent-2"))
        stage.directory.routes["+12025550101"] = other
        first, second, third = stage.ring(), stage.ring(), stage.ring()
        await until(1)
        fourth = stage.ring(invite(peer().offer(), to="+12025550101", call_id="sip-4"))
        await until(2)
        fifth = stage.ring(invite(peer().offer(), to="+12025550101", call_id="sip-5"))
        await until(3)
        assert first.at("answer") is not None
        assert second.at("answer") is not None
        assert third.did == ["reject 486"]
        assert fourth.at("answer") == 1
        assert fifth.did == ["reject 503"]
        for leg in (first, second, fourth):
            leg.tell(Ended("bye"))
        await stage.done()
        assert stage.calls.capacity() == 3

    run(scene())


def test_a_burst_cannot_overtake_the_limit() -> None:
    """All INVITEs ask the directory before the first of them has its row."""

    async def scene() -> None:
        stage = Stage(Limits(max_calls=4))
        stage.log.write_takes = 0.5
        legs = [stage.ring() for _ in range(10)]
        await until(5)
        assert sorted(leg.did[0] for leg in legs) == ["reject 503"] * 6 + ["ring 180"] * 4
        await stage.calls.stop()
        await stage.done()

    run(scene())


# -- the way to the answer ------------------------------------------------------------------------------------------------


def test_a_call_from_invite_to_goodbye() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.conversations.talk = goodbye_after_ten
        caller = peer()
        leg = stage.ring(invite(caller.offer()))
        await until(0.02)
        leg.tell(Answered())
        await stage.done()

        assert leg.did == ["ring 180", "answer", "hang_up agent_ended"]
        assert leg.at("hang_up") == 10
        caller.accept_answer(leg.sdp("answer")[0])
        assert caller.negotiated is not None
        assert caller.negotiated.remote == RtpRemote("192.0.2.1", 20000, None)
        [(_, remote, fmt, direction)] = stage.media.connections
        assert (remote.host, remote.port) == (TRUNK_HOST, 40000)
        assert (fmt.codec, fmt.telephone_event, direction) == (Codec.PCMU, 101, Direction.SENDRECV)
        assert str(stage.media.recording) == "recordings/call-1.wav"

        assert stage.log.told["call-1"] == ["begin", "answered sip-1", "ended"]
        begun = stage.log.begun["call-1"]
        assert (begun.customer_number, begun.sip_call_id, begun.route.number) == (CALLER, "sip-1", CALLEE)
        end = stage.log.ends["call-1"]
        assert stage.end() == ("completed", "agent_ended")
        assert end.at == 10_000_000
        assert end.media == REPORT
        assert end.conversation == ConversationEnd(EndedReason.AGENT_ENDED, turn_count=3)

    run(scene())


def test_what_the_conversation_is_told() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.directory.routes[CALLEE] = replace(stage.directory.routes[CALLEE], not_ready=("No voice.",))
        leg = stage.ring()
        await until(1)
        leg.tell(Ended("bye"))
        await stage.done()
        [call] = stage.conversations.calls
        assert (call.id, call.direction, call.agent) == ("call-1", CallDirection.INBOUND, AGENT)
        assert (call.customer_number, call.agent_number) == (CALLER, CALLEE)
        assert call.not_ready == ("No voice.",)
        assert call.media.port == 20000

    run(scene())


def test_an_agent_that_is_not_recorded_has_no_recording() -> None:
    async def scene() -> None:
        stage = Stage(agent=replace(AGENT, recording=RecordingSettings(enabled=False)))
        leg = stage.ring()
        await until(1)
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.media.recording is None

    run(scene())


def test_a_call_is_put_off_the_record_from_its_answer_to_its_end() -> None:
    async def scene() -> None:
        stage = Stage(manners=Manners(2.0))
        stage.conversations.talk = goodbye_after_ten
        leg = stage.ring()
        await until(1)
        assert not await stage.calls.record("call-1", on=False)
        assert not await stage.calls.record("call-9", on=False)
        await until(3)
        leg.tell(Answered())
        await until(4)
        assert await stage.calls.record("call-1", on=False)
        await until(5)
        [call] = stage.conversations.calls
        assert call.off_record.covers(call.media.position(), call.media.position())
        assert await stage.calls.record("call-1", on=True)
        await call.media.set_recording(False)
        await stage.done()
        assert stage.media.recorded == [(4, False), (5, True), (5, False)]
        assert not await stage.calls.record("call-1", on=True)
        told = [event.data["on"] for _, event in stage.log.published if event.kind == "recording"]
        assert told == [False, True]

    run(scene())


def test_it_rings_as_long_as_configured() -> None:
    async def scene() -> None:
        stage = Stage(manners=Manners(ring_seconds=2.5))
        leg = stage.ring()
        await until(2.4)
        assert leg.did == ["ring 180"]
        assert [call.status for call in stage.calls.live()] == ["ringing"]
        await until(3)
        assert leg.at("answer") == 2.5
        assert stage.log.answers["call-1"] == 2_500_000
        leg.tell(Ended("bye"))
        await stage.done()

    run(scene())


def test_without_an_offer_ours_goes_into_the_200_and_the_ack_brings_the_answer() -> None:
    async def scene() -> None:
        stage = Stage()
        caller = peer()
        leg = stage.ring(invite(None))
        await until(0.1)
        assert stage.media.connections == []
        leg.tell(Answered(caller.answer(leg.sdp("answer")[0])))
        await until(0.2)
        assert [(remote.port, at) for at, remote, _, _ in stage.media.connections] == [(40000, 0.1)]
        assert stage.conversations.made[0].began_at == 0.1
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")

    run(scene())


@pytest.mark.parametrize("body", [None, VIDEO_ONLY])
def test_an_ack_without_a_usable_answer_ends_the_call_at_once(body: bytes | None) -> None:
    async def scene() -> None:
        stage = Stage()
        leg = stage.ring(invite(None))
        await until(0.1)
        leg.tell(Answered(body))
        await stage.done()
        assert leg.did == ["ring 180", "answer", "hang_up error"]
        assert stage.end() == ("completed", "error")
        assert stage.log.problems["call-1"][0].part == "sip"
        assert stage.conversations.made == []

    run(scene())


def test_media_that_are_gone_when_it_rings_are_503() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.plane.down = True
        leg = stage.ring()
        await stage.done()
        assert leg.did == ["ring 180", "reject 503"]
        assert leg.retry_after == "30"
        assert stage.end() == ("failed", "at_capacity")

    run(scene())


def test_an_offer_of_the_other_address_family_is_488_however_it_came() -> None:
    """The source is IPv4, as the offer is, and our media have IPv6 alone: only then is it known that they cannot meet."""

    async def scene() -> None:
        stage = Stage()
        stage.plane.host = "2001:db8::1"
        leg = stage.ring()
        await stage.done()
        assert leg.did == ["ring 180", "reject 488"]
        assert stage.end() == ("failed", "error")
        assert stage.log.ends["call-1"].sip_code == 488

    run(scene())


def test_national_digits_of_the_caller_are_read_by_the_called_number_s_country() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = stage.ring(invite(peer().offer(), caller="2025550123"))
        await until(1)
        assert stage.log.begun["call-1"].customer_number == CALLER
        leg.tell(Ended("bye"))
        await stage.done()

    run(scene())


# -- how it ends -----------------------------------------------------------------------------------------------------------


def test_cancel_before_the_answer() -> None:
    async def scene() -> None:
        stage = Stage(manners=Manners(ring_seconds=10))
        leg = stage.ring()
        await until(3)
        leg.tell(Ended("cancel"))
        await stage.done()
        assert leg.did == ["ring 180"]
        assert stage.end() == ("failed", "canceled")
        assert stage.log.ends["call-1"].at == 3_000_000
        assert stage.log.told["call-1"] == ["begin", "ended"]

    run(scene())


def test_cancel_while_the_row_is_being_written_answers_nobody() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.log.write_takes = 0.2
        leg = stage.ring()
        await until(0.1)
        leg.tell(Ended("cancel"))
        await stage.done()
        assert leg.did == ["ring 180"]
        assert stage.end() == ("failed", "canceled")

    run(scene())


def test_a_bye_in_the_early_dialog_is_a_cancel() -> None:
    async def scene() -> None:
        stage = Stage(manners=Manners(ring_seconds=10))
        leg = stage.ring()
        await until(3)
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("failed", "canceled")

    run(scene())


def test_bye_ends_the_conversation_and_keeps_what_it_had_come_to() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.conversations.put_down_takes = 0.3
        leg = stage.ring()
        await until(5)
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")
        assert stage.conversations.made[0].cancelled_at == 5
        assert stage.media.closed_at == 5.3
        assert stage.log.ends["call-1"].conversation == ConversationEnd(None, {"so": "far"}, 2)

    run(scene())


def test_without_an_ack_the_call_is_an_error() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = stage.ring()
        await until(32)
        leg.tell(Ended("lost", "No ACK came."))
        await stage.done()
        assert stage.end() == ("completed", "error")
        assert [problem.message for problem in stage.log.problems["call-1"]] == ["No ACK came."]

    run(scene())


def test_the_registered_trunk_names_the_number_in_to() -> None:
    async def scene() -> None:
        stage = Stage()
        request = invite(peer().offer())
        request.uri = "sip:trunk-user-17@192.0.2.1:5060;transport=udp"
        leg = stage.ring(request)
        await until(1)
        assert stage.directory.asked == ["trunk-user-17", CALLEE]
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")

    run(scene())
