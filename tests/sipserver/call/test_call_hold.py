"""Hold, from both sides: what is offered, what is answered, where media flow, and that nothing is lost meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from media.frames import DigitHeard, Direction
from sipserver.call import Call
from sipserver.legs import Answered, Ended, KeyPressed, OfferAnswered, Offered, OfferRefused
from sipserver.offer import OfferAnswer
from sipserver.protocols import ConversationEnd, EndedReason, LiveCall
from tests.sipserver.call.fakes import CALLEE, TRUNK_HOST, FakeLeg, Stage, invite, peer, until
from tests.virtual_time import run

AUDIO = b"v=0\r\no=- 7 %d IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n%s"
FAX = b"m=image 41000 udptl t38\r\na=T38FaxVersion:0\r\n"
BYE = Ended("bye")


async def talking(stage: Stage, caller: OfferAnswer) -> FakeLeg:
    leg = stage.ring(invite(caller.offer()))
    await until(1)
    caller.accept_answer(leg.sdp("answer")[0])
    leg.tell(Answered())
    await until(1)
    return leg


async def bye(stage: Stage, leg: FakeLeg) -> None:
    leg.tell(BYE)
    await stage.done()
    assert stage.end() == ("completed", "customer_ended")


def the_call(stage: Stage) -> Call:
    call = stage.calls._live.get("call-1")
    assert call is not None
    return call


def flows(stage: Stage) -> list[Direction]:
    return [direction for _, _, _, direction in stage.media.connections]


def sdp(version: int, host: bytes = b"198.51.100.7", port: int = 40000, rest: bytes = b"") -> bytes:
    return AUDIO % (version, host, port, rest)


# -- by the peer ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "answered", "flow"),
    [
        (sdp(2, rest=b"a=sendonly\r\n"), b"a=recvonly", Direction.RECVONLY),
        (sdp(2, rest=b"a=inactive\r\n"), b"a=inactive", Direction.INACTIVE),
        (sdp(2, rest=b"a=recvonly\r\n"), b"a=sendonly", Direction.SENDONLY),
        (sdp(2, host=b"0.0.0.0"), b"a=recvonly", Direction.RECVONLY),
        (sdp(2, host=b"0.0.0.0", rest=b"a=inactive\r\n"), b"a=inactive", Direction.INACTIVE),
    ],
)
def test_every_way_to_hold_is_answered_with_its_counterpart(offer: bytes, answered: bytes, flow: Direction) -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await talking(stage, peer())
        leg.tell(Offered(offer))
        await until(2)
        assert answered in leg.sdp("accept")[0]
        assert flows(stage)[-1] is flow
        _, remote, _, _ = stage.media.connections[-1]
        assert remote.host == TRUNK_HOST
        leg.tell(Offered(sdp(3)))
        await until(3)
        assert b"a=sendrecv" in leg.sdp("accept")[1]
        assert flows(stage)[-1] is Direction.SENDRECV
        await bye(stage, leg)

    run(scene())


def test_the_old_way_to_hold_over_ipv6() -> None:
    ours = OfferAnswer("2001:db8::1", 20000, 1)
    offer = b"v=0\r\no=- 7 1 IN IP6 2001:db8::9\r\ns=-\r\nc=IN IP6 %s\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
    ours.answer(offer % b"2001:db8::9")
    assert b"a=recvonly" in ours.answer(offer % b"::")
    assert ours.negotiated is not None
    assert (ours.negotiated.remote.host, ours.negotiated.direction) == ("2001:db8::9", Direction.RECVONLY)


def test_the_same_description_again_is_answered_with_ours_as_it_was() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        leg.tell(Offered(caller.offer()))
        await until(2)
        assert leg.sdp("accept") == leg.sdp("answer")
        await bye(stage, leg)

    run(scene())


def test_a_reinvite_without_an_offer_gets_our_full_one_though_the_peer_holds() -> None:
    """RFC 6337 section 5.3: what the peer wants of the direction now is not known, so ours is offered."""

    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        leg.tell(Offered(sdp(2, rest=b"a=sendonly\r\n")), Offered(None))
        await until(2)
        offer = leg.sdp("accept")[1]
        assert b"a=sendrecv" in offer
        assert b"RTP/AVP 0 8 101" in offer
        leg.tell(Answered(caller.answer(offer)))
        await until(3)
        assert flows(stage)[-1] is Direction.SENDRECV
        await bye(stage, leg)

    run(scene())


def test_a_fax_is_refused_with_the_reason_and_the_call_goes_on() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await talking(stage, peer())
        leg.tell(Offered(b"v=0\r\no=- 7 2 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n" + FAX))
        leg.tell(Offered(sdp(3, port=0, rest=FAX)))
        await until(2)
        assert leg.did[-2:] == ["decline 488", "decline 488"]
        assert leg.warning is not None
        assert leg.warning.startswith("304 ")
        assert len(stage.media.connections) == 1
        leg.tell(Offered(sdp(4, rest=FAX)))
        await until(3)
        assert b"m=image 0 udptl t38" in leg.sdp("accept")[0]
        assert flows(stage)[-1] is Direction.SENDRECV
        await bye(stage, leg)

    run(scene())


# -- by us ----------------------------------------------------------------------------------------------------------------


def test_we_hold_and_resume() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        call = the_call(stage)
        holding = asyncio.create_task(call.hold())
        await until(2)
        assert not holding.done()
        offer = leg.sdp("offer")[0]
        assert b"a=sendonly" in offer
        leg.tell(OfferAnswered(caller.answer(offer), offer))
        assert await holding
        assert flows(stage)[-1] is Direction.SENDONLY
        # The peer's own re-INVITE does not end our hold.
        leg.tell(Offered(caller.offer()))
        await until(3)
        assert b"a=sendonly" in leg.sdp("accept")[0]
        resuming = asyncio.create_task(call.resume())
        await until(4)
        offer = leg.sdp("offer")[1]
        assert b"a=sendrecv" in offer
        leg.tell(OfferAnswered(caller.answer(offer), offer))
        assert await resuming
        assert flows(stage)[-1] is Direction.SENDRECV
        await bye(stage, leg)

    run(scene())


def test_a_hold_that_is_refused_changes_nothing() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        call = the_call(stage)
        holding = asyncio.create_task(call.hold(Direction.INACTIVE))
        await until(2)
        assert b"a=inactive" in leg.sdp("offer")[0]
        leg.tell(OfferRefused(488, "Not Acceptable Here"))
        assert not await holding
        assert len(stage.media.connections) == 1
        leg.tell(Offered(caller.offer()))
        await until(3)
        assert b"a=sendrecv" in leg.sdp("accept")[0]
        await bye(stage, leg)

    run(scene())


def test_an_offer_that_the_peers_has_overtaken_is_made_anew() -> None:
    async def scene() -> None:
        stage, caller = Stage(), peer()
        leg = await talking(stage, caller)
        call = the_call(stage)
        holding = asyncio.create_task(call.hold())
        await until(2)
        leg.tell(Offered(sdp(2, port=41000)))
        leg.tell(OfferRefused(491, "An offer of the peer's came first"))
        await until(3)
        first, second = leg.sdp("offer")
        assert version(first) < version(leg.sdp("accept")[0]) < version(second)
        leg.tell(OfferAnswered(caller.answer(second), second))
        assert await holding
        await bye(stage, leg)

    run(scene())


def version(description: bytes) -> int:
    return int(description.split(b"o=- ")[1].split()[1])


@pytest.mark.parametrize("answer", [None, b"nonsense", sdp(2, port=0)])
def test_an_answer_that_cannot_be_used_is_a_problem_and_changes_nothing(answer: bytes | None) -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await talking(stage, peer())
        holding = asyncio.create_task(the_call(stage).hold())
        await until(2)
        leg.tell(OfferAnswered(answer, leg.sdp("offer")[0]))
        assert not await holding
        assert len(stage.media.connections) == 1
        assert [problem.part for problem in stage.log.problems["call-1"]] == ["sip"]
        await bye(stage, leg)

    run(scene())


def test_nobody_waits_for_a_peer_that_has_left() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await talking(stage, peer())
        call = the_call(stage)
        holding = asyncio.create_task(call.hold())
        await until(2)
        await bye(stage, leg)
        assert not await holding
        assert not await call.resume()

    run(scene())


def test_the_answer_of_a_session_refresh_moves_the_media() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = await talking(stage, peer())
        ours = leg.sdp("answer")[0]
        leg.tell(OfferAnswered(sdp(2, port=42000), ours))
        leg.tell(OfferAnswered(sdp(3, port=43000), b"another"))
        await until(2)
        assert [remote.port for _, remote, _, _ in stage.media.connections] == [40000, 42000]
        await bye(stage, leg)

    run(scene())


# -- keys by INFO ---------------------------------------------------------------------------------------------------------


def test_the_conversation_hears_keys_by_the_way_they_come_first() -> None:
    async def scene(info_first: bool) -> None:
        stage = Stage()
        heard = ""

        async def listen(call: LiveCall) -> ConversationEnd:
            nonlocal heard
            async for event in call.media.events():
                if isinstance(event, DigitHeard):
                    heard += event.digit
            return ConversationEnd(EndedReason.AGENT_ENDED)

        stage.conversations.talk = listen
        leg = await talking(stage, peer())
        if info_first:
            leg.tell(KeyPressed("5", 160))
            await until(2)
        stage.media.emit(DigitHeard(80, "6", 100))
        await until(3)
        leg.tell(KeyPressed("7", 160))
        await until(4)
        assert heard == ("57" if info_first else "6")
        await bye(stage, leg)

    run(scene(True))
    run(scene(False))


def test_a_key_before_the_answer_is_nobodys() -> None:
    async def scene() -> None:
        stage = Stage()
        leg = stage.ring(invite(None, to=CALLEE))
        leg.tell(KeyPressed("5", 160), Ended("cancel"))
        await stage.done()

    run(scene())
