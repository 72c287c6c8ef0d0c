"""Our offers in a running call, as descriptions: directions (RFC 3264 section 6.1, RFC 6337 section 5.3), versions, and a withdrawal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.frames import Direction
from sipserver.message import Headers, Response
from sipserver.message.session_expires import SessionExpires, min_se
from sipserver.offer import OfferAnswer


def pair() -> tuple[OfferAnswer, OfferAnswer]:
    """Ours and the peer's, agreed on speaking with each other."""
    ours, theirs = OfferAnswer("192.0.2.1", 20000, 1), OfferAnswer("192.0.2.9", 40000, 2)
    ours.accept_answer(theirs.answer(ours.offer()))
    return ours, theirs


@pytest.mark.parametrize(
    ("offered", "wanted", "answered", "flow"),
    [
        ("sendrecv", "sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "sendonly", "recvonly"),
        ("sendrecv", "recvonly", "recvonly", "sendonly"),
        ("sendrecv", "inactive", "inactive", "inactive"),
        ("sendonly", "sendrecv", "recvonly", "sendonly"),
        ("sendonly", "recvonly", "recvonly", "sendonly"),
        ("sendonly", "sendonly", "inactive", "inactive"),
        ("sendonly", "inactive", "inactive", "inactive"),
        ("recvonly", "sendrecv", "sendonly", "recvonly"),
        ("recvonly", "recvonly", "inactive", "inactive"),
        ("inactive", "sendrecv", "inactive", "inactive"),
    ],
)
def test_what_we_offer_what_the_peer_wants_and_what_flows(offered: str, wanted: str, answered: str, flow: str) -> None:
    ours, theirs = pair()
    answer = theirs.answer(ours.offer(direction=Direction(offered)), Direction(wanted))
    assert f"a={answered}\r\n".encode() in answer
    ours.accept_answer(answer)
    assert ours.negotiated is not None
    assert ours.negotiated.direction is Direction(flow)


def test_a_withdrawn_offer_leaves_what_was_said_before_it_and_its_version_is_not_used_again() -> None:
    ours, theirs = pair()
    before = ours.local
    held = ours.offer(direction=Direction.SENDONLY)
    ours.withdraw()
    assert ours.local == before
    # A session refresh repeats the description, and its answer is read against it.
    ours.accept_answer(theirs.answer(before or b""))
    assert ours.negotiated is not None
    assert ours.negotiated.direction is Direction.SENDRECV
    assert version(before or b"") < version(held) < version(ours.offer(direction=Direction.INACTIVE))


def test_a_withdrawal_after_the_peers_own_offer_leaves_our_answer_to_that() -> None:
    ours, theirs = pair()
    ours.offer(direction=Direction.SENDONLY)
    answer = ours.answer(theirs.offer(direction=Direction.SENDONLY))
    ours.withdraw()
    assert ours.local == answer


def version(description: bytes) -> int:
    return int(description.split(b"o=- ")[1].split()[1])


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_whatever_session_expires_says_it_is_an_interval_or_none(text: str) -> None:
    message = Response(200, "OK", Headers([("Session-Expires", text), ("Min-SE", text)]))
    asked = SessionExpires.of(message)
    assert asked is None or 0 <= asked.seconds < 10**10
    assert min_se(message) >= 90


@given(st.integers(0, 10**10 - 1), st.sampled_from([None, "uac", "uas"]))
def test_an_interval_is_read_as_it_was_written(seconds: int, refresher: str | None) -> None:
    expires = SessionExpires(seconds, refresher)  # type: ignore[arg-type]
    assert SessionExpires.of(Response(200, "OK", Headers([("x", f" {expires} ; foo=bar")]))) == expires
