"""The second leg of a transfer takes a channel of its trunk, and its turn in the trunk's pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from sipserver.legs import Answered, Ended, Progress, Referred, Refused
from sipserver.protocols import (
    ConversationEnd,
    EndedReason,
    Handover,
    LiveCall,
    TransferFailure,
    TransferMode,
    TransferOrder,
    TransferOutcome,
    TransferTarget,
    Trunk,
    TrunkOptions,
)
from tests.sipserver.call.fakes import CALLEE, TRUNK, FakeLeg, Stage, invite, peer, until
from tests.virtual_time import run

WARM = TransferTarget("reception", TransferMode.WARM, number="+12025550177")
COLD = replace(WARM, mode=TransferMode.COLD)


class Scene:
    """A call on a trunk with few channels, or a slow pace, is handed over after a second."""

    def __init__(self, options: TrunkOptions, target: TransferTarget = WARM) -> None:
        self.stage = Stage()
        self.trunk: Trunk = replace(TRUNK, options=options)
        self.stage.directory.routes[CALLEE] = replace(self.stage.directory.routes[CALLEE], trunk=self.trunk)
        self.stage.conversations.talk = self._talk
        self.target: TransferTarget | None = target
        self.outcomes: list[TransferOutcome] = []

    async def begin(self, headers: tuple[str, ...] = ("Allow: INVITE, ACK, BYE",)) -> FakeLeg:
        leg = self.stage.ring(invite(peer().offer(), headers=headers))
        await until(0.5)
        leg.tell(Answered())
        await until(1.5)
        return leg

    async def _talk(self, call: LiveCall) -> ConversationEnd:
        await asyncio.sleep(1.0)
        if self.target is None or call.transfer is None:
            await asyncio.Event().wait()
            raise AssertionError
        self.outcomes.append(await call.transfer(Handover(TransferOrder(self.target), _at_once, None)))  # type: ignore[arg-type]
        return ConversationEnd(
            EndedReason.TRANSFERRED if self.outcomes[-1].failure is None else EndedReason.AGENT_ENDED
        )

    def full(self) -> bool:
        return self.stage.calls.trunk_wait(self.trunk, 0) > 0


async def _at_once() -> None:
    """The agent has nothing to say."""


@pytest.mark.parametrize("target", [WARM, COLD])
def test_without_a_free_channel_nobody_is_called_and_the_agent_hears_why(target: TransferTarget) -> None:
    async def scene() -> None:
        this = Scene(TrunkOptions(max_channels=1), target)
        await this.begin()
        await this.stage.done()
        assert this.outcomes == [TransferOutcome(TransferFailure.AT_CAPACITY)]
        assert this.stage.endpoint.legs == []
        assert "maxChannels" in this.stage.log.problems["call-1"][0].message
        record = this.stage.log.transfers["call-1"][-1]
        assert (str(record.status), record.failure) == ("failed", TransferFailure.AT_CAPACITY)

    run(scene())


def test_a_blind_transfer_needs_no_channel() -> None:
    async def scene() -> None:
        this = Scene(TrunkOptions(max_channels=1), COLD)
        leg = await this.begin(headers=("Allow: INVITE, ACK, BYE, REFER",))
        assert leg.did[-1].startswith("refer ")
        leg.tell(Ended("bye"))
        await this.stage.done()

    run(scene())


def _refuse(this: Scene) -> None:
    this.stage.endpoint.legs[0].tell(Refused(486, "Busy Here"))


def _answer_and_hang_up(this: Scene) -> None:
    answer = peer(host="198.51.100.8", port=41000).answer(this.stage.endpoint.invitations[-1].sdp)
    this.stage.endpoint.legs[0].tell(Answered(answer), Ended("bye"))


@pytest.mark.parametrize("end", [_refuse, _answer_and_hang_up])
def test_a_second_leg_has_its_channel_until_it_is_over(end: Callable[[Scene], None]) -> None:
    async def scene() -> None:
        this = Scene(TrunkOptions(max_channels=2))
        assert not this.full()
        await this.begin()
        assert len(this.stage.endpoint.legs) == 1
        assert this.full()
        other = this.stage.ring(invite(peer().offer(), call_id="other"))
        await until(2)
        assert other.did == ["reject 486"]
        end(this)
        await this.stage.done()
        assert not this.full()

    run(scene())


def test_a_second_leg_takes_its_turn_in_the_pace_and_a_turn_that_is_far_is_no_turn() -> None:
    async def scene() -> None:
        this = Scene(TrunkOptions(max_calls_per_second=0.5))
        await until(0.1)
        assert this.stage.calls.trunk_wait(this.trunk, 0) == 0.0
        await this.begin()
        assert this.stage.endpoint.legs == []
        await until(2.2)
        assert len(this.stage.endpoint.legs) == 1
        _refuse(this)
        await this.stage.done()
        late = Scene(TrunkOptions(max_calls_per_second=0.1))
        assert late.stage.calls.trunk_wait(late.trunk, 0) == 0.0
        await late.begin()
        await late.stage.done()
        assert late.outcomes == [TransferOutcome(TransferFailure.AT_CAPACITY)]

    run(scene())


@pytest.mark.parametrize("channels", [1, 2])
def test_a_refer_of_the_peers_takes_a_channel_too_or_is_declined(channels: int) -> None:
    async def scene() -> None:
        this = Scene(TrunkOptions(max_channels=channels, accept_refer=True))
        this.target = None
        leg = await this.begin()
        leg.tell(Referred("sip:200@pbx.example.com"))
        await until(3)
        if channels == 1:
            assert leg.did[-1] == "decline_refer 603"
        else:
            assert this.full()
            this.stage.endpoint.legs[0].tell(Progress(180, "Ringing"), Refused(480, "Gone"))
            await until(4)
            assert not this.full()
        leg.tell(Ended("bye"))
        await this.stage.done()

    run(scene())
