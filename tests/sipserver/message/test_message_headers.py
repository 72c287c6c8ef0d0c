"""Headers: names, lists, changes, and no way to smuggle a line."""

from __future__ import annotations

import pytest

from sipserver.message import Headers, MessageError, Request, Response, parse


def test_names_ignore_case_and_know_the_compact_forms() -> None:
    headers = Headers([("v", "SIP/2.0/UDP a"), ("X-Account", "1"), ("CALL-ID", "c")])
    assert headers.get("Via") == "SIP/2.0/UDP a"
    assert headers.get("x-account") == "1"
    assert headers.get("I") == "c"
    assert "via" in headers
    assert "Contact" not in headers
    assert headers.get("Contact") is None
    assert headers.items() == [("v", "SIP/2.0/UDP a"), ("X-Account", "1"), ("CALL-ID", "c")]


def test_comma_lists_are_split_but_not_in_quotes_or_brackets() -> None:
    headers = Headers([("Contact", '"Doe, Joe" <sip:a,b@c>;q=1 , <sip:d@e>'), ("m", "*")])
    assert headers.all("Contact") == ['"Doe, Joe" <sip:a,b@c>;q=1', "<sip:d@e>", "*"]
    assert headers.get("Contact") == '"Doe, Joe" <sip:a,b@c>;q=1 , <sip:d@e>'
    assert Headers([("Allow", "INVITE, ACK,BYE"), ("Allow", "")]).all("allow") == ["INVITE", "ACK", "BYE"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", 'Digest username="a", realm="b"'),
        ("WWW-Authenticate", 'Digest realm="b", qop="auth,auth-int"'),
        ("Date", "Sat, 13 Nov 2010 23:29:00 GMT"),
        ("Subject", "one, two"),
        ("X-Unknown", ";;,,;;,;"),
    ],
)
def test_other_headers_are_opaque_lines(name: str, value: str) -> None:
    assert Headers([(name, value), (name, value)]).all(name) == [value, value]


def test_a_quote_without_its_end_takes_the_rest() -> None:
    assert Headers([("Contact", '<sip:a@b>, "x <sip:c@d>, <sip:e@f>')]).all("Contact") == [
        "<sip:a@b>",
        '"x <sip:c@d>, <sip:e@f>',
    ]


def test_setting_keeps_the_place_and_removing_takes_all() -> None:
    headers = Headers([("Via", "a"), ("To", "x"), ("Via", "b")])
    headers.set("v", "c")
    assert headers.items() == [("v", "c"), ("To", "x")]
    headers.insert("Via", "d")
    headers.add("Via", "e")
    assert headers.all("via") == ["d", "c", "e"]
    assert headers.items()[0] == ("Via", "d")
    headers.insert("Route", "<sip:p;lr>")
    assert headers.items()[0] == ("Route", "<sip:p;lr>")
    headers.remove("Via")
    headers.remove("Via")
    assert headers.items() == [("Route", "<sip:p;lr>"), ("To", "x")]
    assert headers.all("Via") == []


def test_a_copy_is_independent() -> None:
    headers = Headers([("To", "x")])
    copy = headers.copy()
    copy.set("To", "y")
    copy.add("Via", "a")
    assert headers.items() == [("To", "x")]


def test_a_typed_view_follows_its_header() -> None:
    request = Request("BYE", "sip:a@b", Headers([("To", "<sip:a@b>"), ("CSeq", "1 BYE")]))
    assert (request.to.tag, request.cseq.number) == (None, 1)
    request.headers.set("To", "<sip:a@b>;tag=1")
    request.headers.set("CSeq", "2 BYE")
    assert (request.to.tag, request.cseq.number) == ("1", 2)


@pytest.mark.parametrize("value", ["a\r\nVia: b", "a\nb", "a\rb"])
def test_a_line_break_in_a_value_is_refused(value: str) -> None:
    headers = Headers([("To", "x")])
    for change in (headers.add, headers.set, headers.insert):
        with pytest.raises(MessageError):
            change("To", value)
    assert headers.items() == [("To", "x")]


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\nB", "Ä"])
def test_a_name_must_be_a_token(name: str) -> None:
    with pytest.raises(MessageError):
        Headers().add(name, "x")


@pytest.mark.parametrize(
    "message",
    [
        Request("INVITE", "sip:a@b\r\nVia: x"),
        Request("INVITE", "sip:a@b SIP/2.0"),
        Request("IN VITE", "sip:a@b"),
        Request("INVITE", ""),
        Response(200, "OK\r\nVia: x"),
        Response(99, "Low"),
        Response(700, "High"),
    ],
)
def test_a_start_line_cannot_be_broken_out_of(message: Request | Response) -> None:
    with pytest.raises(MessageError):
        bytes(message)


def test_content_length_is_always_that_of_the_body() -> None:
    request = Request("INFO", "sip:a@b", Headers([("l", "99"), ("Content-Length", "7"), ("To", "<sip:a@b>")]), b"four")
    assert bytes(request).count(b"ength: ") == 1
    assert bytes(request).endswith(b"Content-Length: 4\r\n\r\nfour")
    assert parse(bytes(request)) == request


def test_headers_differ_by_value_and_order() -> None:
    assert Headers([("v", "a")]) == Headers([("Via", "a")])
    assert Headers([("Via", "a")]) != Headers([("Via", "b")])
    assert Headers([("Via", "a"), ("To", "b")]) != Headers([("To", "b"), ("Via", "a")])


def test_every_typed_view_follows_every_kind_of_change() -> None:
    message = parse(b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nContact: <sip:a@b>\r\nFrom: <sip:x@y>;tag=1\r\n\r\n")
    assert (len(message.vias), message.via.host, len(message.contacts)) == (1, "a", 1)
    message.headers.insert("v", "SIP/2.0/UDP b")
    assert ([via.host for via in message.vias], message.via.host) == (["b", "a"], "b")
    message.headers.replace("Via", ["SIP/2.0/UDP c", "SIP/2.0/UDP d"])
    assert ([via.host for via in message.vias], message.via.host) == (["c", "d"], "c")
    message.headers.add("m", "<sip:c@d>")
    assert len(message.contacts) == 2
    message.headers.remove("Contact")
    assert message.contacts == []
    assert message.from_.tag == "1"
    message.headers.remove("From")
    with pytest.raises(MessageError):
        _ = message.from_
