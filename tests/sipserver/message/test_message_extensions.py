"""Option tags, RSeq and RAck (RFC 3261 section 19.2, RFC 3262 section 7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.message import Headers, MessageError, Request, Response
from sipserver.message.extensions import RAck, reliable_number, requires, supports

NUMBERS = st.integers(0, 2**32 - 1)


@given(NUMBERS, NUMBERS, st.sampled_from(["INVITE", "x-new.method"]))
def test_a_rack_is_read_as_it_was_written(rseq: int, cseq: int, method: str) -> None:
    rack = RAck(rseq, cseq, method)
    assert RAck.parse(str(rack)) == rack


@given(st.text())
def test_any_text_is_a_rack_or_an_error(text: str) -> None:
    try:
        assert RAck.parse(text).rseq >= 0
    except MessageError:
        pass


@pytest.mark.parametrize(
    "text", ["", "1 INVITE", "1 2", "-1 2 INVITE", "1 2 INVITE 3", "99999999999 1 INVITE", "1 2 a b"]
)
def test_what_is_no_rack(text: str) -> None:
    with pytest.raises(MessageError):
        RAck.parse(text)


@pytest.mark.parametrize(
    ("status", "headers", "number"),
    [
        (180, {"Require": "100rel", "RSeq": "1"}, 1),
        (183, {"Require": "precondition, 100REL", "RSeq": "4294967295"}, 4294967295),
        (180, {"Require": "100rel"}, None),
        (180, {"RSeq": "1"}, None),
        (100, {"Require": "100rel", "RSeq": "1"}, None),
        (200, {"Require": "100rel", "RSeq": "1"}, None),
        (180, {"Require": "100rel", "RSeq": "0"}, None),
        (180, {"Require": "100rel", "RSeq": "4294967296"}, None),
        (180, {"Require": "100rel", "RSeq": "²"}, None),
        (180, {"Require": "100rel", "RSeq": "1" * 5000}, None),
    ],
)
def test_which_answers_want_a_prack(status: int, headers: dict[str, str], number: int | None) -> None:
    assert reliable_number(Response(status, "", Headers(headers.items()))) == number


@pytest.mark.parametrize(
    ("headers", "required", "supported"),
    [
        ({}, False, False),
        ({"k": "timer, 100rel"}, False, True),
        ({"Supported": ""}, False, False),
        ({"Require": "100Rel"}, True, True),
        ({"Supported": "100relx"}, False, False),
    ],
)
def test_what_an_invite_says_of_an_option(headers: dict[str, str], required: bool, supported: bool) -> None:
    invite = Request("INVITE", "sip:us", Headers(headers.items()))
    assert (requires(invite, "100rel"), supports(invite, "100rel")) == (required, supported)
