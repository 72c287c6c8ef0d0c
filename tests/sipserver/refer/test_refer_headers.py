"""Refer-To, Replaces, Subscription-State and status fragments: what is written is read, and nothing that is read raises otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.message import Headers, MessageError, Request
from sipserver.referto import ReferTo, referred_by_of
from sipserver.replaces import Replaces, replaces_of
from sipserver.sipfrag import StatusFragment
from sipserver.subscription import Event, SubscriptionState

TOKENS = st.from_regex(r"[A-Za-z0-9.!%*_+`'~-]{1,20}", fullmatch=True)
CALL_IDS = st.from_regex(r"[A-Za-z0-9.@!%*_+`'~()<>:\\\"/\[\]?{}-]{1,40}", fullmatch=True)
NAMES = st.builds(Replaces, CALL_IDS, TOKENS, TOKENS, st.booleans())
TEXTS = st.text(max_size=60).filter(lambda text: "\r" not in text and "\n" not in text)


def of(name: str, value: str) -> Request:
    return Request("NOTIFY", "sip:a@b", Headers([(name, value)]))


@given(NAMES)
def test_replaces_round_trip(replaces: Replaces) -> None:
    assert Replaces.parse(str(replaces)) == replaces
    refer_to = ReferTo("sip:agent@192.0.2.1:5070;transport=tcp", replaces)
    assert ReferTo.of(of("Refer-To", str(refer_to))) == refer_to


@given(st.integers(100, 699), TEXTS)
def test_status_fragment_round_trip(status: int, reason: str) -> None:
    fragment = StatusFragment.parse(bytes(StatusFragment(status, reason)))
    assert fragment.status == status
    assert fragment.reason == reason.strip() or not reason.strip()


@given(st.sampled_from(["active", "pending", "terminated"]), st.none() | TOKENS, st.none() | st.integers(0, 10**9))
def test_subscription_state_round_trip(state: str, reason: str | None, expires: int | None) -> None:
    written = SubscriptionState(state, None if reason is None else reason.lower(), expires)
    assert SubscriptionState.of(of("Subscription-State", str(written))) == written


READERS: dict[str, Callable[[Request], object]] = {
    "Refer-To": ReferTo.of,
    "Referred-By": referred_by_of,
    "Replaces": replaces_of,
    "Event": Event.of,
    "Subscription-State": SubscriptionState.of,
}


@given(TEXTS, st.binary(max_size=80), st.sampled_from(sorted(READERS)))
def test_whatever_comes_is_read_or_refused_with_a_final_status(text: str, body: bytes, name: str) -> None:
    for value in (text, f"<sip:a@b?Replaces={text}>", f"x;{text}"):
        assert refusal(partial(READERS[name], of(name, value))) in (None, 400, 403, 416)
    assert refusal(lambda: StatusFragment.parse(body)) in (None, 400)


def refusal(deed: Callable[[], object]) -> int | None:
    """The status of the MessageError, if there is one; nothing else may be raised."""
    try:
        deed()
    except MessageError as error:
        return error.status
    return None


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"SIP/2.0 200 OK", 200, "OK"),
        (b"SIP/2.0 200\r\n", 200, "OK"),
        (b"sip/2.0 486  Busy here \n", 486, "Busy here"),
        (b"SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP h\r\n\r\n", 100, "Trying"),
    ],
)
def test_fragments_as_peers_write_them(body: bytes, status: int, reason: str) -> None:
    assert StatusFragment.parse(body) == StatusFragment(status, reason)


@pytest.mark.parametrize(
    "body", [b"", b"200 OK", b"SIP/2.0 99 X", b"SIP/2.0 700 X", b"SIP/2.02 200 OK", b"\r\nSIP/2.0 200 OK"]
)
def test_what_is_no_fragment(body: bytes) -> None:
    with pytest.raises(MessageError):
        StatusFragment.parse(body)


@pytest.mark.parametrize("fragment", [StatusFragment(99, "x"), StatusFragment(700, "x"), StatusFragment(200, "a\r\nb")])
def test_what_cannot_be_a_fragment(fragment: StatusFragment) -> None:
    with pytest.raises(MessageError):
        bytes(fragment)
