"""An INVITE with Replaces takes over a call of ours (RFC 3891, RFC 5589 section 7.1): somebody has handed its other end over."""

from __future__ import annotations

import pytest

from media.frames import Direction
from sipserver.legs import Answered, Ended, Offered
from sipserver.offer import OfferAnswer
from sipserver.protocols import Trunk
from tests.sipserver.call.fakes import CALLER, VIDEO_ONLY, FakeLeg, Stage, invite, peer, until
from tests.virtual_time import run

OTHER_HOST = "203.0.113.5"


async def talking(stage: Stage) -> FakeLeg:
    """A call that has been answered and acknowledged."""
    leg = stage.ring()
    await until(1)
    leg.tell(Answered())
    await until(2)
    return leg


def takeover(stage: Stage, named: FakeLeg, sdp: bytes | None, early: str = "", host: str | None = None) -> FakeLeg:
    """An INVITE that is to take the place of this leg comes in."""
    assert named.dialog is not None
    name = named.dialog
    header = f"Replaces: {name.call_id};to-tag={name.local_tag};from-tag={name.remote_tag}{early}"
    request = invite(sdp, headers=[header], call_id="sip-new")
    return stage.ring(request) if host is None else stage.ring(request, host)


def test_the_conversation_goes_on_with_who_takes_the_place() -> None:
    async def scene() -> None:
        stage = Stage()
        old = await talking(stage)
        colleague = peer(port=41000)
        new = takeover(stage, old, colleague.offer())
        await until(3)
        assert new.did == ["answer"]
        assert old.did[-1] == "hang_up replaced"
        colleague.accept_answer(new.sdp("answer")[0])
        new.tell(Answered())
        await until(4)
        assert [remote.port for _, remote, _, _ in stage.media.connections] == [40000, 41000]
        assert len(stage.plane.opened) == len(stage.conversations.made) == len(stage.calls.live()) == 1
        assert stage.conversations.made[0].cancelled_at is None
        new.tell(Offered(colleague.offer(direction=Direction.SENDONLY)))
        await until(5)
        assert new.did == ["answer", "accept"]
        new.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")
        assert stage.log.ends["call-1"].sip_call_id == "sip-1"

    run(scene())


def test_a_call_that_we_placed_is_replaced_too_and_without_an_offer_ours_is_answered_in_the_ack() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        [old] = stage.endpoint.legs
        old.tell(Answered(peer().answer(old.invite.body)))
        await until(2)
        new = takeover(stage, old, None)
        await until(3)
        assert [remote.port for _, remote, _, _ in stage.media.connections] == [40000]
        new.tell(Answered(peer(port=41000).answer(new.sdp("answer")[0])))
        await until(4)
        assert [remote.port for _, remote, _, _ in stage.media.connections] == [40000, 41000]
        assert old.over
        new.tell(Ended("bye"))
        await stage.done()
        assert stage.end("out") == ("completed", "customer_ended")

    run(scene())


def test_an_offer_that_cannot_be_answered_leaves_the_call_as_it_was() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        old = stage.ring(invite(caller.offer()))
        await until(1)
        caller.accept_answer(old.sdp("answer")[0])
        old.tell(Answered())
        await until(2)
        new = takeover(stage, old, VIDEO_ONLY)
        await until(3)
        assert new.did == ["reject 488"]
        assert new.warning is not None
        old.tell(Offered(OfferAnswer("198.51.100.99", 50000, 7).offer()))
        await until(4)
        assert old.did == ["ring 180", "answer", "accept"]
        old.tell(Ended("bye"))
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")

    run(scene())


@pytest.mark.parametrize("what", ["unknown", "early-only", "other trunk", "no trunk"])
def test_who_may_not_take_over_gets_nothing(what: str) -> None:
    """RFC 3891 section 3: 481 for what is not here, 486 for early-only when it was answered."""
    refusals = {"unknown": 481, "early-only": 486, "other trunk": 481, "no trunk": 481}

    async def scene() -> None:
        stage = Stage()
        stage.directory.trunks[OTHER_HOST] = (Trunk("trunk-2", "org-2", "ip_allowlist", OTHER_HOST),)
        old = await talking(stage)
        stranger = FakeLeg(invite(None, call_id="never"), None)
        new = takeover(
            stage,
            stranger if what == "unknown" else old,
            peer().offer(),
            early=";early-only" if what == "early-only" else "",
            host={"other trunk": OTHER_HOST, "no trunk": "203.0.113.99"}.get(what),
        )
        await until(3)
        assert new.did == [f"reject {refusals[what]}"]
        assert old.did == ["ring 180", "answer"]
        assert list(stage.log.begun) == ["call-1"]
        old.tell(Ended("bye"))
        await stage.done()

    run(scene())


def test_a_call_that_rings_is_not_replaced() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial(to=CALLER)
        await until(1)
        [old] = stage.endpoint.legs
        new = takeover(stage, old, peer().offer())
        await until(2)
        assert new.did == ["reject 481"]
        old.tell(Ended("bye"))
        await stage.done()

    run(scene())


def test_a_call_that_has_just_ended_is_declined() -> None:
    """RFC 3891 section 3: 603 for a dialog that was terminated; its media take a while to close."""

    async def scene() -> None:
        stage = Stage()
        old = await talking(stage)
        stage.media.close_takes = 5.0
        old.tell(Ended("bye"))
        await until(3)
        new = takeover(stage, old, peer().offer())
        await until(4)
        assert new.did == ["reject 603"]
        await stage.done()
        assert stage.end() == ("completed", "customer_ended")

    run(scene())


def test_a_node_that_drains_lets_calls_be_taken_over() -> None:
    async def scene() -> None:
        stage = Stage()
        old = await talking(stage)
        stage.calls.drain()
        new = takeover(stage, old, peer().offer())
        await until(3)
        assert new.did == ["answer"]
        assert await stage.calls.hang_up("call-1")
        await stage.done()
        assert new.did == ["answer", "hang_up agent_ended"]
        assert stage.end() == ("completed", "agent_ended")

    run(scene())


def test_who_takes_over_and_never_acknowledges_ends_the_call() -> None:
    async def scene() -> None:
        stage = Stage()
        old = await talking(stage)
        new = takeover(stage, old, peer().offer())
        await until(3)
        new.tell(Ended("lost", "Our 200 was never acknowledged"))
        await stage.done()
        assert stage.end() == ("completed", "error")

    run(scene())
