"""RFC 4475: what each torture message gets, from the grammar and from the inspection of RFC 3261 section 8.2.

The messages of the RFC are data outside the repository (`ANTIPHON_TEST_DATA`); those below, written for the sections that
the data does not hold, are our own.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sipserver.message import Capabilities, MessageError, Request, Response, StreamFramer, discard, parse, refuse

ABLE = Capabilities(methods=("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE"), options=("timer",))
PROCESS, DROP = "process", "drop"

VERDICTS: dict[str, str | int] = {
    "wsinv": PROCESS,
    "intmeth": 405,
    "escnull": 405,
    "esc02": 405,
    "longreq": PROCESS,
    "dblreq": 405,
    "transports": PROCESS,
    "mpart01": 405,
    "noreason": PROCESS,
    "badinv01": 400,
    "clerr": 400,
    "scalar02": 400,
    "scalarlg": DROP,
    "ltgtruri": 400,
    "lwsruri": 400,
    "trws": 400,
    "escruri": 400,
    "regbadct": 400,
    "badaspec": 400,
    "badvers": 505,
    "mismatch01": 400,
    "bigcode": DROP,
    "badbranch": PROCESS,
    "insuf": 400,
    "novelsc": 416,
    "unksm2": 405,
    "invut": 415,
    "regaut01": 405,
    "mcl01": 400,
    "bcast": DROP,
    "cparam01": 405,
    "cparam02": 405,
    "sdp01": 406,
    "inv2543": PROCESS,
}


def _data() -> Path | None:
    root = os.environ.get("ANTIPHON_TEST_DATA")
    return Path(root) / "rfc4475" if root else None


def _cases() -> list[dict[str, Any]]:
    folder = _data()
    return json.loads((folder / "index.json").read_text())["cases"] if folder else []


CASES = _cases()
needs_data = pytest.mark.skipif(not CASES, reason="ANTIPHON_TEST_DATA is not set: no RFC 4475 messages")


def _load(name: str) -> bytes:
    folder = _data()
    assert folder is not None
    return (folder / f"{name}.dat").read_bytes()


def _read(data: bytes) -> Request | Response | MessageError:
    try:
        return parse(data)
    except MessageError as error:
        return error


def verdict(data: bytes) -> str | int:
    """What a user agent does with a datagram: process it, drop it, or answer with a status."""
    message = _read(data)
    if isinstance(message, MessageError):
        assert (message.status == 0) == (message.request is None), (
            "what is answered needs a request to be answered from"
        )
        return message.status or DROP
    if isinstance(message, Request):
        refusal = refuse(message, ABLE)
        return refusal.status if refusal else PROCESS
    return DROP if discard(message) else PROCESS


@needs_data
@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_each_message_gets_what_the_index_says(case: dict[str, Any]) -> None:
    name = case["file"].removesuffix(".dat")
    got = verdict(_load(name))
    assert got == VERDICTS[name]
    if isinstance(got, int):
        assert str(got) in case["expect"]
    elif got == DROP:
        assert "drop" in case["expect"] or "discard" in case["expect"]
    else:
        assert case["cls"] != "invalid"


@needs_data
def test_a_refusal_carries_the_header_that_its_status_asks_for() -> None:
    needed = {"intmeth": "Allow", "invut": "Accept", "sdp01": "Accept"}
    for name, header in needed.items():
        message = parse(_load(name))
        assert isinstance(message, Request)
        refusal = refuse(message, ABLE)
        assert refusal is not None
        assert header in dict(refusal.headers)


@needs_data
def test_the_tortuous_invite_is_read_to_the_last_quote() -> None:
    message = parse(_load("wsinv"))
    assert isinstance(message, Request)
    assert (message.uri, message.method) == ("sip:vivekg@chair-dnrc.example.com;unknownparam", "INVITE")
    assert message.to.tag == "1918181833n"
    assert (message.from_.display, message.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [via.transport for via in message.vias] == ["UDP", "TCP", "UDP"]
    assert [via.branch for via in message.vias] == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]
    assert message.via.transaction_branch is None
    assert message.headers.get("Subject") == ""
    assert message.headers.get("Max-Forwards") == "0068"
    assert message.headers.all("UnknownHeaderWithUnusualValue") == [";;,,;;,;"]
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.routes == ["<sip:services.example.com;lr;unknownwith=value;unknown-no-value>"]
    [contact] = message.contacts
    assert (contact.display, contact.params.get("q"), contact.params.get("newparam")) == (
        'Quoted string ""',
        "0.33",
        "newvalue",
    )
    assert len(message.body) == 150


@needs_data
def test_odd_characters_stay_what_they_are() -> None:
    message = parse(_load("intmeth"))
    assert isinstance(message, Request)
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.params.get("fromparam''~+*_!.-%") == "работающий"
    assert message.from_.tag == "_token~1'+`*%!-."
    escaped = parse(_load("escnull"))
    assert [contact.uri for contact in escaped.contacts] == [
        "sip:%00@host5.example.com",
        "sip:%00%00@host5.example.com",
    ]
    assert len(parse(_load("esc02")).contacts) == 2


@needs_data
def test_parameters_belong_to_the_header_or_to_the_uri_by_the_angle_brackets() -> None:
    [bare] = parse(_load("cparam01")).contacts
    [bracketed] = parse(_load("cparam02")).contacts
    assert (bare.uri, "unknownparam" in bare.params) == ("sip:+19725552222@gw1.example.net", True)
    assert (bracketed.uri, "unknownparam" in bracketed.params) == (
        "sip:+19725552222@gw1.example.net;unknownparam",
        False,
    )


@needs_data
def test_bodies_are_bytes_and_no_byte_more_than_content_length() -> None:
    assert len(parse(_load("mpart01")).body) == 553
    assert parse(_load("dblreq")).body == b""
    assert parse(_load("inv2543")).body.startswith(b"v=0\r\n")
    assert len(parse(_load("longreq")).vias) == 34


@needs_data
def test_on_a_stream_the_double_request_is_two_messages_and_clerr_waits() -> None:
    first, *rest = StreamFramer().feed(_load("dblreq"))
    assert first.startswith(b"REGISTER")
    assert rest[-1].startswith(b"INVITE")
    assert StreamFramer().feed(_load("clerr")) == []
    with pytest.raises(MessageError):
        StreamFramer().feed(_load("mcl01"))


@needs_data
def test_every_message_that_parses_survives_being_written_and_read_again() -> None:
    for case in CASES:
        try:
            message = parse(_load(case["file"].removesuffix(".dat")))
        except MessageError:
            continue
        assert parse(bytes(message)) == message


def _request(
    start: str, *lines: str, frm: str = "<sip:caller@example.net>;tag=7", to: str = "<sip:user@example.com>"
) -> bytes:
    method = start.split()[0]
    head = [start, "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKours1", f"From: {frm}", f"To: {to}"]
    head += ["Call-ID: ours@192.0.2.9", f"CSeq: 8 {method}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


OURS: list[tuple[str, bytes, str | int]] = [
    ("3.1.1.3 escaped at sign", _request("INVITE sip:sips%3Ajoe%40example.com@example.net SIP/2.0"), PROCESS),
    (
        "3.1.1.6 no space before <",
        _request("OPTIONS sip:user@example.com SIP/2.0", frm="caller<sip:a@b>;tag=3"),
        PROCESS,
    ),
    ("3.1.1.9 semicolon in the user", _request("OPTIONS sip:joe;p=u%40example.net@example.com SIP/2.0"), PROCESS),
    ("3.1.2.3 negative Content-Length", _request("INVITE sip:user@example.com SIP/2.0", "Content-Length: -12"), 400),
    (
        "3.1.2.6 unbalanced quote",
        _request("INVITE sip:user@example.com SIP/2.0", to='"Mr. Joe <sip:joe@example.com>'),
        400,
    ),
    ("3.1.2.9 two spaces in the start line", _request("INVITE  sip:user@example.com  SIP/2.0"), 400),
    (
        "3.1.2.12 date that is not GMT",
        _request("INVITE sip:u@example.com SIP/2.0", "Date: Fri, 01 Jan 2010 16:00:00 EST"),
        PROCESS,
    ),
    (
        "3.1.2.15 comma in a bare display name",
        _request("OPTIONS sip:u@example.com SIP/2.0", frm="Doe, Joe <sip:j@d.e>;tag=1"),
        400,
    ),
    ("3.3.2 unknown extension", _request("OPTIONS sip:user@example.com SIP/2.0", "Require: timer, nobodyKnows"), 420),
    ("3.3.3 unknown scheme", _request("OPTIONS nobodyKnowsThis:opaque SIP/2.0"), 416),
    ("3.3.8 two CSeqs", _request("OPTIONS sip:user@example.com SIP/2.0", "CSeq: 9 OPTIONS"), 400),
    ("3.3.8 two Tos", _request("OPTIONS sip:user@example.com SIP/2.0", "t: <sip:other@example.com>"), 400),
    ("3.3.11 Max-Forwards 0 means us", _request("OPTIONS sip:user@example.com SIP/2.0", "Max-Forwards: 0"), PROCESS),
    (
        "3.3.14 escaped Route in a Contact",
        _request("OPTIONS sip:u@e.com SIP/2.0", "Contact: <sip:u@e.com?Route=%3Csip:x%3E>"),
        PROCESS,
    ),
]


@pytest.mark.parametrize(
    ("data", "expected"), [(data, expected) for _, data, expected in OURS], ids=[name for name, _, _ in OURS]
)
def test_the_sections_the_data_does_not_hold(data: bytes, expected: str | int) -> None:
    assert verdict(data) == expected


def test_a_method_of_another_cseq_is_malformed_even_if_unknown() -> None:
    data = _request("NEWMETHOD sip:user@example.com SIP/2.0").replace(b"CSeq: 8 NEWMETHOD", b"CSeq: 8 INVITE")
    assert verdict(data) == 400


def test_a_reason_phrase_may_be_of_any_script() -> None:
    data = _request("SIP/2.0 200 но сто девяносто девять").replace(b"CSeq: 8 SIP/2.0", b"CSeq: 8 INVITE")
    assert verdict(data) == PROCESS
    assert parse(data).reason == "но сто девяносто девять"


def test_unsupported_names_what_was_required_and_only_that() -> None:
    message = parse(_request("OPTIONS sip:user@example.com SIP/2.0", "Require: timer, one", "Require: two"))
    assert isinstance(message, Request)
    refusal = refuse(message, ABLE)
    assert refusal is not None
    assert refusal.headers == (("Unsupported", "one, two"),)
