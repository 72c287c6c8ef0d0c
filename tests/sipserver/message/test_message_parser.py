"""From bytes to messages: framing of datagrams, caps, and what can be answered when it goes wrong."""

from __future__ import annotations

import pytest

from sipserver.message import MAX_HEADERS, MAX_LINE, MAX_MESSAGE, MessageError, Request, Response, parse, response_to

HEAD = (
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
    "From: <sip:a@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: c@192.0.2.1\r\n"
    "CSeq: 1 INVITE\r\n"
)


def _invite(*lines: str, body: bytes = b"") -> bytes:
    return (HEAD + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode("utf-8", "surrogateescape") + body


def test_a_request_is_read() -> None:
    message = parse(_invite("Content-Length: 4", body=b"bodyrest"))
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.body) == ("INVITE", "sip:bob@example.com", b"body")
    assert (message.call_id, message.cseq.number, message.from_.tag, message.to.tag) == ("c@192.0.2.1", 1, "1", None)
    assert (message.contacts, message.routes) == ([], [])


def test_a_response_is_read() -> None:
    message = parse(b"sip/2.0 183 Session Progress, really\r\nCSeq: 1 INVITE\r\n\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (183, "Session Progress, really")
    assert parse(b"SIP/2.0 200\r\n\r\n") == Response(200, "")


def test_breaks_before_the_start_line_are_skipped() -> None:
    assert parse(b"\r\n\r\n" + _invite()) == parse(_invite())


def test_folded_lines_are_one() -> None:
    message = parse(_invite("Subject: a\r\n b\r\n\t c ", "Route:\r\n <sip:p;lr>"))
    assert message.headers.get("Subject") == "a b c"
    assert message.routes == ["<sip:p;lr>"]


def test_bytes_that_are_no_utf8_come_back_as_they_were() -> None:
    data = _invite("Subject: caf\udce9")
    message = parse(data)
    assert b"Subject: caf\xe9\r\n" in bytes(message)
    assert parse(bytes(message)) == message


def test_route_values_come_back_byte_exact() -> None:
    line = 'Record-Route: <sip:p1;r2=on;lr=on;ftag=a%20b>,<sip:p2;lr;FTag=X>;q="a,b"'
    assert parse(_invite(line)).record_routes == ["<sip:p1;r2=on;lr=on;ftag=a%20b>", '<sip:p2;lr;FTag=X>;q="a,b"']


@pytest.mark.parametrize(
    ("lines", "body", "expected"),
    [
        (["l: 3", "Content-Length: 3"], b"abc", b"abc"),
        (["Content-Length: 0"], b"abc", b""),
        ([], b"abc", b"abc"),
        (["Content-Length: 003"], b"abcd", b"abc"),
    ],
)
def test_the_body_ends_where_content_length_says(lines: list[str], body: bytes, expected: bytes) -> None:
    assert parse(_invite(*lines, body=body)).body == expected


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (_invite("Content-Length: 4", body=b"abc"), 400),
        (_invite("Content-Length: 3", "l: 4", body=b"abcd"), 400),
        (_invite("Content-Length: -1"), 400),
        (_invite("Content-Length: "), 400),
        (_invite("Content-Length: ٣", body=b"abc"), 400),
        (_invite("no colon"), 400),
        (_invite(": x"), 400),
        (_invite("A B: x"), 400),
        (_invite("Subject: a\nVia: SIP/2.0/UDP evil"), 400),
        (_invite("Subject: a\rVia: SIP/2.0/UDP evil"), 400),
        (HEAD.encode(), 400),
        (_invite().replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1), 505),
        (_invite().replace(b"sip:bob@example.com SIP", b"bob SIP", 1), 400),
        (_invite(f"X: {'x' * MAX_LINE}"), 513),
        (_invite().replace(b"sip:bob", b"sip:" + b"b" * MAX_LINE, 1), 414),
        (_invite(*["X: y"] * MAX_HEADERS), 513),
        (_invite(body=b"x" * MAX_MESSAGE), 513),
    ],
)
def test_faults_are_answered_with_what_could_be_read(data: bytes, status: int) -> None:
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert caught.value.status == status
    request = caught.value.request
    assert request is not None
    assert request.method == "INVITE"
    answer = parse(bytes(response_to(request, status, to_tag="t")))
    assert answer.via.branch == "z9hG4bKa"
    assert (answer.call_id, answer.to.tag, answer.cseq.number) == ("c@192.0.2.1", "t", 1)


def test_just_inside_the_caps_is_read() -> None:
    fitting = _invite(f"X: {'x' * (MAX_LINE - 3)}", *["X: y"] * (MAX_HEADERS - 6))
    assert len(parse(fitting).headers) == MAX_HEADERS
    assert len(parse(_invite(body=b"x" * (MAX_MESSAGE - len(_invite())))).body) > 60000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00" * 40,
        b"hello\r\n\r\n",
        b"SIP/2.0 99 Low\r\n\r\n",
        b"SIP/2.0 700 High\r\n\r\n",
        b"SIP/2.0 4294967301 Wrapped\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nno colon\r\n\r\n",
        HEAD.replace("INVITE", "ACK").encode() + b"no colon\r\n\r\n",
    ],
)
def test_what_cannot_be_answered_says_so(data: bytes) -> None:
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert (caught.value.status, caught.value.request) == (0, None)


def test_a_missing_header_is_an_error_when_it_is_asked_for() -> None:
    message = parse(b"OPTIONS sip:a@b SIP/2.0\r\nSubject: x\r\nTo:\r\n\r\n")
    assert message.vias == []
    for name in ("via", "from_", "to", "call_id", "cseq"):
        with pytest.raises(MessageError) as caught:
            getattr(message, name)
        assert caught.value.status == 400
