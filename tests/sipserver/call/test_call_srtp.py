"""Secure calls: keys reach the media, a refusal of keys is answered without them where the trunk permits, else the call fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from media.frames import CryptoSuite, SrtpKeys
from sipserver.legs import Answered, Ended, Offered, Progress, Refused, Source
from sipserver.offer import OfferAnswer
from sipserver.protocols import Trunk, TrunkOptions
from sipserver.sdes import Mode, Sdes
from sipserver.sdp import Session
from tests.sipserver.call.fakes import CALLEE, TRUNK, TRUNK_HOST, FakeLeg, Stage, invite, peer, until
from tests.virtual_time import run

WARNING = "media keys went over SIP without TLS"


def trunk(mode: Mode, **changes: object) -> Trunk:
    return replace(TRUNK, options=TrunkOptions(srtp=mode, codecs=("PCMA",), ptime=40), **changes)  # type: ignore[arg-type]


def secure_peer(mode: Mode = "required") -> OfferAnswer:
    """The other side, whose keys are all 5."""
    return OfferAnswer(TRUNK_HOST, 40000, 7, sdes=Sdes(mode, lambda octets: b"\5" * octets))


def staged(mode: Mode) -> Stage:
    stage = Stage()
    stage.directory.routes[CALLEE] = replace(stage.directory.routes[CALLEE], trunk=trunk(mode))
    return stage


async def ended(stage: Stage, leg: FakeLeg, call_id: str = "call-1") -> None:
    leg.tell(Ended("bye"))
    await stage.done()
    assert stage.end(call_id) == ("completed", "customer_ended")


# -- inbound ----------------------------------------------------------------------------------------------------------------


def test_keys_of_an_inbound_call_reach_the_media() -> None:
    async def scene() -> None:
        stage, caller = staged("preferred"), secure_peer()
        with capture_logs() as logs:
            leg = stage.ring(invite(caller.offer()))
            await until(1)
        caller.accept_answer(leg.sdp("answer")[0])
        [keys] = stage.media.srtp
        assert caller.negotiated is not None
        assert caller.negotiated.srtp is not None
        assert keys == SrtpKeys(CryptoSuite.AEAD_AES_128_GCM, caller.negotiated.srtp.remote, b"\5" * 28)
        assert [line["log_level"] for line in logs if line["event"] == WARNING] == ["warning"]
        assert not any(str(keys.local) in str(line) or str(keys.remote) in str(line) for line in logs)
        leg.tell(Answered())
        await ended(stage, leg)

    run(scene())


def test_over_tls_there_is_nothing_to_warn_of() -> None:
    async def scene() -> None:
        stage = staged("preferred")
        leg = FakeLeg(invite(secure_peer().offer()), Source("tls", TRUNK_HOST, 5061))
        with capture_logs() as logs:
            stage.tasks.append(asyncio.create_task(stage.calls.on_invite(leg)))
            await until(1)
        assert [keys is not None for keys in stage.media.srtp] == [True]
        assert WARNING not in [line["event"] for line in logs]
        await ended(stage, leg)

    run(scene())


@pytest.mark.parametrize(("mode", "theirs"), [("off", "required"), ("required", "off")])
def test_who_cannot_agree_is_refused_and_told_why(mode: Mode, theirs: Mode) -> None:
    async def scene() -> None:
        stage = staged(mode)
        with capture_logs() as logs:
            leg = stage.ring(invite(secure_peer(theirs).offer()))
            await until(1)
        assert leg.did == ["reject 488"]
        assert leg.warning is not None
        assert f"srtp: {mode}" in leg.warning
        assert f"srtp: {mode}" in next(line["why"] for line in logs if line["event"] == "call refused")
        await stage.done()

    run(scene())


@pytest.mark.parametrize(("mode", "profile"), [("off", "RTP/AVP"), ("preferred", "RTP/AVP"), ("required", "RTP/SAVP")])
def test_our_offer_to_an_invite_without_one(mode: Mode, profile: str) -> None:
    """It cannot be made twice, so it is secure only where it must be."""

    async def scene() -> None:
        stage = staged(mode)
        leg = stage.ring(invite(None))
        await until(1)
        [offer] = leg.sdp("answer")
        assert Session.parse(offer).media[0].protocol == profile
        leg.tell(Answered(secure_peer(mode).answer(offer)))
        await until(2)
        assert [keys is not None for keys in stage.media.srtp] == [mode == "required"]
        await ended(stage, leg)

    run(scene())


def test_a_new_key_in_a_reinvite_reaches_the_media_and_plain_media_are_declined() -> None:
    async def scene() -> None:
        stage, caller = staged("required"), secure_peer()
        leg = stage.ring(invite(caller.offer()))
        await until(1)
        leg.tell(Answered())
        other = OfferAnswer(TRUNK_HOST, 40000, 7, sdes=Sdes("required", lambda octets: b"\6" * octets))
        leg.tell(Offered(other.offer()), Offered(peer().offer()))
        await until(2)
        before, after = stage.media.srtp
        assert before is not None
        assert after == replace(before, remote=b"\6" * 28)
        assert leg.did[-1] == "decline 488"
        await ended(stage, leg)

    run(scene())


# -- outbound ---------------------------------------------------------------------------------------------------------------


def test_a_trunks_codecs_and_ptime_are_offered() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.endpoint.on_leg = lambda leg: leg.tell(Refused(486, "Busy Here"))
        stage.dial(trunk=trunk("off"))
        await stage.done()
        [audio] = Session.parse(stage.endpoint.invitations[0].sdp).media
        assert (audio.formats, audio.ptime, audio.protocol) == (("8", "101"), 40, "RTP/AVP")

    run(scene())


def test_a_callee_that_takes_the_keys() -> None:
    async def scene() -> None:
        stage, callee = Stage(), secure_peer("preferred")
        stage.dial(trunk=trunk("preferred", transport="tls"))
        with capture_logs() as logs:
            await until(1)
            [leg] = stage.endpoint.legs
            leg.tell(Answered(callee.answer(leg.invite.body)))
            await until(2)
        assert callee.negotiated is not None
        assert callee.negotiated.srtp is not None
        [keys] = stage.media.srtp
        assert keys is not None
        assert (keys.local, keys.remote) == (callee.negotiated.srtp.remote, callee.negotiated.srtp.local)
        assert WARNING not in [line["event"] for line in logs]
        await ended(stage, leg, "out")

    run(scene())


@pytest.mark.parametrize("refusal", [488, 606])
def test_a_callee_without_srtp_is_asked_once_more(refusal: int) -> None:
    """Stock FreeSWITCH, and Asterisk without media encryption."""

    async def scene() -> None:
        stage = Stage()
        stage.dial(trunk=trunk("preferred"))
        await until(1)
        stage.endpoint.legs[0].tell(Progress(180, "Ringing"), Refused(refusal, "Not Acceptable Here"))
        await until(2)
        first, second = stage.endpoint.legs
        assert [Session.parse(leg.invite.body).media[0].protocol for leg in (first, second)] == ["RTP/SAVP", "RTP/AVP"]
        assert b"crypto" not in second.invite.body
        assert stage.calls.live()[0].status == "ringing"
        second.tell(Answered(peer().answer(second.invite.body)))
        await until(3)
        assert stage.media.srtp == [None]
        assert "problem" not in stage.log.told["out"]
        await ended(stage, second, "out")
        assert stage.log.ends["out"].sip_call_id == "out-2"

    run(scene())


def test_a_second_refusal_is_the_last_word() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.endpoint.on_leg = lambda leg: leg.tell(Refused(488, "Not Acceptable Here"))
        stage.dial(trunk=trunk("preferred"))
        await stage.done()
        assert len(stage.endpoint.legs) == 2
        assert stage.end("out") == ("failed", "error")

    run(scene())


@pytest.mark.parametrize(("mode", "refusal"), [("off", 488), ("preferred", 486), ("required", 488)])
def test_other_refusals_are_the_last_word_at_once(mode: Mode, refusal: int) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.endpoint.on_leg = lambda leg: leg.tell(Refused(refusal, "No"))
        stage.dial(trunk=trunk(mode))
        await stage.done()
        assert len(stage.endpoint.legs) == 1
        assert stage.log.ends["out"].sip_code == refusal
        problems = [problem.message for problem in stage.log.problems.get("out", ())]
        assert ["srtp: required" in problem for problem in problems] == [True] * (mode == "required")

    run(scene())


def test_both_attempts_ring_no_longer_than_one() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.dial(trunk=trunk("preferred"), ring_timeout=20)
        await until(5)
        stage.endpoint.legs[0].tell(Refused(488, "Not Acceptable Here"))
        await stage.done()
        assert stage.endpoint.legs[1].deeds == [(20.0, "hang_up", "no_answer")]
        assert stage.end("out") == ("no_answer", "no_answer")

    run(scene())
