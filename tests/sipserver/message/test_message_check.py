"""The inspection of RFC 3261 section 8.2, case by case; its order is section 8.2's."""

from __future__ import annotations

import pytest

from sipserver.message import Capabilities, Headers, Refusal, Request, Response, discard, parse, refuse, response_to

ABLE = Capabilities(methods=("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO"), options=("timer", "100rel"))


def _request(method: str = "INVITE", uri: str = "sip:bob@example.com", body: bytes = b"", **headers: str) -> Request:
    lines = {
        "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa",
        "From": "<sip:a@b>;tag=1",
        "To": "<sip:c@d>",
        "Call-ID": "x@y",
        "CSeq": f"1 {method}",
    }
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, uri, Headers(lines.items()), body)


def _status(request: Request) -> int | None:
    refusal = refuse(request, ABLE)
    return refusal.status if refusal else None


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (_request(), None),
        (_request(body=b"v=0", Content_Type="application/SDP; charset=utf-8"), None),
        (_request(body=b"x", Content_Type='multipart/mixed;boundary="b"'), None),
        (_request(body=b"v=0"), None),
        (_request(uri="tel:+12025550123"), None),
        (_request(uri="sips:bob@example.com"), None),
        (_request(Require="Timer, 100rel"), None),
        (_request(Contact="*"), None),
        (_request(body=b"x", Content_Type="application/isup", Content_Disposition="signal;handling=optional"), None),
        (_request(Accept="text/plain, application/*;q=0.1"), None),
        (_request("BYE", Accept="text/plain"), None),
        (_request("CANCEL", Require="whatever"), None),
        (_request("SUBSCRIBE"), 405),
        (_request("invite"), 405),
        (_request(uri="http://example.com"), 416),
        (_request(uri="sip:"), 400),
        (_request(uri="sip:a@b;;c"), 400),
        (_request(uri="sip:a@b?Subject=x"), 400),
        (_request(Require="timer, precondition"), 420),
        (_request(body=b"x", Content_Type="text/plain"), 415),
        (_request(body=b"x", Content_Type="application/sdp", Content_Encoding="gzip"), 415),
        (_request(Accept="text/plain"), 406),
        (_request(Accept=""), 406),
        (_request(CSeq="1 BYE"), 400),
        (_request(CSeq="x INVITE"), 400),
        (_request(Via=""), 400),
        (_request(Via="SIP/2.0/UDP"), 400),
        (_request(Via="SIP/2.0/UDP a, "), 400),
        (_request(From="bob"), 400),
        (_request(To="<sip:c@d"), 400),
        (_request(Call_ID="a b"), 400),
        (_request(Contact="sip:a@b, x"), 400),
        (_request(Record_Route="nonsense"), 400),
    ],
)
def test_each_request_gets_its_status(request_: Request, status: int | None) -> None:
    assert _status(request_) == status


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_missing_header_is_malformed(name: str) -> None:
    request = _request()
    request.headers.remove(name)
    assert _status(request) == 400


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type"])
def test_a_second_line_of_a_single_header_is_malformed(name: str) -> None:
    request = _request(Max_Forwards="70", Content_Type="application/sdp")
    request.headers.add(name, request.headers.get(name) or "")
    assert _status(request) == 400


def test_what_comes_first_in_section_8_2_is_what_is_answered() -> None:
    everything = {"Require": "x", "Content_Type": "text/plain", "Accept": "text/plain"}
    assert _status(_request("PUBLISH", "http://a", b"x", **everything)) == 405
    assert _status(_request("INVITE", "http://a", b"x", **everything)) == 416
    assert _status(_request("INVITE", "sip:a", b"x", **everything)) == 420
    del everything["Require"]
    assert _status(_request("INVITE", "sip:a", b"x", **everything)) == 415


def test_a_refusal_becomes_an_answer() -> None:
    request = _request(Require="precondition")
    refusal = refuse(request, ABLE)
    assert refusal == Refusal(420, "It requires what is not supported.", (("Unsupported", "precondition"),))
    answer = parse(bytes(response_to(request, refusal.status, to_tag="t", headers=refusal.headers)))
    assert answer.headers.all("Unsupported") == ["precondition"]
    assert discard(answer) is None


@pytest.mark.parametrize(
    ("request_", "headers"),
    [
        (_request("SUBSCRIBE"), (("Allow", ABLE.allow),)),
        (_request(body=b"x", Content_Type="text/plain"), (("Accept", ABLE.accept),)),
        (
            _request(body=b"x", Content_Type="application/sdp", Content_Encoding="gzip"),
            (("Accept-Encoding", "identity"),),
        ),
        (_request(Accept="text/plain"), (("Accept", ABLE.accept),)),
        (_request(Session_Expires="89"), (("Min-SE", "90"),)),
    ],
)
def test_a_refusal_says_what_would_have_been_taken(request_: Request, headers: tuple[tuple[str, str], ...]) -> None:
    """RFC 3261 sections 8.2.1 and 8.2.3, RFC 4028 section 9."""
    refusal = refuse(request_, ABLE)
    assert refusal is not None
    assert refusal.headers == headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Via", "SIP/2.0/UDP a, SIP/2.0/UDP b"),
        ("CSeq", "4294967296 INVITE"),
        ("To", "nobody"),
        ("Via", ""),
        ("Contact", "<"),
    ],
)
def test_a_response_that_is_not_ours_or_malformed_is_dropped(name: str, value: str) -> None:
    response = response_to(_request(), 200, to_tag="t")
    assert discard(response) is None
    response.headers.set(name, value)
    assert discard(response)


def test_a_response_without_vias_is_dropped() -> None:
    assert discard(Response(200, "OK"))
