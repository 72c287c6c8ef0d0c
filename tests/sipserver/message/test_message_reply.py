"""Responses to requests, and the mark of where a request came from."""

from __future__ import annotations

import pytest

from sipserver.message import REASONS, MessageError, Request, mark_source, parse, reason_of, response_to

INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport , SIP/2.0/TCP first\r\n"
    "v: SIP/2.0/UDP second\r\n"
    "Record-Route: <sip:p2;lr>\r\n"
    "Record-Route: <sip:p1;lr=on>\r\n"
    "From: Alice <sip:a@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: c@192.0.2.1\r\n"
    "CSeq: 1 INVITE\r\n"
    "Timestamp: 54\r\n"
    "Max-Forwards: 70\r\n"
    "\r\n"
)


def _invite(old: str = "", new: str = "") -> Request:
    message = parse(INVITE.replace(old, new, 1).encode())
    assert isinstance(message, Request)
    return message


def test_a_200_carries_what_a_dialog_needs() -> None:
    headers = [("Contact", "<sip:us@192.0.2.7>")]
    answer = response_to(_invite(), 200, to_tag="t", headers=headers, body=b"v=0\r\n", content_type="application/sdp")
    assert bytes(answer) == (
        b"SIP/2.0 200 OK\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport , SIP/2.0/TCP first\r\n"
        b"Via: SIP/2.0/UDP second\r\n"
        b"Record-Route: <sip:p2;lr>\r\n"
        b"Record-Route: <sip:p1;lr=on>\r\n"
        b"From: Alice <sip:a@example.com>;tag=1\r\n"
        b"To: <sip:bob@example.com>;tag=t\r\n"
        b"Call-ID: c@192.0.2.1\r\n"
        b"CSeq: 1 INVITE\r\n"
        b"Contact: <sip:us@192.0.2.7>\r\n"
        b"Content-Type: application/sdp\r\n"
        b"Content-Length: 5\r\n\r\nv=0\r\n"
    )


def test_a_100_has_no_tag_but_the_timestamp() -> None:
    answer = response_to(_invite(), 100, to_tag="t")
    assert (answer.to.tag, answer.headers.get("Timestamp"), answer.record_routes) == (None, "54", [])


@pytest.mark.parametrize(("status", "routes"), [(180, 2), (183, 2), (299, 2), (302, 0), (404, 0), (603, 0)])
def test_record_route_goes_into_101_to_299(status: int, routes: int) -> None:
    answer = response_to(_invite(), status, to_tag="t")
    assert (len(answer.record_routes), answer.headers.get("Timestamp"), answer.to.tag) == (routes, None, "t")


def test_a_tag_that_is_there_stays() -> None:
    assert (
        response_to(_invite("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;TAG=x"), 200, to_tag="t").to.tag
        == "x"
    )
    assert response_to(_invite(), 404).to.tag is None


def test_a_bad_to_is_given_back_as_it_came() -> None:
    answer = response_to(
        _invite("<sip:bob@example.com>\r\nCall", "< sip:bob@example.com >;tag=x\r\nCall"), 400, to_tag="t"
    )
    assert answer.headers.get("To") == "< sip:bob@example.com >;tag=x"


def test_reasons() -> None:
    assert response_to(_invite(), 486).reason == "Busy Here"
    assert response_to(_invite(), 486, "Später").reason == "Später"
    assert (reason_of(499), reason_of(199), reason_of(688)) == (
        "Client Error",
        "Early Dialog Terminated",
        "Global Failure",
    )
    assert all(100 <= status < 700 and phrase for status, phrase in REASONS.items())


def test_headers_cannot_be_smuggled_in() -> None:
    for case in ({"headers": [("X", "a\r\nVia: b")]}, {"content_type": "a\r\nVia: b"}, {"to_tag": "a\r\nVia: b"}):
        with pytest.raises(MessageError):
            response_to(_invite(), 200, **case)
    with pytest.raises(MessageError):
        bytes(response_to(_invite(), 200, "OK\r\nVia: b"))


def test_rport_is_filled_in_and_the_other_vias_are_kept() -> None:
    request = _invite()
    mark_source(request, "192.0.2.1", 40000)
    assert [str(via) for via in request.vias] == [
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport=40000;received=192.0.2.1",
        "SIP/2.0/TCP first",
        "SIP/2.0/UDP second",
    ]
    assert (request.via.rport, request.via.received) == (40000, "192.0.2.1")


@pytest.mark.parametrize(
    ("host", "received"), [("192.0.2.1", None), ("192.0.2.2", "192.0.2.2"), ("2001:db8::1", "2001:db8::1")]
)
def test_without_rport_received_says_only_what_the_via_does_not(host: str, received: str | None) -> None:
    request = _invite(";rport ", " ")
    mark_source(request, host, 40000)
    assert (request.via.received, request.via.rport) == (received, None)


def test_a_received_that_the_sender_wrote_is_overwritten() -> None:
    request = _invite(";rport ", ";received=10.0.0.1 ")
    mark_source(request, "192.0.2.2", 5060)
    assert request.via.received == "192.0.2.2"
