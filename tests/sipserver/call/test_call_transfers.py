"""Callers are handed over: by REFER, by a second leg that is bridged, to another agent; and they come back when nobody is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from media.frames import CallMedia, MediaTimeout
from sipserver.agents import POLITE_SECONDS
from sipserver.legs import Answered, Ended, Offered, Progress, ReferProgress, Referred, Refused
from sipserver.protocols import (
    Colleague,
    ConversationEnd,
    EndedReason,
    Handover,
    LiveCall,
    TransferFailure,
    TransferMode,
    TransferOrder,
    TransferOutcome,
    TransferTarget,
    TrunkOptions,
    Utterance,
)
from tests.sipserver.call.fakes import AGENT, CALLEE, TRUNK, TRUNK_HOST, FakeLeg, Stage, invite, peer, until
from tests.virtual_time import run

HUMAN = "+12025550177"
COLD = TransferTarget("reception", TransferMode.COLD, number=HUMAN)
WARM = replace(COLD, mode=TransferMode.WARM)
BRIEFED = replace(COLD, mode=TransferMode.WARM_BRIEFING)
CAN_REFER = ["Allow: INVITE, ACK, BYE, REFER, NOTIFY"]
CANNOT_REFER = ["Allow: INVITE, ACK, BYE"]
OK = TransferOutcome()


class Scene:
    """A caller talks with an agent that hands over after one second; `quiet` and `briefing` take their time."""

    def __init__(self, target: TransferTarget, *, quiet: float = 0.0, briefing: float = 2.0, **stage: Any) -> None:
        self.stage = Stage(**stage)
        self.stage.conversations.talk = self._talk
        self.target = target
        self.outcomes: list[TransferOutcome] = []
        self.briefed: list[CallMedia] = []
        self._quiet = quiet
        self._briefing = briefing

    async def begin(self, headers: Sequence[str] = CAN_REFER, answered: bool = True) -> FakeLeg:
        caller = peer()
        self.leg = self.stage.ring(invite(caller.offer(), headers=headers))
        await until(0.5)
        self.leg.tell(Answered())
        await until(1.5)
        return self.leg

    async def _talk(self, call: LiveCall) -> ConversationEnd:
        await asyncio.sleep(1.0)
        assert call.transfer is not None
        outcome = await call.transfer(Handover(TransferOrder(self.target), self._until_quiet, self._brief))
        self.outcomes.append(outcome)
        if outcome.failure is None:
            return ConversationEnd(EndedReason.TRANSFERRED, captured={"so": "good"}, turn_count=1)
        await asyncio.sleep(5.0)
        return ConversationEnd(EndedReason.AGENT_ENDED, turn_count=2)

    async def _until_quiet(self) -> None:
        await asyncio.sleep(self._quiet)

    async def _brief(self, media: CallMedia) -> Sequence[Utterance]:
        self.briefed.append(media)
        await asyncio.sleep(self._briefing)
        return [Utterance("assistant", "A caller.", 0, 2000)]

    @property
    def human(self) -> FakeLeg:
        """The second leg."""
        return self.stage.endpoint.legs[0]

    def told(self) -> list[str]:
        """The statuses that were written of the transfer."""
        return [str(record.status) for record in self.stage.log.transfers["call-1"]]

    def last(self) -> tuple[Any, ...]:
        record = self.stage.log.transfers["call-1"][-1]
        return record.status, record.failure, record.sip_code

    def human_answers(self) -> None:
        callee = peer(host="198.51.100.8", port=41000)
        self.human.tell(Answered(callee.answer(self.stage.endpoint.invitations[-1].sdp)))

    async def comes_back(self) -> None:
        """The conversation goes on after the transfer, and ends the call by itself."""
        await self.stage.done()
        assert self.stage.end() == ("completed", "agent_ended")


# -- by REFER ---------------------------------------------------------------------------------------------------------------


def test_a_blind_transfer_ends_the_call_when_the_target_has_answered() -> None:
    async def scene() -> None:
        this = Scene(COLD)
        leg = await this.begin()
        assert leg.did[-1] == f"refer sip:{HUMAN}@{TRUNK_HOST}"
        leg.tell(ReferProgress(100, "Trying", False), ReferProgress(180, "Ringing", False))
        await until(5)
        assert this.outcomes == []
        leg.tell(ReferProgress(200, "OK", True))
        await this.stage.done()
        assert this.outcomes == [OK]
        assert this.stage.end() == ("completed", "transferred")
        assert leg.did[-1] == "hang_up transferred"
        assert this.told() == ["initiated", "ringing", "completed"]
        record = this.stage.log.transfers["call-1"][-1]
        assert (record.to, record.started_at, record.ended_at is not None) == (HUMAN, None, True)
        assert this.stage.endpoint.invitations == []

    run(scene())


def test_a_peer_that_hangs_up_after_it_took_the_refer_has_the_caller() -> None:
    async def scene() -> None:
        this = Scene(COLD)
        leg = await this.begin()
        leg.tell(ReferProgress(100, "Trying", False), ReferProgress(202, "Accepted", True), Ended("bye"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "transferred")
        assert this.told() == ["initiated", "completed"]

    run(scene())


def test_a_caller_who_hangs_up_while_the_peer_has_not_answered_the_refer_has_hung_up() -> None:
    async def scene() -> None:
        this = Scene(COLD)
        leg = await this.begin()
        leg.tell(ReferProgress(487, "Gone", True), Ended("bye"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "customer_ended")

    run(scene())


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (486, TransferFailure.BUSY),
        (480, TransferFailure.NO_ANSWER),
        (487, TransferFailure.NO_ANSWER),
        (603, TransferFailure.REJECTED),
        (404, TransferFailure.UNAVAILABLE),
        (503, TransferFailure.UNAVAILABLE),
    ],
)
def test_what_the_notify_says_is_the_typed_reason_and_the_agent_goes_on(status: int, failure: TransferFailure) -> None:
    async def scene() -> None:
        this = Scene(COLD)
        leg = await this.begin()
        leg.tell(ReferProgress(100, "Trying", False), ReferProgress(status, "No", True))
        await until(2)
        assert this.outcomes == [TransferOutcome(failure, status)]
        assert this.last() == ("failed", failure, status)
        await this.comes_back()

    run(scene())


def test_a_refer_that_is_refused_for_itself_is_not_tried_in_another_way() -> None:
    async def scene() -> None:
        this = Scene(COLD)
        leg = await this.begin()
        leg.tell(ReferProgress(403, "Forbidden", True))
        await until(2)
        assert this.outcomes == [TransferOutcome(TransferFailure.REFER_REFUSED, 403)]
        assert this.stage.endpoint.invitations == []
        await this.comes_back()

    run(scene())


def no_allow(this: Scene) -> None:
    assert not any(deed.startswith("refer") for deed in this.leg.did)


def refused_with(status: int) -> Callable[[Scene], None]:
    return lambda this: this.leg.tell(ReferProgress(status, "No", True))


@pytest.mark.parametrize(
    ("headers", "peer_says"),
    [
        (CANNOT_REFER, no_allow),
        *[(CAN_REFER, refused_with(status)) for status in (405, 501, 603)],
        ([], refused_with(420)),
    ],
)
def test_where_the_peer_does_no_transfers_we_connect_the_two(
    headers: list[str], peer_says: Callable[[Scene], None]
) -> None:
    async def scene() -> None:
        this = Scene(COLD)
        await this.begin(headers)
        peer_says(this)
        await until(2)
        assert [invitation.to for invitation in this.stage.endpoint.invitations] == [HUMAN]
        this.human_answers()
        await until(3)
        assert this.outcomes == [OK]
        assert this.briefed == []
        assert len(this.stage.plane.opened[0].bridged) == 1
        this.leg.tell(Ended("bye"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "transferred")

    run(scene())


def test_a_peer_that_never_tells_gives_the_caller_back() -> None:
    async def scene() -> None:
        this = Scene(COLD)
        leg = await this.begin()
        leg.tell(ReferProgress(100, "Trying", False))
        await until(200)
        assert this.outcomes == [TransferOutcome(TransferFailure.NO_ANSWER)]
        await this.comes_back()

    run(scene())


# -- by a second leg ----------------------------------------------------------------------------------------------------------


def test_a_warm_transfer_plays_music_and_bridges_as_soon_as_it_is_answered() -> None:
    async def scene() -> None:
        this = Scene(WARM, quiet=1.0)
        leg = await this.begin()
        order = this.stage.endpoint.invitations[0]
        assert (order.to, order.from_user, order.trunk) == (HUMAN, CALLEE, TRUNK)
        caller_media, human_media = this.stage.plane.opened
        assert human_media.beside is not None
        assert human_media.beside.port == caller_media.port
        assert human_media.recording is None
        this.human.tell(Progress(180, "Ringing"))
        await until(6)
        this.human_answers()
        await until(7)
        assert this.outcomes == [OK]
        # Dialled at 1.0, quiet at 2.0, answered at 6.0.
        assert caller_media.music == [(2.0, 6.0)]
        assert caller_media.bridged == [(6.0, human_media.port)]
        assert human_media.connections[0][1].port == 41000
        assert this.told() == ["initiated", "ringing", "answered", "completed"]
        await until(100)
        this.human.tell(Ended("bye"))
        await this.stage.done()
        assert leg.deeds[-1] == (100.0, "hang_up", "transferred")
        assert this.stage.end() == ("completed", "transferred")
        end = this.stage.log.ends["call-1"].conversation
        assert end is not None
        assert (end.captured, end.turn_count) == ({"so": "good"}, 1)

    run(scene())


def test_the_caller_hangs_up_and_the_human_is_let_go() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        leg = await this.begin()
        this.human_answers()
        await until(50)
        leg.tell(Ended("bye"))
        await this.stage.done()
        assert this.human.deeds[-1] == (50.0, "hang_up", None)
        assert this.stage.end() == ("completed", "transferred")

    run(scene())


def test_a_bridge_has_its_own_limit_and_the_agents_does_not_count() -> None:
    async def scene() -> None:
        agent = replace(AGENT, max_call_seconds=30, transfer_max_seconds=3600)
        this = Scene(WARM, agent=agent)
        leg = await this.begin()
        this.human_answers()
        await this.stage.done()
        assert leg.deeds[-1][1:] == ("hang_up", "max_duration")
        assert 3600 < leg.deeds[-1][0] < 3605
        assert this.human.over

    run(scene())


def test_waiting_for_the_target_does_not_use_up_the_agents_time() -> None:
    async def scene() -> None:
        this = Scene(WARM, agent=replace(AGENT, max_call_seconds=30))

        async def talks_for_ever(call: LiveCall) -> ConversationEnd:
            await this._talk(call)
            await asyncio.Event().wait()
            raise AssertionError

        this.stage.conversations.talk = talks_for_ever
        leg = await this.begin()
        await until(21)
        this.human.tell(Refused(486, "Busy Here"))
        await this.stage.done()
        # Away from 1.0 to 21.0.
        assert leg.deeds[-1][1:] == ("hang_up", "max_duration")
        assert round(leg.deeds[-1][0], 3) == 30 + POLITE_SECONDS + 20

    run(scene())


def test_a_briefing_comes_before_the_bridge_and_is_kept_with_the_transfer() -> None:
    async def scene() -> None:
        this = Scene(BRIEFED)
        await this.begin()
        await until(3)
        this.human_answers()
        await until(4)
        caller_media, human_media = this.stage.plane.opened
        assert [media.port for media in this.briefed] == [human_media.port]
        assert caller_media.bridged == []
        await until(6)
        assert caller_media.bridged == [(5.0, human_media.port)]
        assert caller_media.music == [(1.0, 5.0)]
        assert [item.text for item in this.stage.log.transfers["call-1"][-1].transcript] == ["A caller."]
        this.human.tell(Ended("bye"))
        await this.stage.done()

    run(scene())


def test_a_human_who_hangs_up_while_being_told_does_not_get_the_caller() -> None:
    async def scene() -> None:
        this = Scene(BRIEFED)
        await this.begin()
        this.human_answers()
        await until(2.5)
        this.human.tell(Ended("bye"))
        await until(3)
        assert this.outcomes == [TransferOutcome(TransferFailure.REJECTED)]
        assert this.told() == ["initiated", "answered", "failed"]
        assert this.stage.plane.opened[1].closed_at == 2.5
        await this.comes_back()

    run(scene())


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (486, TransferFailure.BUSY),
        (603, TransferFailure.REJECTED),
        (408, TransferFailure.NO_ANSWER),
        (404, TransferFailure.UNAVAILABLE),
    ],
)
def test_a_refusal_stops_the_music_and_gives_the_caller_back(status: int, failure: TransferFailure) -> None:
    async def scene() -> None:
        this = Scene(WARM)
        await this.begin()
        await until(4)
        this.human.tell(Refused(status, "No"))
        await until(5)
        assert this.outcomes == [TransferOutcome(failure, status)]
        assert this.stage.plane.opened[0].music == [(1.0, 4.0)]
        assert this.stage.plane.opened[1].closed_at == 4.0
        await this.comes_back()

    run(scene())


def test_a_target_that_does_not_answer_is_given_up() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        trunk = replace(TRUNK, options=TrunkOptions(ring_timeout_seconds=12))
        route = this.stage.directory.routes[CALLEE]
        this.stage.directory.routes[CALLEE] = replace(route, trunk=trunk)
        await this.begin()
        this.human.tell(Progress(180, "Ringing"))
        await until(14)
        assert this.outcomes == [TransferOutcome(TransferFailure.NO_ANSWER)]
        assert [(round(at, 3), deed) for at, deed, _ in this.human.deeds] == [(13.0, "hang_up")]
        await this.comes_back()

    run(scene())


def test_a_caller_who_hangs_up_while_it_rings_cancels_the_second_leg() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        leg = await this.begin()
        await until(4)
        leg.tell(Ended("bye"))
        await this.stage.done()
        assert this.human.deeds[-1] == (4.0, "hang_up", None)
        assert this.stage.end() == ("completed", "customer_ended")

    run(scene())


@pytest.mark.parametrize("target", [COLD, WARM])
def test_what_the_policy_forbids_is_not_dialled(target: TransferTarget) -> None:
    async def scene() -> None:
        this = Scene(target)
        this.stage.desk.refused[HUMAN] = "Calls to GB are not allowed."
        leg = await this.begin()
        assert this.outcomes == [TransferOutcome(TransferFailure.NOT_ALLOWED)]
        assert this.stage.endpoint.legs == []
        assert not any(deed.startswith("refer") for deed in leg.did)
        assert "GB" in this.stage.log.problems["call-1"][0].message
        await this.comes_back()

    run(scene())


def test_without_a_row_the_caller_comes_back() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        leg = this.stage.ring(invite(peer().offer()))
        await until(0.5)
        leg.tell(Answered())
        this.stage.plane.down = True
        await until(1.5)
        assert this.outcomes == [TransferOutcome(TransferFailure.UNAVAILABLE)]
        await this.comes_back()

    run(scene())


def test_without_a_bridge_the_caller_comes_back_and_the_human_is_let_go() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        await this.begin()
        this.stage.plane.opened[0].cannot_bridge = True
        this.human_answers()
        await until(20)
        assert this.outcomes == [TransferOutcome(TransferFailure.UNAVAILABLE)]
        assert this.human.over
        await this.comes_back()

    run(scene())


def test_the_human_may_hold_and_move_and_their_silence_ends_the_bridge() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        await this.begin()
        this.human_answers()
        await until(5)
        moved = peer(host="198.51.100.8", port=42000)
        this.human.tell(Offered(moved.offer()), Referred("sip:x@example.com"))
        await until(6)
        human_media = this.stage.plane.opened[1]
        assert human_media.connections[-1][1].port == 42000
        assert "decline_refer 603" in this.human.did
        human_media.emit(MediaTimeout(0))
        await this.stage.done()
        assert this.stage.end() == ("completed", "transferred")

    run(scene())


def test_a_sip_uri_is_called_by_way_of_the_trunk() -> None:
    async def scene() -> None:
        this = Scene(TransferTarget("duty", TransferMode.WARM, sip_uri="sip:duty@pbx.example.com"))
        await this.begin()
        invitation = this.stage.endpoint.invitations[0]
        assert (invitation.uri, invitation.trunk) == ("sip:duty@pbx.example.com", TRUNK)
        this.leg.tell(Ended("bye"))
        await this.stage.done()

    run(scene())


def test_a_target_that_does_without_srtp_is_asked_once_more() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        route = this.stage.directory.routes[CALLEE]
        secure = replace(TRUNK, options=TrunkOptions(srtp="preferred"))
        this.stage.directory.routes[CALLEE] = replace(route, trunk=secure)
        await this.begin()
        assert b"RTP/SAVP" in this.stage.endpoint.invitations[0].sdp
        this.human.tell(Refused(488, "Not Acceptable Here"))
        await until(2)
        plain = this.stage.endpoint.invitations[1].sdp
        assert b"RTP/SAVP" not in plain
        this.stage.endpoint.legs[1].tell(Answered(peer(host="198.51.100.8", port=41000).answer(plain)))
        await until(3)
        assert this.outcomes == [OK]
        this.stage.endpoint.legs[1].tell(Ended("bye"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "transferred")

    run(scene())


# -- to another agent ---------------------------------------------------------------------------------------------------------


def test_another_agent_goes_on_with_the_caller_on_the_same_call() -> None:
    async def scene() -> None:
        this = Scene(TransferTarget("billing", TransferMode.AGENT, agent_id="agent-2"))
        other = replace(AGENT, id="agent-2", name="Bo", max_call_seconds=60)
        this.stage.desk.colleagues["agent-2"] = Colleague(other)
        leg = await this.begin()
        this.target = replace(this.target, agent_id="agent-3")
        first, second = this.stage.conversations.calls
        assert (first.agent.id, second.agent.id, second.id) == ("agent-1", "agent-2", "call-1")
        assert second.variables["so"] == "good"
        assert this.stage.calls.live()[0].agent_id == "agent-2"
        assert this.told() == ["initiated", "completed"]
        # The next one is not there; then the second agent ends the call.
        await this.stage.done()
        assert this.outcomes == [OK, TransferOutcome(TransferFailure.UNAVAILABLE)]
        assert this.stage.end() == ("completed", "agent_ended")
        assert leg.did[-1] == "hang_up agent_ended"
        end = this.stage.log.ends["call-1"].conversation
        assert end is not None
        assert (end.captured, end.turn_count) == ({"so": "good"}, 3)

    run(scene())


def test_an_agent_that_could_only_take_a_message_does_not_get_the_caller() -> None:
    async def scene() -> None:
        this = Scene(TransferTarget("billing", TransferMode.AGENT, agent_id="agent-2"))
        this.stage.desk.colleagues["agent-2"] = Colleague(replace(AGENT, id="agent-2"), ("no model",))
        await this.begin()
        assert this.outcomes == [TransferOutcome(TransferFailure.UNAVAILABLE)]
        await this.comes_back()

    run(scene())


# -- by order -----------------------------------------------------------------------------------------------------------------


def test_an_order_goes_to_the_conversation_of_a_live_call() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = stage.ring()
        await until(1)
        leg.tell(Answered())
        await until(2)
        assert await stage.calls.transfer("call-1", TransferOrder(WARM))
        assert stage.conversations.made[0].ordered == [TransferOrder(WARM)]
        stage.conversations.made[0].takes_orders = False
        assert not await stage.calls.transfer("call-1", TransferOrder(WARM))
        assert not await stage.calls.transfer("call-9", TransferOrder(WARM))
        leg.tell(Ended("bye"))
        await stage.done()

    run(scene())


# -- a REFER of the peer's ----------------------------------------------------------------------------------------------------


class Referring:
    """A caller on a trunk whose REFERs are obeyed, or not, talks with an agent that says nothing."""

    def __init__(self, *, obeyed: bool = True) -> None:
        self.stage = Stage()
        trunk = replace(TRUNK, options=TrunkOptions(accept_refer=obeyed, ring_timeout_seconds=20))
        self.stage.directory.routes[CALLEE] = replace(self.stage.directory.routes[CALLEE], trunk=trunk)

    async def refers(self, event: Referred | None = None) -> FakeLeg:
        self.leg = self.stage.ring(invite(peer().offer()))
        await until(1)
        self.leg.tell(Answered())
        await until(2)
        self.leg.tell(event or Referred("sip:200@pbx.example.com", referred_by="<sip:100@pbx.example.com>"))
        await until(3)
        return self.leg

    @property
    def target(self) -> FakeLeg:
        return self.stage.endpoint.legs[0]

    def target_answers(self) -> None:
        offer = self.stage.endpoint.invitations[0].sdp
        self.target.tell(Answered(peer(host="198.51.100.9", port=43000).answer(offer)))

    def told(self) -> list[str]:
        return [deed for deed in self.leg.did if deed.startswith("notify_refer")]


def test_an_obeyed_refer_gives_the_call_another_leg_and_the_agent_speaks_on() -> None:
    async def scene() -> None:
        this = Referring()
        leg = await this.refers()
        assert "accept_refer None" in leg.did
        invitation = this.stage.endpoint.invitations[0]
        assert (invitation.uri, invitation.referred_by) == ("sip:200@pbx.example.com", "<sip:100@pbx.example.com>")
        assert invitation.takes_refer
        this.target.tell(Progress(180, "Ringing"))
        await until(5)
        this.target_answers()
        await until(6)
        assert this.told() == ["notify_refer 180", "notify_refer 200"]
        assert leg.did[-1] == "notify_refer 200"
        assert this.stage.media.connections[-1][1].port == 43000
        assert len(this.stage.conversations.made) == 1
        this.target.tell(Offered(peer(host="198.51.100.9", port=43002).offer()))
        await until(7)
        assert this.stage.media.connections[-1][1].port == 43002
        # A peer that does not hang up by itself is hung up.
        await until(8)
        assert leg.deeds[-1] == (7.0, "hang_up", "referred")
        this.target.tell(Ended("bye"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "customer_ended")
        assert len(this.stage.plane.opened) == 1

    run(scene())


def test_a_peer_that_hangs_up_after_the_202_does_not_take_the_call_with_it() -> None:
    async def scene() -> None:
        this = Referring()
        leg = await this.refers()
        leg.tell(Ended("bye"))
        await until(4)
        this.target_answers()
        await until(5)
        assert this.told() == ["notify_refer 200"]
        this.target.tell(Ended("bye"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "customer_ended")

    run(scene())


@pytest.mark.parametrize("gone", [False, True])
def test_a_target_that_refuses_leaves_the_call_with_the_peer_if_it_is_there(gone: bool) -> None:
    async def scene() -> None:
        this = Referring()
        leg = await this.refers()
        if gone:
            leg.tell(Ended("bye"))
            await until(4)
        this.target.tell(Refused(486, "Busy Here"))
        await until(5)
        assert this.told() == ["notify_refer 486"]
        assert bool(this.stage.calls.live()) is not gone
        leg.tell(Ended("bye"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "customer_ended")

    run(scene())


def test_a_target_that_rings_too_long_is_given_up() -> None:
    async def scene() -> None:
        this = Referring()
        leg = await this.refers()
        await until(23)
        assert this.told() == ["notify_refer 408"]
        assert this.target.did == ["hang_up None"]
        leg.tell(Ended("bye"))
        await this.stage.done()

    run(scene())


def test_while_another_leg_is_on_its_way_the_agent_hands_nobody_over() -> None:
    async def scene() -> None:
        this = Referring()
        outcomes: list[TransferOutcome] = []

        async def talk(call: LiveCall) -> ConversationEnd:
            await asyncio.sleep(4.0)
            assert call.transfer is not None
            outcomes.append(await call.transfer(Handover(TransferOrder(WARM), asyncio.Event().wait, None)))  # type: ignore[arg-type]
            return ConversationEnd(EndedReason.AGENT_ENDED)

        this.stage.conversations.talk = talk
        await this.refers()
        await this.stage.done()
        assert outcomes == [TransferOutcome(TransferFailure.UNAVAILABLE)]

    run(scene())


def test_the_end_of_the_call_ends_what_is_on_its_way() -> None:
    async def scene() -> None:
        this = Referring()
        await this.refers()
        assert await this.stage.calls.hang_up("call-1")
        await this.stage.done()
        assert this.target.did == ["hang_up None"]
        assert this.stage.end() == ("completed", "agent_ended")

    run(scene())


@pytest.mark.parametrize("reason", ["policy", "dialling", "second"])
def test_a_refer_that_must_not_be_obeyed_is_declined(reason: str) -> None:
    async def scene() -> None:
        this = Referring(obeyed=reason != "policy")
        if reason == "dialling":
            this.stage.desk.refused["+19005550100"] = "Premium rate numbers are not dialled."
        leg = await this.refers(Referred("tel:+1-900-555-0100") if reason == "dialling" else None)
        if reason == "second":
            leg.tell(Referred("sip:201@pbx.example.com"))
            await until(4)
        assert leg.did[-1] == "decline_refer 603"
        assert len(this.stage.endpoint.legs) == (1 if reason == "second" else 0)
        leg.tell(Ended("bye"))
        if reason == "second":
            this.target.tell(Refused(480, "Gone"))
        await this.stage.done()
        assert this.stage.end() == ("completed", "customer_ended")

    run(scene())
