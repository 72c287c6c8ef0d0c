"""Via, CSeq, addresses and parameters."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from functools import partial

import pytest

from sipserver.message import NO_PARAMS, CSeq, MessageError, NameAddr, Params, SipUri, Via
from sipserver.message.grammar import split_list


def test_a_via_is_read() -> None:
    via = Via.parse("SIP/2.0/udp 192.0.2.1:5070;branch=z9hG4bKx;rport;received=192.0.2.9")
    assert (via.transport, via.host, via.port) == ("UDP", "192.0.2.1", 5070)
    assert (via.branch, via.received, via.rport, "rport" in via.params) == ("z9hG4bKx", "192.0.2.9", None, True)
    assert str(via) == "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx;rport;received=192.0.2.9"
    assert Via.parse("SIP / 2.0 / TLS  [2001:db8::1] : 5061 ; rport = 40000").rport == 40000
    assert Via.parse("SIP/2.0/UDP a;rport=x").rport is None


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        (";branch=z9hG4bKa", "z9hG4bKa"),
        (";branch=Z9HG4BKa", "Z9HG4BKa"),
        (";branch=z9hG4bK", None),
        (";branch=390", None),
        ("", None),
    ],
)
def test_only_a_cookie_and_more_identifies_a_transaction(branch: str, expected: str | None) -> None:
    assert Via.parse(f"SIP/2.0/UDP a{branch}").transaction_branch == expected


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "UDP a", "SIP/2.0/UDP a;;b", "SIP/2.0/UDP a b", "SIP/2.0/UDP a:x", "SIP/2.0/UDP ,"]
)
def test_what_is_no_via_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        Via.parse(text)


@pytest.mark.parametrize(
    "via", [Via("UDP\r\nX:", "a"), Via("UDP", "a b"), Via("UDP", "a", params=Params((("x", "a\r\nb"),)))]
)
def test_what_is_no_via_is_not_written(via: Via) -> None:
    with pytest.raises(MessageError):
        str(via)


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ('"A. \\"B\\" C" <sip:a@b;lr>;tag=1', 'A. "B" C', "sip:a@b;lr", "1"),
        ("A. Bell <sip:a@b>;x=y;TAG=2", "A. Bell", "sip:a@b", "2"),
        ("caller<sip:a@b>", "caller", "sip:a@b", None),
        ("<sip:a@b> ; tag = 3", None, "sip:a@b", "3"),
        ("sip:a@b;tag=4", None, "sip:a@b", "4"),
        ("Müller <sip:a@b>;tag=5;", "Müller", "sip:a@b", "5"),
        ('"" <tel:+1>', "", "tel:+1", None),
        ("*", None, "*", None),
        ('"<sip:x@y>" <sip:a@b>', "<sip:x@y>", "sip:a@b", None),
    ],
)
def test_an_address_is_read(text: str, display: str | None, uri: str, tag: str | None) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)
    again = NameAddr.parse(str(address))
    assert (again.display, again.uri, again.tag) == (display, uri, tag)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b",
        "<a@b>",
        "< sip:a@b >",
        "<sip:a@b",
        "sip:a@b?Route=x",
        "sip:a,b@c",
        "sip:a b@c",
        '"x <sip:a@b>',
        "Doe, Joe <sip:a@b>",
        "<sip:a@b> x",
        "<sip:a@b>;;",
        '<sip:a@b>;x="y',
        "<sip:a@b>;tag=a b",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        NameAddr.parse(text)


@pytest.mark.parametrize("uri", ["sip:a@b>;tag=1", "sip:a@b\r\nX: y", "", "sip:a b"])
def test_a_uri_cannot_break_out_of_its_brackets(uri: str) -> None:
    with pytest.raises(MessageError):
        str(NameAddr(None, uri))


def test_a_display_name_cannot_break_out_of_its_quotes() -> None:
    assert str(NameAddr('a" <sip:evil@x>\\', "sip:a@b")) == '"a\\" <sip:evil@x>\\\\" <sip:a@b>'
    with pytest.raises(MessageError):
        str(NameAddr("a\r\nVia: x", "sip:a@b"))


def test_a_tag_is_set_or_replaced() -> None:
    assert str(NameAddr(None, "sip:a@b").with_tag("1")) == "<sip:a@b>;tag=1"
    assert str(NameAddr.parse("<sip:a@b>;Tag=1;x").with_tag("2")) == "<sip:a@b>;Tag=2;x"


def test_parameters_keep_their_order_and_their_spelling() -> None:
    params = Params.parse(';A=1 ; b ;c="x;\\"y" ;d=')
    assert (params.get("a"), params.get("b"), params.get("c"), params.get("d")) == ("1", None, 'x;"y', "")
    assert list(params) == ["a", "b", "c", "d"]
    assert ("b" in params, "e" in params, bool(params), bool(NO_PARAMS)) == (True, False, True, False)
    assert str(params) == ';A=1;b;c="x;\\"y";d='
    assert str(params.without("a").with_value("b", "2").with_value("e", "a b")) == ';b=2;c="x;\\"y";d=;e="a b"'


@pytest.mark.parametrize(
    "params", [Params((("a b", None),)), Params((("", "x"),)), Params((("a", "b;c"),)), Params((("a", '"b'),))]
)
def test_a_parameter_cannot_break_out(params: Params) -> None:
    with pytest.raises(MessageError):
        str(params)


@pytest.mark.parametrize(("text", "number"), [("0009  INVITE", 9), ("4294967295 INVITE", 4294967295), ("1\tINVITE", 1)])
def test_a_cseq_is_read(text: str, number: int) -> None:
    assert CSeq.parse(text) == CSeq(number, "INVITE")


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "4294967296 INVITE", "-1 INVITE", "1 IN VITE", "٣ INVITE", "9" * 5000 + " INVITE"]
)
def test_what_is_no_cseq_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        CSeq.parse(text)


def test_a_cseq_is_written() -> None:
    assert str(CSeq(7, "BYE")) == "7 BYE"
    for cseq in (CSeq(2**32, "BYE"), CSeq(-1, "BYE"), CSeq(1, "B\r\nYE")):
        with pytest.raises(MessageError):
            str(cseq)


def test_parameters_without_end_are_refused() -> None:
    assert len(list(Params.parse(";a=1" * 64))) == 64
    with pytest.raises(MessageError):
        Params.parse(";a=1" * 65)


@pytest.mark.parametrize("piece", ["<", '"', '\\"', ";", "; ", " ", ";a", ";a=", '"a" <', ",", ":", "@", "a", "%"])
@pytest.mark.parametrize("parser", [NameAddr.parse, Via.parse, CSeq.parse, Params.parse, SipUri.parse, split_list])
def test_no_text_makes_the_grammar_slow(parser: Callable[[str], object], piece: str) -> None:
    # What is linear takes a few milliseconds for the longest header there may be, what is quadratic hundreds.
    for start in ("", '"', "sip:", "SIP/2.0/UDP a", "<sip:a@b>"):
        text = start + piece * (8000 // len(piece))
        assert min(timeit.repeat(partial(_swallow, parser, text), number=1, repeat=3)) < 0.05


def _swallow(parser: Callable[[str], object], text: str) -> None:
    try:
        parser(text)
    except MessageError:
        return
