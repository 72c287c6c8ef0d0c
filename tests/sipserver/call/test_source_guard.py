"""Who may speak to us, and how a flood is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.guard import Buckets, Refill, SourceGuard
from sipserver.legs import Source
from sipserver.message import Headers, Request
from tests.sipserver.call.fakes import TRUNK, TRUNK_HOST, FakeDirectory


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_guard(clock: Clock, buckets: Buckets | None = None) -> SourceGuard:
    return SourceGuard(FakeDirectory({TRUNK_HOST: (TRUNK,)}), clock, buckets)


def request(method: str, tag: str = "") -> Request:
    return Request(method, "sip:us@192.0.2.1", Headers([("To", f"<sip:us@192.0.2.1>{tag}")]))


def from_(host: str) -> Source:
    return Source("udp", host, 5060)


METHODS = ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "SUBSCRIBE", "MESSAGE", "REFER", "UPDATE", "NONSENSE"]


@pytest.mark.parametrize("method", [*METHODS, "ACK"])
def test_a_known_source_comes_in_however_often(method: str) -> None:
    guard = a_guard(Clock())
    assert {guard.admit(request(method), from_(TRUNK_HOST)) for _ in range(1000)} == {None}


@pytest.mark.parametrize("tag", ["", ";tag=guessed"])
@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_source_learns_nothing(method: str, tag: str) -> None:
    assert a_guard(Clock()).admit(request(method, tag), from_("203.0.113.9")) == 403


def test_an_ack_has_no_answer_and_costs_no_token() -> None:
    guard = a_guard(Clock())
    assert {guard.admit(request("ACK"), from_("203.0.113.9")) for _ in range(100)} == {0}
    assert guard.admit(request("INVITE"), from_("203.0.113.9")) == 403


def test_a_flood_from_one_address_is_dropped_and_forgiven_later() -> None:
    clock = Clock()
    guard = a_guard(clock)
    answers = [guard.admit(request("INVITE"), from_("203.0.113.9")) for _ in range(15)]
    assert answers == [403] * 10 + [0] * 5
    clock.now += 2
    answers = [guard.admit(request("INVITE"), from_("203.0.113.9")) for _ in range(3)]
    assert answers == [403, 403, 0]
    assert guard.admit(request("INVITE"), from_("203.0.113.10")) == 403


def test_forged_addresses_share_the_common_bucket() -> None:
    clock = Clock()
    guard = a_guard(clock)
    answers = [guard.admit(request("OPTIONS"), from_(f"203.0.{i // 250}.{i % 250}")) for i in range(1000)]
    assert answers == [403] * 200 + [0] * 800
    clock.now += 1
    assert sum(guard.admit(request("OPTIONS"), from_(f"198.18.0.{i}")) == 403 for i in range(100)) == 50


def test_the_table_is_bounded() -> None:
    buckets = Buckets(Refill(1, 10), Refill(50, 200), size=64)
    for i in range(10_000):
        buckets.take(f"host-{i}", 100.0)
    assert len(buckets) == 64


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 3)), max_size=200))
def test_nobody_gets_more_than_the_rate(steps: list[tuple[float, int]]) -> None:
    """Over any time, an address is granted at most its burst and what flowed back meanwhile."""
    buckets = Buckets(each=Refill(rate=2, burst=5), together=Refill(rate=1e9, burst=1e9))
    now, granted = 0.0, [0] * 4
    for wait, host in steps:
        now += wait
        granted[host] += buckets.take(str(host), now)
        assert granted[host] <= 5 + 2 * now + 1e-6
