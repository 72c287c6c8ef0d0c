"""Calls over trunks with reliable provisional answers: what is rung, when, and with which description (RFC 3262)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipserver.inbound import Manners
from sipserver.legs import Agreed, Answered, Ended, Offered
from sipserver.message.extensions import RELIABLE
from sipserver.protocols import TrunkOptions
from tests.sipserver.call.fakes import AT_ONCE, CALLEE, TRUNK, TRUNK_HOST, VIDEO_ONLY, Stage, invite, peer, until
from tests.virtual_time import run

REQUIRES = (f"Require: {RELIABLE}",)
SUPPORTS = (f"Supported: {RELIABLE}",)


def stage_with(mode: str, manners: Manners = AT_ONCE) -> Stage:
    """A node whose trunk has this mode."""
    stage = Stage(manners=manners)
    trunk = replace(TRUNK, options=TrunkOptions(reliable100=mode))  # type: ignore[arg-type]
    stage.directory.routes[CALLEE] = replace(stage.directory.routes[CALLEE], trunk=trunk)
    stage.directory.trunks[TRUNK_HOST] = (trunk,)
    return stage


@pytest.mark.parametrize(
    ("mode", "headers", "reliable"),
    [
        ("off", REQUIRES, True),
        ("off", SUPPORTS, False),
        ("supported", REQUIRES, True),
        ("supported", SUPPORTS, False),
        ("supported", (), False),
        ("required", SUPPORTS, True),
        ("required", REQUIRES, True),
    ],
)
def test_who_rings_reliably(mode: str, headers: tuple[str, ...], reliable: bool) -> None:
    async def scene() -> None:
        stage = stage_with(mode)
        leg = stage.ring(invite(peer().offer(), headers=headers))
        await until(0.1)
        assert leg.did == (["ring 180", "reliable 180", "answer"] if reliable else ["ring 180", "answer"])
        leg.tell(Answered())
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")

    run(scene())


def test_a_trunk_that_requires_it_refuses_who_cannot() -> None:
    """RFC 3261 section 21.4.15."""

    async def scene() -> None:
        stage = stage_with("required")
        leg = stage.ring(invite(peer().offer()))
        await stage.done()
        assert leg.did == ["reject 421"]
        assert leg.headers == {"Require": RELIABLE}
        assert not stage.log.told

    run(scene())


def test_a_late_offer_goes_into_the_180_and_the_prack_brings_the_answer() -> None:
    async def scene() -> None:
        stage = stage_with("supported")
        caller = peer()
        leg = stage.ring(invite(None, headers=REQUIRES))
        await until(1)
        assert leg.did == ["ring 180", "early", "reliable 180"]
        leg.tell(Agreed(caller.answer(leg.sdp("early")[0])))
        await until(2)
        assert leg.did[3:] == ["answer None"]
        assert [remote.port for _, remote, _, _ in stage.media.connections] == [40000]
        leg.tell(Answered())
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")

    run(scene())


@pytest.mark.parametrize("body", [None, VIDEO_ONLY])
def test_a_prack_without_a_usable_answer_refuses_the_call(body: bytes | None) -> None:
    async def scene() -> None:
        stage = stage_with("supported")
        leg = stage.ring(invite(None, headers=REQUIRES))
        await until(1)
        leg.tell(Agreed(body))
        await stage.done()
        assert leg.did[3:] == ["reject 488"]
        assert stage.end() == ("failed", "error")

    run(scene())


def test_an_update_between_prack_and_answer_moves_the_media_of_the_answer() -> None:
    async def scene() -> None:
        stage = stage_with("supported", Manners(ring_seconds=2.0))
        caller = peer()
        leg = stage.ring(invite(None, headers=REQUIRES))
        await until(1)
        leg.tell(Agreed(caller.answer(leg.sdp("early")[0])))
        await until(1.5)
        leg.tell(Offered(peer(port=50000).offer()))
        await until(2)
        assert leg.did[3:] == ["accept"]
        assert stage.media.connections == []
        await until(4)
        assert [remote.port for _, remote, _, _ in stage.media.connections] == [50000]
        leg.tell(Answered())
        leg.tell(Ended("bye"))
        await stage.done()

    run(scene())
