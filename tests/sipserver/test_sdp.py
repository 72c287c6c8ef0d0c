"""Session descriptions: a tolerant reader, a strict writer, and the one part of a multipart body that counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.frames import Direction
from sipserver.message import Headers, Request
from sipserver.sdp import Format, Media, Origin, SdpError, Session, sdp_body

TRUNK = b"""v=0
o=- 53655765 2353687637 IN IP4 203.0.113.10
s=call
i=ignored
c=IN IP4 203.0.113.10
b=AS:84
t=0 0
a=sendonly
m=audio 49170/2 RTP/AVP 0 8 18 96 101 13 77
c=IN IP4 203.0.113.11/127
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:30
a=maxptime:60.0
a=rtcp:53020 IN IP4 203.0.113.12
m=video 0 RTP/AVP 31
a=inactive
""".replace(b"\n", b"\r\n")


def test_a_trunks_offer_is_read() -> None:
    session = Session.parse(TRUNK)
    assert session.origin == Origin(53655765, 2353687637, "203.0.113.10")
    assert session.name == "call"
    audio, video = session.media
    assert (audio.kind, audio.port, audio.protocol, video.port) == ("audio", 49170, "RTP/AVP", 0)
    assert audio.formats == ("0", "8", "18", "96", "101", "13", "77")
    assert audio.codecs == (
        Format(0, "PCMU", 8000),
        Format(8, "PCMA", 8000),
        Format(18, "G729", 8000),
        Format(96, "opus", 48000, 2, "useinbandfec=1"),
        Format(101, "telephone-event", 8000, 1, "0-16"),
        Format(13, "CN", 8000),
    )
    assert (audio.ptime, audio.maxptime, audio.rtcp_port) == (30, 60, 53020)
    assert (video.ptime, video.maxptime, video.rtcp_port) == (None, None, None)
    assert (session.host_of(audio), session.host_of(video)) == ("203.0.113.11", "203.0.113.10")
    assert (session.direction_of(audio), session.direction_of(video)) == (Direction.SENDONLY, Direction.INACTIVE)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_any_line_end_will_do(end: bytes) -> None:
    assert Session.parse(TRUNK.replace(b"\r\n", end)) == Session.parse(TRUNK)


def test_a_bare_description_will_do() -> None:
    session = Session.parse(b"v=0\no=x 1 2 IN IP4 h\nm=audio 4 RTP/AVP 0")
    assert (session.name, session.host, session.host_of(session.media[0])) == ("-", None, None)
    assert session.direction_of(session.media[0]) is Direction.SENDRECV


@pytest.mark.parametrize(
    ("address", "stated", "direction"),
    [
        ("0.0.0.0", "sendrecv", Direction.SENDONLY),
        ("0.0.0.0", "recvonly", Direction.INACTIVE),
        ("0.0.0.0", "inactive", Direction.INACTIVE),
        ("192.0.2.1", "recvonly", Direction.RECVONLY),
    ],
)
def test_an_address_of_zeros_hears_nothing(address: str, stated: str, direction: Direction) -> None:
    session = Session.parse(f"v=0\no=- 1 1 IN IP4 h\nm=audio 4 RTP/AVP 0\nc=IN IP4 {address}\na={stated}".encode())
    assert session.direction_of(session.media[0]) is direction


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\n\n",
        b"v=0\no=- 1 1 IN IP4 h\nc=IN IP9 h\nm=audio 4 RTP/AVP 0",
        b"v=0\no=- 1 1 IN IP4 h\nm=audio RTP/AVP 0",
        b"v=0\no=- 1 1 IN IP4 h\nm=audio 65536 RTP/AVP 0",
    ],
)
def test_what_is_no_description_is_refused(data: bytes) -> None:
    with pytest.raises(SdpError):
        Session.parse(data)


@pytest.mark.parametrize(
    "origin", ["", "o=-\n", "o=- x 1 IN IP4 h\n", "o=Joe Doe 1 1 IN IP4 h\n", "o=- -1 1 IN IP4 h\n"]
)
def test_an_odd_origin_does_no_harm(origin: str) -> None:
    assert Session.parse(f"v=0\n{origin}m=audio 4 RTP/AVP 0".encode()).media[0].port == 4


@pytest.mark.parametrize(
    "attribute", ["rtpmap:128 PCMU/8000", "rtpmap:0", "rtpmap:x PCMU/8000", "rtpmap:0 PCMU", "fmtp", "rtpmap"]
)
def test_an_attribute_that_makes_no_sense_is_as_if_it_were_not_there(attribute: str) -> None:
    session = Session.parse(
        f"v=0\no=- 1 1 IN IP4 h\nm=audio 4 RTP/AVP 0 x 128 9999\na={attribute}\na=ptime:0\na=rtcp:0".encode()
    )
    [media] = session.media
    assert media.codecs == (Format(0, "PCMU", 8000),)
    assert (media.ptime, media.rtcp_port) == (None, None)


def test_a_description_is_written() -> None:
    media = Media("audio", 4000, "RTP/AVP", ("0", "101"), None, (("rtpmap", "0 PCMU/8000"), ("sendrecv", None)))
    session = Session(
        Origin(1, 2, "2001:db8::1"), (media, Media("video", 0, "RTP/AVP", ("31",), "192.0.2.1")), "2001:db8::1"
    )
    assert bytes(session) == (
        b"v=0\r\no=- 1 2 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        b"m=video 0 RTP/AVP 31\r\nc=IN IP4 192.0.2.1\r\n"
    )


@pytest.mark.parametrize(
    "session",
    [
        Session(Origin(1, 1, "h"), (), name="a\r\nb"),
        Session(Origin(1, 1, "h h"), ()),
        Session(Origin(1, 1, "h", "u u"), ()),
        Session(Origin(1, 1, "h"), (), "a\nb"),
        Session(Origin(1, 1, "h"), (), attributes=(("tool", "x\r\nm=audio"),)),
        Session(Origin(1, 1, "h"), (Media("audio", 4, "RTP/AVP", ("0 8",)),)),
        Session(Origin(1, 1, "h"), (Media("", 4, "RTP/AVP", ("0",)),)),
    ],
)
def test_what_would_break_a_line_is_not_written(session: Session) -> None:
    with pytest.raises(SdpError):
        bytes(session)


WORD = st.text("abcXYZ019.:-/", min_size=1, max_size=8)
VALUE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=12)
ATTRIBUTES = st.lists(st.tuples(st.text("abc-", min_size=1, max_size=6), st.none() | VALUE), max_size=4).map(tuple)
HOSTS = st.sampled_from(["192.0.2.1", "2001:db8::1", "example.com"])
MEDIA = st.builds(
    Media,
    st.text("abc", min_size=1, max_size=5),
    st.integers(0, 65535),
    WORD,
    st.lists(WORD, min_size=1, max_size=4).map(tuple),
    st.none() | HOSTS,
    ATTRIBUTES,
)
NUMBERS = st.integers(0, 10**18)
SESSIONS = st.builds(
    Session,
    st.builds(Origin, NUMBERS, NUMBERS, HOSTS, WORD),
    st.lists(MEDIA, max_size=3).map(tuple),
    st.none() | HOSTS,
    VALUE,
    ATTRIBUTES,
)


@settings(deadline=None)
@given(SESSIONS)
def test_a_description_is_read_back_as_it_was_written(session: Session) -> None:
    assert Session.parse(bytes(session)) == session


@settings(deadline=None)
@given(st.lists(st.sampled_from(TRUNK.split(b"\r\n")) | st.binary(max_size=12), max_size=20), st.integers(0, 4))
def test_whatever_comes_in_parses_or_raises(lines: list[bytes], cut: int) -> None:
    data = b"v=0\r\no=- 1 1 IN IP4 h\r\n" + b"\r\n".join(lines)
    try:
        session = Session.parse(data[: len(data) - cut])
    except SdpError:
        return
    for media in session.media:
        _ = media.codecs, media.ptime, media.maxptime, media.rtcp_port, session.direction_of(media)


SDP = b"v=0\r\no=- 1 1 IN IP4 h\r\n"


def _message(body: bytes, content_type: str | None) -> Request:
    headers = Headers([] if content_type is None else [("Content-Type", content_type)])
    return Request("INVITE", "sip:a@b", headers, body)


def _multipart(*parts: bytes, end: bytes = b"\r\n") -> bytes:
    return b"preamble" + b"".join(end + b"--b1" + end + part for part in parts) + end + b"--b1--" + end + b"epilogue"


ISUP = b"Content-Type: application/isup;version=ansi\r\n\r\n\x01\x00\r\n\x49"
WITH_TYPE = b"Content-Disposition: session\r\ncontent-TYPE :application/sdp\r\n\r\n" + SDP

EARLY = WITH_TYPE.replace(b": session", b": early-session").replace(b"v=0", b"v=0\r\ns=early")
OPTIONAL = WITH_TYPE.replace(b": session", b": Session;handling=optional")


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "application/sdp", None),
        (SDP, "application/sdp", SDP),
        (SDP, "Application/SDP;charset=utf-8", SDP),
        (SDP, None, SDP),
        (b"hello", None, None),
        (SDP, "text/plain", None),
        (_multipart(ISUP, WITH_TYPE), "multipart/mixed;boundary=b1", SDP),
        (_multipart(WITH_TYPE, ISUP), 'multipart/mixed; boundary="b1"', SDP),
        (_multipart(ISUP), "multipart/mixed;boundary=b1", None),
        (_multipart(SDP), "multipart/mixed;boundary=b1", None),
        (_multipart(WITH_TYPE, end=b"\n"), "multipart/mixed;boundary=b1", SDP),
        (_multipart(WITH_TYPE), "multipart/mixed", None),
        (_multipart(WITH_TYPE), "multipart/mixed;;boundary=b1", None),
        (b"--b1\r\n" + WITH_TYPE, "multipart/mixed;boundary=b1", SDP),
        (_multipart(EARLY), "multipart/mixed;boundary=b1", None),
        (_multipart(EARLY, WITH_TYPE), "multipart/mixed;boundary=b1", SDP),
        (_multipart(OPTIONAL), "multipart/mixed;boundary=b1", SDP),
        (_multipart(ISUP) + b"\r\n--b1\r\n" + WITH_TYPE, "multipart/mixed;boundary=b1", None),
    ],
)
def test_the_description_is_found(body: bytes, content_type: str | None, expected: bytes | None) -> None:
    assert sdp_body(_message(body, content_type)) == expected


def test_nested_parts_are_searched_to_a_depth() -> None:
    body, kind = WITH_TYPE, "application/sdp"
    for depth in range(5):
        body = f"Content-Type: {kind}\r\n\r\n".encode() + body if depth else body
        mark = f"b{depth}"
        body = f"--{mark}\r\n".encode() + body + f"\r\n--{mark}--\r\n".encode()
        kind = f"multipart/mixed;boundary={mark}"
        assert sdp_body(_message(body, kind)) == (SDP if depth < 3 else None)


@settings(deadline=None)
@given(
    st.binary(max_size=80),
    st.sampled_from(["multipart/mixed;boundary=b", 'multipart/x;boundary="("', 'multipart/mixed;boundary=""']),
)
def test_no_body_breaks_the_search(body: bytes, kind: str) -> None:
    sdp_body(_message(b"--b\r\n" + body, kind))
