"""Offers in a running call: hold, a moved peer, a change of codec, and what cannot be accepted."""

from __future__ import annotations

from media.frames import Codec, Direction
from sipserver.codecs import PCMA
from sipserver.legs import Answered, Ended, Offered, Progress, Referred
from sipserver.offer import OfferAnswer
from tests.sipserver.call.fakes import VIDEO_ONLY, FakeLeg, Stage, invite, peer, until
from tests.virtual_time import run


async def talking(stage: Stage, caller: OfferAnswer) -> FakeLeg:
    """A call that has been answered and acknowledged."""
    leg = stage.ring(invite(caller.offer()))
    await until(1)
    caller.accept_answer(leg.sdp("answer")[0])
    leg.tell(Answered())
    return leg


async def bye(stage: Stage, leg: FakeLeg) -> None:
    """The call has gone on until now, and ends well."""
    leg.tell(Ended("bye"))
    await stage.done()
    assert stage.end() == ("completed", "customer_ended")


def test_hold_and_resume() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        leg.tell(Offered(caller.offer(direction=Direction.SENDONLY)))
        await until(2)
        leg.tell(Offered(caller.offer()))
        await until(3)
        flows = [direction for _, _, _, direction in stage.media.connections]
        assert flows == [Direction.SENDRECV, Direction.RECVONLY, Direction.SENDRECV]
        assert b"a=recvonly" in leg.sdp("accept")[0]
        assert len(stage.conversations.made) == 1
        await bye(stage, leg)

    run(scene())


def test_the_peer_moves_and_changes_the_codec() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        moved = OfferAnswer("198.51.100.99", 50000, 7, [PCMA])
        leg.tell(Offered(moved.offer()))
        await until(2)
        _, remote, fmt, _ = stage.media.connections[-1]
        assert (remote.host, remote.port, fmt.codec) == ("198.51.100.99", 50000, Codec.PCMA)
        await bye(stage, leg)

    run(scene())


def test_what_cannot_be_accepted_is_declined_and_the_call_goes_on() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        leg.tell(Offered(VIDEO_ONLY), Offered(b"nonsense"))
        await until(2)
        assert leg.did == ["ring 180", "answer", "decline 488", "decline 488"]
        assert leg.warning is not None
        assert leg.warning.startswith("399 antiphon ")
        assert len(stage.media.connections) == 1
        await bye(stage, leg)

    run(scene())


def test_a_reinvite_without_offer_gets_ours_and_the_ack_moves_the_media() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        leg.tell(Offered(None))
        await until(2)
        moved = peer(port=41000)
        leg.tell(Answered(moved.answer(leg.sdp("accept")[0])))
        await until(3)
        assert [remote.port for _, remote, _, _ in stage.media.connections] == [40000, 41000]
        await bye(stage, leg)

    run(scene())


def test_a_bad_answer_in_the_ack_of_a_reinvite_changes_nothing() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        leg.tell(Offered(None), Answered(VIDEO_ONLY))
        await until(2)
        assert len(stage.media.connections) == 1
        assert [problem.part for problem in stage.log.problems["call-1"]] == ["sip"]
        await bye(stage, leg)

    run(scene())


def test_a_peers_wish_to_be_transferred_is_declined_and_the_call_goes_on() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        leg.tell(Referred("sip:+12025550199@198.51.100.7"))
        await until(2)
        assert leg.did == ["ring 180", "answer", "decline_refer 603"]
        await bye(stage, leg)

    run(scene())


def test_an_update_before_the_answer_has_to_wait() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial()
        await until(1)
        [leg] = stage.endpoint.legs
        leg.tell(Progress(180, "Ringing"), Offered(peer().offer()))
        await until(2)
        assert leg.did == ["decline 491"]
        leg.tell(Answered(peer().answer(leg.invite.body)))
        await until(3)
        leg.tell(Ended("bye"))
        await stage.done()
        assert stage.end("out") == ("completed", "customer_ended")

    run(scene())
