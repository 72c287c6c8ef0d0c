"""Outbound calls: from an order to the answer, and every way of not getting one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from media.frames import Codec
from sipserver.capacity import Limits
from sipserver.codecs import PCMA
from sipserver.legs import Answered, Ended, Progress, Refused
from sipserver.message import MessageError
from sipserver.protocols import CallDirection, ConversationEnd, EndedReason, LiveCall
from tests.sipserver.call.fakes import AGENT, CALLEE, CALLER, TRUNK, VIDEO_ONLY, FakeLeg, Stage, peer, until
from tests.virtual_time import run


def answer_of(leg: FakeLeg) -> bytes:
    """What a callee with PCMA alone answers to our offer."""
    return peer([PCMA]).answer(leg.invite.body)


def test_a_call_from_order_to_goodbye() -> None:
    async def thanks(call: LiveCall) -> ConversationEnd:
        await asyncio.sleep(4)
        return ConversationEnd(EndedReason.AGENT_ENDED)

    async def scene() -> None:
        stage = Stage()
        stage.conversations.talk = thanks
        stage.dial()
        await until(0.5)
        assert [call.status for call in stage.calls.live()] == ["queued"]
        [leg] = stage.endpoint.legs
        leg.tell(Progress(180, "Ringing"), Progress(180, "Ringing"))
        await until(3)
        assert [call.status for call in stage.calls.live()] == ["ringing"]
        leg.tell(Answered(answer_of(leg)))
        await until(3.5)
        assert [(call.status, call.answered_at) for call in stage.calls.live()] == [("in_progress", 3_000_000)]
        await stage.done()

        [invitation] = stage.endpoint.invitations
        assert (invitation.trunk, invitation.to, invitation.from_user) == (TRUNK, CALLER, CALLEE)
        [(at, remote, fmt, _)] = stage.media.connections
        assert (at, remote.port, fmt.codec) == (3, 40000, Codec.PCMA)
        assert leg.deeds == [(7.0, "hang_up", "agent_ended")]
        assert stage.log.told["out"] == ["ringing out-1", "answered out-1", "ended"]
        assert stage.end("out") == ("completed", "agent_ended")
        [call] = stage.conversations.calls
        assert (call.direction, call.customer_number, call.agent_number) == (CallDirection.OUTBOUND, CALLER, CALLEE)
        assert call.variables == {"day": "Monday"}

    run(scene())


def test_the_recording_is_that_of_the_call() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.endpoint.on_leg = lambda leg: leg.tell(Refused(486, "Busy Here"))
        stage.dial("order-7")
        await stage.done()
        assert str(stage.media.recording) == "recordings/order-7.wav"

    run(scene())


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (300, "failed", "rejected"),
        (302, "failed", "rejected"),
        (400, "failed", "error"),
        (401, "failed", "rejected"),
        (402, "failed", "rejected"),
        (403, "failed", "rejected"),
        (404, "failed", "invalid_number"),
        (405, "failed", "error"),
        (407, "failed", "rejected"),
        (408, "no_answer", "no_answer"),
        (410, "failed", "invalid_number"),
        (433, "failed", "rejected"),
        (480, "no_answer", "no_answer"),
        (484, "failed", "invalid_number"),
        (485, "failed", "invalid_number"),
        (486, "failed", "busy"),
        (487, "no_answer", "no_answer"),
        (488, "failed", "error"),
        (500, "failed", "trunk_unavailable"),
        (502, "failed", "trunk_unavailable"),
        (503, "failed", "trunk_unavailable"),
        (504, "failed", "trunk_unavailable"),
        (600, "failed", "busy"),
        (603, "failed", "rejected"),
        (604, "failed", "invalid_number"),
        (606, "failed", "error"),
        (607, "failed", "blocked"),
        (608, "failed", "blocked"),
    ],
)
def test_what_a_refusal_means(code: int, status: str, reason: str) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.endpoint.on_leg = lambda leg: leg.tell(Progress(180, "Ringing"), Refused(code, "So it is"))
        stage.dial()
        await stage.done()
        assert stage.end("out") == (status, reason)
        end = stage.log.ends["out"]
        assert (end.sip_code, end.sip_reason, end.sip_call_id) == (code, "So it is", "out-1")
        assert end.conversation is None
        assert stage.endpoint.legs[0].deeds == []

    run(scene())


@pytest.mark.parametrize("rings", [True, False])
def test_nobody_answers_in_time(rings: bool) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial(ring_timeout=25)
        await until(1)
        [leg] = stage.endpoint.legs
        if rings:
            leg.tell(Progress(180, "Ringing"))
        await stage.done()
        assert leg.deeds == [(25.0, "hang_up", "no_answer")]
        assert stage.end("out") == ("no_answer", "no_answer")
        assert stage.log.ends["out"].at == 25_000_000

    run(scene())


def test_the_callee_who_answers_is_not_hung_up_by_the_ring_timeout() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial(ring_timeout=25)
        await until(24.9)
        [leg] = stage.endpoint.legs
        leg.tell(Answered(answer_of(leg)))
        await until(100)
        assert leg.deeds == []
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end("out") == ("completed", "customer_ended")

    run(scene())


def test_early_media_are_tolerated_and_only_18x_are_ringing() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        [leg] = stage.endpoint.legs
        leg.tell(Progress(199, "Early Dialog Terminated"))
        await until(2)
        assert "out" not in stage.log.told
        leg.tell(Progress(183, "Session Progress", answer_of(leg)))
        await until(3)
        assert stage.log.told["out"] == ["ringing out-1"]
        assert stage.media.connections == []
        leg.tell(Answered(answer_of(leg)))
        await until(4)
        assert len(stage.media.connections) == 1
        leg.tell(Ended("bye"))
        await stage.done()

    run(scene())


@pytest.mark.parametrize("body", [None, VIDEO_ONLY, b"nonsense"])
def test_an_answer_that_cannot_be_used_is_hung_up(body: bytes | None) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        [leg] = stage.endpoint.legs
        leg.tell(Answered(body))
        await stage.done()
        assert leg.did == ["hang_up error"]
        assert stage.end("out") == ("failed", "error")
        assert "session description" in stage.log.problems["out"][0].message

    run(scene())


# -- hang_up ----------------------------------------------------------------------------------------------------------------


def test_hang_up_before_the_invite() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.plane.open_takes = 2
        stage.dial()
        await until(1)
        assert await stage.calls.hang_up("out")
        await stage.done()
        assert stage.endpoint.invitations == []
        assert stage.end("out") == ("failed", "canceled")

    run(scene())


def test_hang_up_while_it_rings() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        stage.endpoint.legs[0].tell(Progress(180, "Ringing"))
        await until(2)
        assert await stage.calls.hang_up("out")
        await stage.done()
        assert stage.endpoint.legs[0].deeds == [(2.0, "hang_up", "canceled")]
        assert stage.end("out") == ("failed", "canceled")

    run(scene())


def test_hang_up_in_progress() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        [leg] = stage.endpoint.legs
        leg.tell(Answered(answer_of(leg)))
        await until(5)
        assert await stage.calls.hang_up("out")
        assert not await stage.calls.hang_up("out")
        await stage.done()
        assert leg.deeds == [(5.0, "hang_up", "agent_ended")]
        assert stage.end("out") == ("completed", "agent_ended")
        assert not await stage.calls.hang_up("out")

    run(scene())


def test_hang_up_of_nobody() -> None:
    async def scene() -> None:
        assert not await Stage().calls.hang_up("nobody")

    run(scene())


# -- no room ----------------------------------------------------------------------------------------------------------------


def nothing_sent(stage: Stage) -> tuple[str, str]:
    """How a call ended that must not have sent an INVITE."""

    async def scene() -> tuple[str, str]:
        stage.dial()
        await stage.done()
        assert stage.endpoint.invitations == []
        return stage.end("out")

    return run(scene())


def test_at_capacity() -> None:
    stage = Stage()
    stage.plane.rows = 0
    assert nothing_sent(stage) == ("failed", "at_capacity")


def test_while_draining() -> None:
    stage = Stage()
    stage.calls.drain()
    assert nothing_sent(stage) == ("failed", "at_capacity")


def test_when_media_cannot_be_opened() -> None:
    stage = Stage()
    stage.plane.down = True
    assert nothing_sent(stage) == ("failed", "at_capacity")
    assert stage.log.told["out"] == ["problem", "ended"]


def test_a_trunk_that_cannot_be_written_as_sip() -> None:
    stage = Stage()
    stage.endpoint.unwritable = MessageError("'a b' is not a SIP URI.")
    assert nothing_sent(stage) == ("failed", "trunk_unavailable")
    assert stage.log.told["out"] == ["problem", "ended"]


def test_the_limit_of_an_agent_counts_both_directions() -> None:
    async def scene() -> None:
        stage = Stage(Limits(max_calls=5, max_calls_per_agent=1))
        leg = stage.ring()
        await until(1)
        stage.dial("refused")
        stage.dial("taken", agent=replace(AGENT, id="agent-2"))
        await until(2)
        assert stage.end("refused") == ("failed", "at_capacity")
        assert len(stage.endpoint.invitations) == 1
        leg.tell(Ended("bye"))
        assert await stage.calls.hang_up("taken")
        await stage.done()

    run(scene())


def test_why_a_redirection_was_not_followed_is_on_the_call() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        stage.endpoint.legs[0].tell(Refused(302, "Moved Temporarily", "The trunk redirects the call elsewhere."))
        await stage.done()
        assert stage.end("out") == ("failed", "rejected")
        assert [problem.message for problem in stage.log.problems["out"]] == ["The trunk redirects the call elsewhere."]

    run(scene())
