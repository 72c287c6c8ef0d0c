"""A call that tries a trunk out: how far it comes, what each step says, and that nothing is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from media.frames import Pcm
from sipserver.legs import Answered, Ended, Progress, Refused
from sipserver.message import MessageError
from sipserver.protocols import CheckFailure, CheckStep, TrialCall, Trunk, TrunkOptions
from sipserver.trial_call import FREQUENCY, has_tone
from tests.sipserver.call.fakes import CALLEE, TRUNK, FakeEndpoint, FakeLeg, Stage, peer, until
from tests.virtual_time import run

CALL = TrialCall("+12025550143", CALLEE)
NOISE = np.random.default_rng(1).normal(0, 3000, 16_000).astype(np.int16)


def tone(frequency: float, amplitude: int = 5000) -> Pcm:
    """One second at 16 kHz."""
    return np.rint(amplitude * np.sin(2 * np.pi * frequency / 16_000 * np.arange(16_000))).astype(np.int16)


def frames(pcm: Pcm, seconds: int) -> list[Pcm]:
    return [frame for _ in range(seconds) for frame in pcm.reshape(-1, 320)]


def answers(endpoint: FakeEndpoint, *after: Ended) -> Callable[[FakeLeg], None]:
    def told(leg: FakeLeg) -> None:
        answer = peer(host="198.51.100.8", port=41000).answer(endpoint.invitations[-1].sdp)
        leg.tell(Progress(180, "Ringing"), Answered(answer), *after)

    return told


def tried(
    callee: Callable[[FakeEndpoint], Callable[[FakeLeg], None]],
    heard: Sequence[Pcm] = (),
    trunk: Trunk = TRUNK,
) -> tuple[list[CheckStep], Stage]:
    """The steps of a call to somebody who does that; afterwards no leg, row or channel may be left."""
    stage = Stage()

    async def scene() -> list[CheckStep]:
        stage.endpoint.on_leg = callee(stage.endpoint)
        stage.plane.heard = list(heard)
        trial = asyncio.create_task(stage.calls.try_out(trunk, CALL))
        steps = list(await trial)
        await stage.done()
        return steps

    steps = run(scene())
    return steps, stage


def names(steps: Sequence[CheckStep]) -> list[str]:
    return [step.name for step in steps]


def failed(steps: Sequence[CheckStep]) -> tuple[str, CheckFailure | None]:
    """The last step, which is the only one that failed."""
    assert [step.ok for step in steps] == [True] * (len(steps) - 1) + [False]
    return steps[-1].name, steps[-1].failure


def test_an_echo_is_well_in_every_step() -> None:
    steps, stage = tried(answers, frames(tone(FREQUENCY), 3))
    assert names(steps) == ["dial", "ringing", "answer", "codec", "first_packet", "loss", "jitter", "tone"]
    assert all(step.ok and step.failure is None for step in steps), steps
    assert steps[1].detail == "180 Ringing"
    assert steps[3].detail.startswith("PCMU")
    assert "came back" in steps[-1].detail
    assert stage.endpoint.legs[0].did[-1] == "hang_up None"
    [invitation] = stage.endpoint.invitations
    assert (invitation.to, invitation.from_user) == (CALL.to, CALL.from_number)
    assert stage.log.told == {}, "it is no call of an agent's"


@pytest.mark.parametrize("heard", [NOISE, tone(440)])
def test_a_number_that_only_speaks_is_told_from_an_echo(heard: Pcm) -> None:
    steps, _ = tried(answers, frames(heard, 9))
    assert steps[-1].ok
    assert steps[-1].detail.startswith("Only other audio came")


@pytest.mark.parametrize(
    ("status", "reason", "step", "failure"),
    [
        (503, "The transport failed", "dial", CheckFailure.TRUNK_UNAVAILABLE),
        (486, "Busy Here", "answer", CheckFailure.BUSY),
        (404, "Not Found", "answer", CheckFailure.INVALID_NUMBER),
        (603, "Decline", "answer", CheckFailure.REJECTED),
        (603, "Network Blocked", "answer", CheckFailure.BLOCKED),
        (480, "Temporarily Unavailable", "answer", CheckFailure.NO_ANSWER),
        (488, "Not Acceptable Here", "answer", CheckFailure.NOT_ACCEPTABLE),
        (302, "Moved Temporarily", "answer", CheckFailure.REJECTED),
    ],
)
def test_a_refusal_is_typed(status: int, reason: str, step: str, failure: CheckFailure) -> None:
    steps, _ = tried(lambda endpoint: lambda leg: leg.tell(Refused(status, reason)))
    assert failed(steps) == (step, failure)
    assert str(status) in steps[-1].detail


def test_who_rings_for_ever_is_cancelled() -> None:
    steps, _ = tried(lambda endpoint: lambda leg: leg.tell(Progress(183, "Session Progress")))
    assert names(steps) == ["dial", "ringing", "answer"]
    assert failed(steps) == ("answer", CheckFailure.NO_ANSWER)
    assert steps[-1].ms == pytest.approx(30_000, abs=10)


def test_nobody_says_anything() -> None:
    steps, _ = tried(lambda endpoint: lambda leg: None)
    assert failed(steps) == ("dial", CheckFailure.NO_ANSWER)


def test_an_answer_that_cannot_be_used() -> None:
    steps, _ = tried(lambda endpoint: lambda leg: leg.tell(Answered(b"v=0\r\n")))
    assert names(steps) == ["dial", "ringing", "answer", "codec"]
    assert failed(steps) == ("codec", CheckFailure.NOT_ACCEPTABLE)


@pytest.mark.parametrize(("ended", "failure"), [((), CheckFailure.NO_PACKETS), ((Ended("bye"),), CheckFailure.HUNG_UP)])
def test_no_packet_comes(ended: tuple[Ended, ...], failure: CheckFailure) -> None:
    steps, _ = tried(lambda endpoint: answers(endpoint, *ended))
    assert failed(steps) == ("first_packet", failure)


def test_a_callee_without_srtp_is_asked_once_more() -> None:
    def callee(endpoint: FakeEndpoint) -> Callable[[FakeLeg], None]:
        def told(leg: FakeLeg) -> None:
            answers(endpoint)(leg) if len(endpoint.legs) == 2 else leg.tell(Refused(488, "Not Acceptable Here"))

        return told

    secured = replace(TRUNK, options=TrunkOptions(srtp="preferred"))
    steps, stage = tried(callee, frames(tone(FREQUENCY), 3), secured)
    assert all(step.ok for step in steps), steps
    assert [b"crypto" in invitation.sdp for invitation in stage.endpoint.invitations] == [True, False]
    assert "without encryption" in steps[3].detail


def test_a_trunk_or_node_without_room_is_not_called() -> None:
    stage = Stage()

    async def scene() -> None:
        small = replace(TRUNK, options=TrunkOptions(max_channels=1))
        stage.endpoint.on_leg = lambda leg: leg.tell(Progress(180, "Ringing"))
        first = asyncio.create_task(stage.calls.try_out(small, CALL))
        await until(1)
        assert stage.calls.trunk_wait(small, 0) > 0, "a trial call takes a channel"
        assert failed(list(await stage.calls.try_out(small, CALL))) == ("dial", CheckFailure.AT_CAPACITY)
        await first
        assert stage.calls.trunk_wait(small, 0) == 0
        stage.plane.down = True
        assert failed(list(await stage.calls.try_out(TRUNK, CALL))) == ("dial", CheckFailure.AT_CAPACITY)
        stage.plane.down = False
        stage.endpoint.unwritable = MessageError("The port of the outbound proxy is none", 0)
        assert failed(list(await stage.calls.try_out(TRUNK, CALL))) == ("dial", CheckFailure.TRUNK_UNAVAILABLE)
        stage.calls.drain()
        assert failed(list(await stage.calls.try_out(TRUNK, CALL))) == ("dial", CheckFailure.AT_CAPACITY)
        await stage.done()

    run(scene())


def test_whoever_asked_and_went_away_leaves_no_call_behind() -> None:
    stage = Stage()

    async def scene() -> None:
        stage.endpoint.on_leg = answers(stage.endpoint)
        trial = asyncio.create_task(stage.calls.try_out(TRUNK, CALL))
        await until(2)
        trial.cancel()
        await asyncio.wait([trial])
        assert stage.endpoint.legs[0].did[-1] == "hang_up None"
        await stage.done()

    run(scene())


def test_the_tone_is_found_where_it_is_and_nowhere_else() -> None:
    for amplitude in (300, 5000, 30_000):
        assert has_tone(tone(FREQUENCY, amplitude)[:320])
    assert not any(has_tone(pcm[:320]) for pcm in (NOISE, tone(440), tone(697), tone(1100), tone(FREQUENCY, 50)))
    assert not has_tone(np.zeros(320, np.int16))
