"""SIP URIs: parts, the comparison table of RFC 3261 section 19.1.4, and whom a URI names."""

from __future__ import annotations

import pytest

from sipserver.message import NO_PARAMS, MessageError, SipUri, escape_user, scheme_of, user_of


def test_every_part_is_read_and_written_as_it_was() -> None:
    text = "sips:alice:pa%20ss@[2001:db8::1]:5061;transport=tcp;lr;X=%41?Subject=a%20b&Priority=urgent"
    uri = SipUri.parse(text)
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sips",
        "alice",
        "pa%20ss",
        "[2001:db8::1]",
        5061,
    )
    assert (uri.params.get("transport"), uri.params.get("x"), "lr" in uri.params) == ("tcp", "%41", True)
    assert uri.headers == (("Subject", "a%20b"), ("Priority", "urgent"))
    assert str(uri) == text


@pytest.mark.parametrize(
    ("text", "user", "host"),
    [
        ("sip:example.com", None, "example.com"),
        ("SIP:Bob@Biloxi.Com", "Bob", "biloxi.com"),
        ("sip:sips%3Auser%40example.com@example.net", "sips%3Auser%40example.com", "example.net"),
        ("sip:user;par=u%40example.net@example.com", "user;par=u%40example.net", "example.com"),
        ("sip:+1-201-555-0123@host_name:5070", "+1-201-555-0123", "host_name"),
        ("sip:1_odd~(to-be!)&isn't+it$/crazy?,/;;*@example.com", "1_odd~(to-be!)&isn't+it$/crazy?,/;;*", "example.com"),
    ],
)
def test_users_may_hold_almost_anything(text: str, user: str | None, host: str) -> None:
    uri = SipUri.parse(text)
    assert (uri.user, uri.host) == (user, host)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@host",
        "sip:user@",
        "bob@host",
        "tel:+1201",
        "sip:a@b:65536",
        "sip:a@b:",
        "sip:a@b:x",
        "sip:a@b;;lr",
        "sip:a@b;=x",
        "sip:a@b?x",
        "sip:a b@c",
        "sip:a@b>",
        "sip:a@[::1",
        "sip:a@b\r\nVia",
    ],
)
def test_what_is_no_sip_uri_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        SipUri.parse(text)


@pytest.mark.parametrize(
    "uri",
    [
        SipUri("sip", "a b", None, "host"),
        SipUri("sip", "a@b", None, "host"),
        SipUri("sip", None, None, ""),
        SipUri("sip", None, None, "host\r\n"),
        SipUri("sip", "a", None, "host", params=NO_PARAMS.with_value("x", "a>b")),
    ],
)
def test_what_is_no_sip_uri_is_not_written(uri: SipUri) -> None:
    with pytest.raises(MessageError):
        str(uri)


@pytest.mark.parametrize(
    ("text", "loose"), [("sip:p;lr", True), ("sip:p;lr=on", True), ("sip:p;LR=true", True), ("sip:p;lrx", False)]
)
def test_lr_is_seen_with_any_value(text: str, loose: bool) -> None:
    assert SipUri.parse(text).is_loose_router is loose


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ],
)
def test_uris_that_are_equivalent(left: str, right: str) -> None:
    assert SipUri.parse(left).equivalent(SipUri.parse(right))
    assert SipUri.parse(right).equivalent(SipUri.parse(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com:6000;transport=tcp", "sip:bob@biloxi.com"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:a@b", "sips:a@b"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a%40b@c", "sip:a%3Bb@c"),
        ("sip:a@b;maddr=1.2.3.4", "sip:a@b"),
        ("sip:a:x@b", "sip:a:y@b"),
    ],
)
def test_uris_that_are_not(left: str, right: str) -> None:
    assert not SipUri.parse(left).equivalent(SipUri.parse(right))
    assert not SipUri.parse(right).equivalent(SipUri.parse(left))


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("sip:+12025550123@trunk.example.net;user=phone", "+12025550123"),
        ("sip:+1-202-555.0123;phone-context=x@trunk.example.net", "+12025550123"),
        ("sip:2025550123;npdi@trunk.example.net", "2025550123"),
        ("tel:+1(202)555-0123;ext=4", "+12025550123"),
        ("tel:*70#", "*70#"),
        ("sip:al%20ice@example.com", "al ice"),
        ("sip:alice-b.c@example.com", "alice-b.c"),
        ("sip:a.b@example.com", "a.b"),
        ("sip:...@example.com", "..."),
        ("sip:example.com", None),
    ],
)
def test_whom_a_uri_names(text: str, user: str | None) -> None:
    assert user_of(text) == user


@pytest.mark.parametrize("text", ["http://example.com", "alice", "sip:", ""])
def test_what_names_nobody_is_an_error(text: str) -> None:
    with pytest.raises(MessageError):
        user_of(text)


def test_schemes_are_lower_case() -> None:
    assert scheme_of("TEL:+1") == "tel"
    assert scheme_of("soap.beep://192.0.2.103:3002") == "soap.beep"


@pytest.mark.parametrize("text", ["+12025550123", "a b", "a@b", "a>;tag=1", "ä\r\nVia: x", "%41", "*70#"])
def test_any_text_can_be_a_user(text: str) -> None:
    uri = SipUri("sip", escape_user(text), None, "example.com")
    assert user_of(str(uri)) == text
