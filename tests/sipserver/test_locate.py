"""From a URI to a target: RFC 3263 section 4 as far as addresses, without asking anybody."""

from __future__ import annotations

import pytest

from sipserver.locate import LocateError, Lookup, Target, locate
from sipserver.message import SipUri


def target_of(uri: str, *answers: list[str]) -> Target:
    location = locate(SipUri.parse(uri))
    steps = iter(answers)
    try:
        next(location)
        while True:
            location.send(next(steps))
    except StopIteration as done:
        target: Target = done.value
        return target


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:192.0.2.1", Target("udp", "192.0.2.1", 5060)),
        ("sip:a@192.0.2.1:5070;transport=tcp", Target("tcp", "192.0.2.1", 5070)),
        ("sip:a@192.0.2.1;transport=UDP", Target("udp", "192.0.2.1", 5060)),
        ("sips:192.0.2.1", Target("tls", "192.0.2.1", 5061)),
        ("sip:192.0.2.1;transport=tls", Target("tls", "192.0.2.1", 5061)),
        ("sip:[2001:db8::1]:5080", Target("udp", "2001:db8::1", 5080)),
        ("sip:a@example.com;maddr=192.0.2.7", Target("udp", "192.0.2.7", 5060)),
    ],
)
def test_numeric_hosts_ask_nothing(uri: str, target: Target) -> None:
    assert target_of(uri) == target


def test_a_name_asks_for_its_addresses_and_takes_the_first() -> None:
    location = locate(SipUri.parse("sip:a@sip.example.com:5062"))
    assert next(location) == Lookup("sip.example.com")
    assert target_of("sip:a@sip.example.com:5062", ["192.0.2.1", "192.0.2.2"]) == Target("udp", "192.0.2.1", 5062)


def test_there_may_be_no_way() -> None:
    with pytest.raises(LocateError, match=r"nowhere\.example has no address"):
        target_of("sip:nowhere.example", [])
    with pytest.raises(LocateError, match="sctp"):
        target_of("sip:192.0.2.1;transport=sctp")
