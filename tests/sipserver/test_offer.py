"""Offers and answers of one leg, as transcripts: what the peer says, what we say, what then holds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.frames import Codec, Direction, RtpFormat, RtpRemote
from sipserver.codecs import G711, PCMA, PCMU, AudioCodec, codecs_named
from sipserver.offer import Negotiated, NotAcceptable, OfferAnswer
from sipserver.sdp import Session


def _leg(**options: object) -> OfferAnswer:
    return OfferAnswer("192.0.2.7", 4000, 99, **options)  # type: ignore[arg-type]


def _sdp(*lines: str, host: str = "203.0.113.1", version: int = 1) -> bytes:
    head = ["v=0", f"o=peer 7 {version} IN IP4 203.0.113.1", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return "".join(f"{line}\r\n" for line in [*head, *lines]).encode()


AUDIO = ("m=audio 5000 RTP/AVP 8 0 96", "a=rtpmap:96 telephone-event/8000", "a=ptime:20")


def _audio(sdp: bytes, index: int = 0) -> tuple[int, tuple[str, ...], Direction]:
    session = Session.parse(sdp)
    media = session.media[index]
    return media.port, media.formats, session.direction_of(media)


def _version(sdp: bytes) -> int:
    return Session.parse(sdp).origin.version


def test_our_offer_is_g711_with_events() -> None:
    assert _leg().offer() == (
        b"v=0\r\no=- 99 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        b"a=ptime:20\r\na=sendrecv\r\n"
    )


def test_our_offer_and_its_answer() -> None:
    leg = _leg()
    leg.offer()
    leg.accept_answer(_sdp("m=audio 5000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000", "a=rtcp:5009"))
    assert leg.negotiated == Negotiated(
        RtpRemote("203.0.113.1", 5000, 5009), RtpFormat(Codec.PCMA, 8, 101, 20), Direction.SENDRECV
    )
    assert leg.changed


def test_the_peers_order_decides_and_its_payload_types_are_kept() -> None:
    leg = _leg()
    assert _audio(leg.answer(_sdp(*AUDIO))) == (4000, ("8", "96"), Direction.SENDRECV)
    assert leg.negotiated == Negotiated(
        RtpRemote("203.0.113.1", 5000), RtpFormat(Codec.PCMA, 8, 96, 20), Direction.SENDRECV
    )


def test_our_order_decides_when_we_prefer_it() -> None:
    assert _audio(_leg(prefer_ours=True).answer(_sdp(*AUDIO)))[1] == ("0", "96")
    assert _audio(_leg(codecs=(PCMA, PCMU), prefer_ours=True).answer(_sdp("m=audio 5 RTP/AVP 0 8")))[1] == ("8",)


def test_only_the_codecs_given_are_spoken() -> None:
    assert _audio(_leg(codecs=(PCMU,)).answer(_sdp(*AUDIO)))[1] == ("0", "96")
    assert _audio(_leg().offer(codecs=[PCMA]))[1] == ("8", "101")


def test_a_codec_of_a_dynamic_payload_type_keeps_the_peers_number() -> None:
    answer = _leg(codecs=(AudioCodec(Codec.PCMU, 0),)).answer(_sdp("m=audio 5000 RTP/AVP 97", "a=rtpmap:97 pcmu/8000"))
    assert _audio(answer)[1] == ("97",)


def test_events_at_another_clock_rate_are_not_ours() -> None:
    leg = _leg()
    answer = leg.answer(_sdp("m=audio 5000 RTP/AVP 0 97", "a=rtpmap:97 telephone-event/48000"))
    assert _audio(answer)[1] == ("0",)
    assert leg.negotiated is not None
    assert leg.negotiated.format.telephone_event is None


@pytest.mark.parametrize(
    ("lines", "ptime"), [(["a=ptime:30"], 30), ([], 20), (["a=ptime:40", "a=maxptime:20"], 20), (["a=maxptime:10"], 10)]
)
def test_the_peer_says_how_much_a_packet_holds(lines: list[str], ptime: int) -> None:
    leg = _leg()
    leg.answer(_sdp("m=audio 5000 RTP/AVP 0", *lines))
    assert leg.negotiated is not None
    assert leg.negotiated.format.ptime == ptime


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (Direction.SENDRECV, Direction.SENDRECV),
        (Direction.SENDONLY, Direction.RECVONLY),
        (Direction.RECVONLY, Direction.SENDONLY),
        (Direction.INACTIVE, Direction.INACTIVE),
    ],
)
def test_directions_are_turned_round(theirs: Direction, ours: Direction) -> None:
    leg = _leg()
    assert _audio(leg.answer(_sdp(*AUDIO, f"a={theirs.value}")))[2] is ours
    assert leg.negotiated is not None
    assert leg.negotiated.direction is ours
    leg.offer()
    leg.accept_answer(_sdp(*AUDIO, f"a={theirs.value}"))
    assert leg.negotiated.direction is ours


def test_what_we_want_counts_too() -> None:
    leg = _leg()
    assert _audio(leg.answer(_sdp(*AUDIO), Direction.SENDONLY))[2] is Direction.SENDONLY
    assert _audio(leg.answer(_sdp(*AUDIO, "a=sendonly"), Direction.SENDONLY))[2] is Direction.INACTIVE
    assert _audio(leg.offer(direction=Direction.INACTIVE))[2] is Direction.INACTIVE
    leg.accept_answer(_sdp(*AUDIO))
    assert leg.negotiated is not None
    assert leg.negotiated.direction is Direction.INACTIVE


def test_hold_and_resume() -> None:
    leg = _leg()
    first = leg.answer(_sdp(*AUDIO))
    held = leg.answer(_sdp(*AUDIO, "a=sendonly", version=2))
    assert (_audio(held)[2], leg.changed) == (Direction.RECVONLY, True)
    resumed = leg.answer(_sdp(*AUDIO, "a=sendrecv", version=3))
    assert (_audio(resumed)[2], leg.changed) == (Direction.SENDRECV, True)
    assert [_version(sdp) for sdp in (first, held, resumed)] == [1, 2, 3]


def test_the_old_way_to_hold_keeps_the_address_known() -> None:
    leg = _leg()
    leg.answer(_sdp(*AUDIO))
    assert _audio(leg.answer(_sdp(*AUDIO, host="0.0.0.0", version=2)))[2] is Direction.RECVONLY
    assert leg.negotiated is not None
    assert leg.negotiated.remote == RtpRemote("203.0.113.1", 5000)
    leg.answer(_sdp(*AUDIO, version=3))
    assert leg.negotiated.direction is Direction.SENDRECV


def test_a_call_may_begin_on_hold() -> None:
    leg = _leg()
    leg.answer(_sdp(*AUDIO, host="0.0.0.0"))
    assert leg.negotiated is not None
    assert (leg.negotiated.remote.host, leg.negotiated.direction) == ("0.0.0.0", Direction.RECVONLY)


def test_the_version_grows_only_with_a_change() -> None:
    leg = _leg()
    first = leg.answer(_sdp(*AUDIO))
    assert leg.answer(_sdp(*AUDIO)) == first == leg.local
    assert not leg.changed
    moved = leg.answer(_sdp("m=audio 6000 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/8000", version=2))
    assert moved == first
    assert leg.changed
    assert leg.negotiated is not None
    assert leg.negotiated.remote.port == 6000
    assert _version(leg.offer()) == 2
    assert _version(leg.offer()) == 2


def test_the_codec_in_use_stays_in_a_new_offer() -> None:
    leg = _leg()
    leg.answer(_sdp("m=audio 5000 RTP/AVP 0 8"))
    assert _audio(leg.answer(_sdp("m=audio 5000 RTP/AVP 8 0", version=2)))[1] == ("0",)
    assert _audio(leg.answer(_sdp("m=audio 5000 RTP/AVP 8", version=3)))[1] == ("8",)


def test_our_own_new_offer_keeps_the_event_number() -> None:
    leg = _leg()
    leg.answer(_sdp(*AUDIO))
    assert _audio(leg.offer())[1] == ("0", "8", "96")


def test_the_lines_of_an_offer_are_answered_in_their_order() -> None:
    leg = _leg()
    answer = leg.answer(
        _sdp(
            "m=video 6000 RTP/AVP 31",
            "m=audio 0 RTP/AVP 0",
            "m=audio 7000 RTP/SAVP 0",
            *AUDIO,
            "m=audio 8000 RTP/AVP 0",
        )
    )
    media = Session.parse(answer).media
    assert [(line.kind, line.port, line.protocol) for line in media] == [
        ("video", 0, "RTP/AVP"),
        ("audio", 0, "RTP/AVP"),
        ("audio", 0, "RTP/SAVP"),
        ("audio", 4000, "RTP/AVP"),
        ("audio", 0, "RTP/AVP"),
    ]
    assert [line.formats for line in media] == [("31",), ("0",), ("0",), ("8", "96"), ("0",)]
    assert leg.negotiated is not None
    assert leg.negotiated.remote.port == 5000
    ours = Session.parse(leg.offer()).media
    assert [(line.kind, line.port) for line in ours] == [
        ("video", 0),
        ("audio", 0),
        ("audio", 0),
        ("audio", 4000),
        ("audio", 0),
    ]
    leg.accept_answer(
        _sdp("m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "m=audio 0 RTP/SAVP 0", "m=audio 9000 RTP/AVP 0")
    )
    assert leg.negotiated.remote.port == 9000


def test_feedback_profiles_are_answered_in_kind() -> None:
    assert Session.parse(_leg().answer(_sdp("m=audio 5000 RTP/AVPF 0"))).media[0].protocol == "RTP/AVPF"


@pytest.mark.parametrize(
    ("sdp", "code"),
    [
        (b"hello", 399),
        (_sdp(), 304),
        (_sdp("m=video 5000 RTP/AVP 31"), 304),
        (_sdp("m=audio 0 RTP/AVP 0", "m=image 5002 udptl t38"), 304),
        (_sdp("m=audio 5000 RTP/SAVP 0"), 302),
        (_sdp("m=audio 5000 UDP/TLS/RTP/SAVP 0"), 304),
        (_sdp("m=audio 5000 RTP/AVP 18 101", "a=rtpmap:101 telephone-event/8000"), 305),
        (_sdp("m=audio 5000 RTP/AVP 97", "a=rtpmap:97 PCMU/16000"), 305),
        (_sdp("m=audio 5000 RTP/AVP 97", "a=rtpmap:97 PCMU/8000/2"), 305),
        (_sdp("m=audio 5000 RTP/AVP 0", host="pbx.example.com"), 302),
        (_sdp("m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:db8::1"), 302),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 5000 RTP/AVP 0\r\n", 302),
    ],
)
def test_what_cannot_be_agreed_to_leaves_all_as_it_was(sdp: bytes, code: int) -> None:
    leg = _leg()
    first = leg.answer(_sdp(*AUDIO))
    before = leg.negotiated
    with pytest.raises(NotAcceptable) as caught:
        leg.answer(sdp)
    assert caught.value.code == code
    assert (leg.negotiated, leg.local) == (before, first)
    leg.offer()
    with pytest.raises(NotAcceptable):
        leg.accept_answer(sdp)
    assert leg.negotiated == before


def test_an_answer_without_an_offer_is_refused() -> None:
    with pytest.raises(NotAcceptable):
        _leg().accept_answer(_sdp(*AUDIO))


def test_ipv6_peers_meet_an_ipv6_leg() -> None:
    leg = OfferAnswer("2001:db8::7", 4000, 1)
    answer = leg.answer(_sdp("m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:db8::1"))
    assert b"c=IN IP6 2001:db8::7\r\n" in answer
    assert leg.negotiated is not None
    assert leg.negotiated.remote.host == "2001:db8::1"


@settings(deadline=None)
@given(
    st.permutations(["0", "8", "18", "101"]),
    st.sampled_from(list(Direction)),
    st.integers(1, 65535),
    st.booleans(),
)
def test_two_legs_of_ours_agree(formats: list[str], direction: Direction, port: int, prefer: bool) -> None:
    caller = OfferAnswer("192.0.2.1", port, 1)
    callee = OfferAnswer("192.0.2.2", 4000, 2, G711, prefer_ours=prefer)
    offer = caller.offer(direction=direction).replace(b"AVP 0 8 101", f"AVP {' '.join(formats)}".encode())
    caller.accept_answer(callee.answer(offer))
    assert caller.negotiated is not None
    assert callee.negotiated is not None
    assert caller.negotiated.format == callee.negotiated.format
    assert caller.negotiated.direction is direction
    assert callee.negotiated.remote == RtpRemote("192.0.2.1", port)
    assert caller.negotiated.remote == RtpRemote("192.0.2.2", 4000)


@settings(deadline=None)
@given(st.lists(st.sampled_from(_sdp(*AUDIO).split(b"\r\n")) | st.binary(max_size=8), max_size=16).map(b"\r\n".join))
def test_any_description_is_answered_or_refused(sdp: bytes) -> None:
    leg = _leg()
    try:
        answer = leg.answer(sdp)
    except NotAcceptable as refusal:
        with pytest.raises(NotAcceptable, match=re.escape(str(refusal))):
            leg.check(sdp)
        return
    _leg().check(sdp)
    assert len(Session.parse(answer).media) == len(Session.parse(sdp).media)


# -- wideband ---------------------------------------------------------------------------------------------------------

WIDE = codecs_named(("opus", "G722", "PCMU"))
OPUS_LINES = ("a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1; maxaveragebitrate=20000")


def test_our_offer_of_wideband_codecs_has_events_at_each_clock() -> None:
    offer = Session.parse(_leg(codecs=WIDE).offer()).media[0]
    assert offer.formats == ("96", "9", "0", "101", "127")
    assert [(form.name, form.rate, form.channels) for form in offer.codecs] == [
        ("opus", 48000, 2),
        ("G722", 8000, 1),
        ("PCMU", 8000, 1),
        ("telephone-event", 8000, 1),
        ("telephone-event", 48000, 1),
    ]
    assert "useinbandfec=1" in (offer.codecs[0].fmtp or "")
    assert "maxplaybackrate=16000" in (offer.codecs[0].fmtp or "")


def test_an_answer_of_several_codecs_lets_the_peer_change_between_them() -> None:
    leg = _leg(codecs=WIDE)
    leg.offer()
    leg.accept_answer(_sdp("m=audio 5000 RTP/AVP 9 96 0", "a=rtpmap:96 opus/48000/2"))
    assert leg.negotiated is not None
    assert leg.negotiated.format == RtpFormat(Codec.G722, 9, None, 20, others=((96, Codec.OPUS), (0, Codec.PCMU)))


def test_opus_is_answered_with_our_parameters_and_sent_as_the_peer_wants_it() -> None:
    leg = _leg(codecs=WIDE)
    lines = ("m=audio 5000 RTP/AVP 111 9 110 101", *OPUS_LINES, "a=rtpmap:110 telephone-event/48000")
    answer = Session.parse(leg.answer(_sdp(*lines, "a=rtpmap:101 telephone-event/8000", "a=ptime:40"))).media[0]
    assert answer.formats == ("111", "110")
    assert answer.codecs[0].channels == 2
    assert "stereo=0" in (answer.codecs[0].fmtp or "")
    assert answer.codecs[1].rate == 48000
    assert leg.negotiated is not None
    assert leg.negotiated.format == RtpFormat(Codec.OPUS, 111, 110, 40, 48000, (), True, 20000)
    # Our own next offer keeps the numbers that the session has.
    again = Session.parse(leg.offer()).media[0]
    assert again.formats == ("111", "9", "0", "101", "110")


def test_events_of_8_khz_serve_opus_where_there_are_no_others() -> None:
    leg = _leg(codecs=WIDE)
    leg.answer(_sdp("m=audio 5000 RTP/AVP 111 101", *OPUS_LINES, "a=rtpmap:101 telephone-event/8000"))
    assert leg.negotiated is not None
    assert (leg.negotiated.format.telephone_event, leg.negotiated.format.event_rate) == (101, 8000)


def test_numbers_that_the_session_has_given_away_are_not_given_twice() -> None:
    """The peer's Opus has the number that our L16 would have: RFC 3264 section 8.3.2."""
    leg = _leg(codecs=codecs_named(["opus", "L16"]))
    leg.answer(_sdp("m=audio 5000 RTP/AVP 97 101", "a=rtpmap:97 opus/48000/2", "a=rtpmap:101 telephone-event/48000"))
    formats = Session.parse(leg.offer()).media[0].codecs
    assert formats[0].payload_type == 97
    assert len({form.payload_type for form in formats}) == len(formats)


def test_rtp_and_rtcp_on_one_port_is_not_taken_up() -> None:
    """RFC 5761 section 5.1.1: an answer without rtcp-mux leaves RTCP on its own port, where a=rtcp says (RFC 3605)."""
    leg = _leg()
    answer = leg.answer(_sdp(*AUDIO, "a=rtcp:5011", "a=rtcp-mux"))
    assert b"rtcp-mux" not in answer
    assert leg.negotiated is not None
    assert leg.negotiated.remote == RtpRemote("203.0.113.1", 5000, 5011)


def test_a_new_offer_may_change_the_codec() -> None:
    leg = _leg(codecs=WIDE)
    leg.answer(_sdp("m=audio 5000 RTP/AVP 0"))
    leg.answer(_sdp("m=audio 5000 RTP/AVP 9"))
    assert leg.negotiated is not None
    assert leg.negotiated.format.codec is Codec.G722


def test_g722_at_the_rate_that_it_really_has_is_not_what_anybody_means() -> None:
    with pytest.raises(NotAcceptable):
        _leg(codecs=WIDE).answer(_sdp("m=audio 5000 RTP/AVP 98", "a=rtpmap:98 G722/16000"))


def test_l16_is_offered_only_by_name() -> None:
    assert _audio(_leg(codecs=codecs_named(("L16", "PCMU"))).offer())[1][:2] == ("97", "0")
    assert "97" not in _audio(_leg().offer())[1]


def test_metrics_are_asked_for_where_that_is_wanted_and_the_peer_is_told_where_it_asks() -> None:
    """RFC 3611 section 5.2: each side asks for itself."""
    ask, asked = "a=rtcp-xr:rcvr-rtt=all voip-metrics", b"a=rtcp-xr:voip-metrics\r\n"
    wanting, other = _leg(metrics=True), _leg()
    assert asked in wanting.answer(_sdp(*AUDIO))
    assert wanting.negotiated is not None
    assert not wanting.negotiated.remote.xr
    assert asked not in other.answer(_sdp(*AUDIO, ask))
    assert other.negotiated is not None
    assert other.negotiated.remote.xr
    # An answer to our offer; the session's line, which that of the stream overrules; a peer that asks no more.
    offering = _leg(metrics=True)
    assert asked in offering.offer()
    for lines, wanted in (((ask, *AUDIO), True), ((ask, *AUDIO, "a=rtcp-xr:stat-summary"), False), (AUDIO, False)):
        offering.offer()
        offering.accept_answer(_sdp(*lines))
        assert offering.negotiated is not None
        assert offering.negotiated.remote.xr is wanted
