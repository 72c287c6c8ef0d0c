"""Whose packets are in a call's trace: the caller's, and those of whoever takes the caller over, from when it is asked for."""

from __future__ import annotations

from media.seen import RtpSeen
from sipserver.legs import Ended
from tests.sipserver.call.fakes import FakeMedia, until
from tests.sipserver.call.test_call_transfers import WARM, Scene
from tests.virtual_time import run

SEEN = RtpSeen(0, 1, 1_000_000, 0, 172, 4000, b"198.51.100.7", bytes(12))


def ends(this: Scene) -> list[int]:
    """The ports of ours that the call's trace has packets of."""
    trace = this.stage.services.rtp.of("call-1")
    return [] if trace is None else [header.target[1] for header in trace.headers()]


def seen(*media: FakeMedia) -> None:
    for one in media:
        if one.looks is not None:
            one.looks(SEEN)


def test_a_second_leg_is_looked_at_with_its_call_and_no_longer() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        this.stage.services.rtp.always = True
        await this.begin()
        caller, human = this.stage.plane.opened
        seen(caller, human)
        assert ends(this) == [caller.port, human.port]
        assert this.stage.calls.look_at_rtp("call-1", on=False)
        assert (caller.looks, human.looks) == (None, None)
        this.human.tell(Ended("bye"))
        await this.comes_back()

    run(scene())


def test_in_the_middle_of_a_transfer_both_legs_are_looked_at_from_now_on() -> None:
    async def scene() -> None:
        this = Scene(WARM)
        await this.begin()
        caller, human = this.stage.plane.opened
        this.human_answers()
        await until(5)
        assert (caller.looks, human.looks) == (None, None)
        assert this.stage.calls.look_at_rtp("call-1", on=True)
        seen(caller, human, human)
        assert ends(this) == [caller.port, human.port, human.port]
        this.human.tell(Ended("bye"))
        await this.stage.done()

    run(scene())
