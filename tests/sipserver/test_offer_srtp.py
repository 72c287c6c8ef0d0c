"""Offers and answers with SRTP: who agrees to what, in each mode, and with whose keys."""

from __future__ import annotations

from base64 import b64encode
from itertools import count
from typing import Any

import pytest

from media.frames import Codec, CryptoSuite, RtpFormat, SrtpKeys
from sipserver.codecs import G711, PCMA, PCMU, codecs_named
from sipserver.offer import NotAcceptable, OfferAnswer
from sipserver.sdes import Crypto, Mode, Sdes, cryptos
from sipserver.sdp import Session

GCM, CM_80, CM_32 = CryptoSuite
THEIRS = bytes(range(100, 130))


def leg(mode: Mode, **options: Any) -> OfferAnswer:
    """Its keys are all 1, all 2, and so on."""
    numbers = count(1)
    return OfferAnswer(
        "192.0.2.7", 4000, 99, sdes=Sdes(mode, lambda octets: bytes([next(numbers)]) * octets), **options
    )


def crypto(tag: int, suite: CryptoSuite = CM_80, key: bytes = THEIRS) -> str:
    return f"a=crypto:{Crypto(tag, suite, key[: suite.key_octets])}"


def sdp(*lines: str) -> bytes:
    head = ["v=0", "o=peer 7 1 IN IP4 203.0.113.1", "s=-", "c=IN IP4 203.0.113.1", "t=0 0"]
    return "".join(f"{line}\r\n" for line in [*head, *lines]).encode()


def audio(description: bytes, index: int = 0) -> tuple[str, list[tuple[int, CryptoSuite]]]:
    """Profile, and tags with suites."""
    media = Session.parse(description).media[index]
    return media.protocol, [(line.tag, line.suite) for line in cryptos(media)]


AVP, AVPF, SAVP, SAVPF = (f"m=audio 5000 RTP/{profile} 0" for profile in ("AVP", "AVPF", "SAVP", "SAVPF"))
MKI = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{b64encode(THEIRS).decode()}|2^20|1:4"


@pytest.mark.parametrize(
    ("offer", "off", "preferred", "required"),
    [
        ((AVP,), "plain", "plain", "refused"),
        ((AVPF,), "plain", "plain", "refused"),
        ((AVP, crypto(1)), "plain", "secure", "secure"),
        ((AVP, MKI), "plain", "plain", "refused"),
        ((SAVP, crypto(1)), "refused", "secure", "secure"),
        ((SAVPF, crypto(1)), "refused", "secure", "secure"),
        ((SAVP, MKI, crypto(2, CM_32)), "refused", "secure", "secure"),
        ((SAVP, MKI), "refused", "refused", "refused"),
        ((SAVP,), "refused", "refused", "refused"),
        (("m=audio 5000 UDP/TLS/RTP/SAVP 0", crypto(1)), "refused", "refused", "refused"),
        ((AVP, SAVP, crypto(1)), "plain", "secure", "secure"),
        ((SAVP, crypto(1), AVP), "plain", "secure", "secure"),
    ],
)
def test_what_is_answered_in_each_mode(offer: tuple[str, ...], off: str, preferred: str, required: str) -> None:
    modes: dict[Mode, str] = {"off": off, "preferred": preferred, "required": required}
    assert {mode: came_of_it(mode, sdp(*offer)) for mode in modes} == modes


def came_of_it(mode: Mode, offer: bytes) -> str:
    ours = leg(mode)
    try:
        answer = ours.answer(offer)
    except NotAcceptable:
        return "refused"
    assert ours.negotiated is not None
    offered, answered = Session.parse(offer).media, Session.parse(answer).media
    assert [media.protocol for media in answered] == [media.protocol for media in offered]
    [taken] = [media for media in answered if media.port]
    assert bool(cryptos(taken)) == (ours.negotiated.srtp is not None)
    return "secure" if ours.negotiated.srtp else "plain"


def test_why_an_offer_is_refused_is_said() -> None:
    with pytest.raises(NotAcceptable, match="srtp: required"):
        leg("required").answer(sdp(AVP))
    with pytest.raises(NotAcceptable, match="srtp: off"):
        leg("off").answer(sdp("m=video 6000 RTP/AVP 31", SAVP, crypto(1)))
    with pytest.raises(NotAcceptable, match="a=crypto"):
        leg("preferred").answer(sdp(SAVP, MKI))


def test_the_peers_order_decides_and_its_tag_is_answered() -> None:
    ours = leg("preferred")
    answer = ours.answer(sdp(SAVP, "a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:AA==", crypto(5, CM_32), crypto(6, GCM)))
    assert audio(answer) == ("RTP/SAVP", [(5, CM_32)])
    assert ours.negotiated is not None
    assert ours.negotiated.srtp == SrtpKeys(CM_32, b"\1" * 30, THEIRS)


def test_our_offer_has_every_suite_the_strongest_first() -> None:
    every = [(1, GCM), (2, CM_80), (3, CM_32)]
    assert audio(leg("required").offer()) == ("RTP/SAVP", every)
    assert audio(leg("required").offer(plain=True)) == ("RTP/SAVP", every)
    assert audio(leg("preferred").offer()) == ("RTP/SAVP", every)
    assert audio(leg("preferred").offer(plain=True)) == ("RTP/AVP", [])
    assert audio(leg("off").offer()) == ("RTP/AVP", [])


def test_the_answer_says_which_of_our_keys_is_used() -> None:
    ours = leg("preferred")
    ours.offer()
    ours.accept_answer(sdp(SAVP, crypto(2, CM_80)))
    assert ours.negotiated is not None
    assert ours.negotiated.srtp == SrtpKeys(CM_80, b"\2" * 30, THEIRS)


@pytest.mark.parametrize(
    ("answer", "preferred", "required"),
    [
        ((SAVP, crypto(3, CM_32)), "secure", "secure"),
        ((AVP, crypto(3, CM_32)), "secure", "secure"),
        ((AVP,), "plain", "refused"),
        ((SAVP,), "refused", "refused"),
        ((SAVP, crypto(3, CM_80)), "refused", "refused"),
        ((SAVP, crypto(4, CM_80)), "refused", "refused"),
        (("m=audio 0 RTP/SAVP 0",), "refused", "refused"),
    ],
)
def test_what_is_taken_for_an_answer(answer: tuple[str, ...], preferred: str, required: str) -> None:
    modes: dict[Mode, str] = {"preferred": preferred, "required": required}
    for mode, outcome in modes.items():
        ours = leg(mode)
        ours.offer()
        if outcome == "refused":
            with pytest.raises(NotAcceptable):
                ours.accept_answer(sdp(*answer))
            assert ours.negotiated is None
            continue
        ours.accept_answer(sdp(*answer))
        assert ours.negotiated is not None
        assert (ours.negotiated.srtp is not None) == (outcome == "secure")


def test_a_plain_offer_is_not_answered_with_encryption() -> None:
    ours = leg("preferred")
    ours.offer(plain=True)
    with pytest.raises(NotAcceptable, match="encrypted"):
        ours.accept_answer(sdp(SAVP, crypto(1)))
    ours.accept_answer(sdp(AVP, crypto(1)))
    assert ours.negotiated is not None
    assert ours.negotiated.srtp is None


# -- in a running call ------------------------------------------------------------------------------------------------------


def test_a_new_key_of_the_peer_is_taken_and_ours_stays() -> None:
    ours = leg("required")
    first = ours.answer(sdp(SAVP, crypto(1)))
    assert ours.answer(sdp(SAVP, crypto(1))) == first
    assert not ours.changed
    new = bytes(range(30))
    ours.answer(sdp(SAVP, crypto(1, CM_80, new)))
    assert ours.changed
    assert ours.negotiated is not None
    assert ours.negotiated.srtp == SrtpKeys(CM_80, b"\1" * 30, new)
    with pytest.raises(NotAcceptable):
        ours.answer(sdp(AVP))
    assert ours.negotiated.srtp == SrtpKeys(CM_80, b"\1" * 30, new)


def test_our_later_offers_are_as_secure_as_what_was_agreed() -> None:
    ours = leg("preferred")
    ours.answer(sdp(AVP, crypto(1)))
    assert audio(ours.offer())[0] == "RTP/AVP"
    assert (2, CM_80) in audio(ours.offer())[1]
    plain = leg("preferred")
    plain.answer(sdp(AVP))
    assert audio(plain.offer()) == ("RTP/AVP", [])


def test_a_key_that_was_given_up_does_not_come_again() -> None:
    ours = leg("preferred")
    ours.answer(sdp(SAVP, crypto(1)))
    ours.answer(sdp(AVP))
    ours.answer(sdp(SAVP, crypto(1)))
    assert ours.negotiated is not None
    assert ours.negotiated.srtp == SrtpKeys(CM_80, b"\2" * 30, THEIRS)


@pytest.mark.parametrize("caller_mode", ["off", "preferred", "required"])
@pytest.mark.parametrize("callee_mode", ["off", "preferred", "required"])
def test_two_legs_of_ours_agree_or_the_callee_refuses(caller_mode: Mode, callee_mode: Mode) -> None:
    caller = leg(caller_mode)
    callee = OfferAnswer("192.0.2.8", 6000, 1, sdes=Sdes(callee_mode, lambda octets: b"c" * octets))
    offer = caller.offer()
    if {caller_mode, callee_mode} == {"off", "required"} or (caller_mode, callee_mode) == ("preferred", "off"):
        with pytest.raises(NotAcceptable):
            callee.answer(offer)
        return
    caller.accept_answer(callee.answer(offer))
    assert caller.negotiated is not None
    assert callee.negotiated is not None
    mine, yours = caller.negotiated.srtp, callee.negotiated.srtp
    if mine is None or yours is None:
        assert mine is yours
        return
    assert (mine.suite, mine.local, mine.remote) == (GCM, yours.remote, yours.local)


# -- codecs and ptime of a trunk ----------------------------------------------------------------------------------------------


def test_codecs_by_their_names() -> None:
    assert codecs_named(("pcma", "PCMU")) == (PCMA, PCMU)
    assert codecs_named(("G729", "PCMA")) == (PCMA,)
    assert codecs_named(("G729",)) == G711
    assert codecs_named(()) == G711


def test_the_trunks_ptime_is_what_we_want_and_send_unless_the_peer_says_otherwise() -> None:
    ours = leg("off", codecs=(PCMA,), ptime=40)
    assert b"RTP/AVP 8 101\r\n" in ours.offer()
    assert b"a=ptime:40\r\n" in ours.offer()
    ours.accept_answer(sdp("m=audio 5000 RTP/AVP 8"))
    assert ours.negotiated is not None
    assert ours.negotiated.format == RtpFormat(Codec.PCMA, 8, None, 40)
    ours.offer()
    ours.accept_answer(sdp("m=audio 5000 RTP/AVP 8", "a=ptime:20"))
    assert ours.negotiated.format.ptime == 20
