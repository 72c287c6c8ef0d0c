"""Who may speak to us, and how a flood is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.guard import Buckets, Policy, Refill, SourceGuard
from sipserver.legs import Source
from sipserver.message import Headers, Request
from tests.sipserver.call.fakes import TRUNK, TRUNK_HOST, FakeDirectory

OPTIONS = b"OPTIONS sip:us@192.0.2.1 SIP/2.0\r\nUser-Agent: PBX\r\n\r\n"
USUAL = Policy()
NO_BANS = Policy(ban_seconds=0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_guard(clock: Clock, policy: Policy = USUAL) -> SourceGuard:
    return SourceGuard(FakeDirectory({TRUNK_HOST: (TRUNK,)}), clock, policy)


def hears(guard: SourceGuard, host: str, data: bytes = OPTIONS) -> bool:
    return guard.hears(data, from_(host))


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


def test_an_ack_has_no_answer() -> None:
    assert a_guard(Clock()).admit(request("ACK"), from_("203.0.113.9")) == 0


def test_a_flood_from_one_address_is_dropped_and_forgiven_later() -> None:
    clock = Clock()
    guard = a_guard(clock, NO_BANS)
    assert [hears(guard, "203.0.113.9") for _ in range(15)] == [True] * 10 + [False] * 5
    clock.now += 2
    assert [hears(guard, "203.0.113.9") for _ in range(3)] == [True, True, False]
    assert hears(guard, "203.0.113.10")


def test_a_neighbourhood_shares_a_bucket() -> None:
    guard = a_guard(Clock(), NO_BANS)
    assert sum(hears(guard, f"203.0.113.{i}") for i in range(256)) == 100
    assert sum(hears(guard, f"2001:db8:0:{i:x}::1") for i in range(256)) == 100, "a /56"
    assert sum(hears(guard, f"2001:db8:7::{i:x}") for i in range(256)) == 10, "a /64 is one address"


def test_forged_addresses_share_the_common_bucket() -> None:
    clock = Clock()
    guard = a_guard(clock)
    assert sum(hears(guard, f"{i % 200}.{i // 200}.7.9") for i in range(2000)) == 500
    clock.now += 1
    assert sum(hears(guard, f"198.{i}.0.1") for i in range(100)) == 50
    assert guard.bans() == (), "one message of too many is nobody's fault"


def test_a_flood_of_forged_addresses_is_cheap_and_forgotten() -> None:
    """100,000 messages in ten seconds of simulated time: few are read, and what is remembered has a bound."""
    clock = Clock()
    guard = a_guard(clock)
    heard = 0
    for i in range(100_000):
        clock.now += 0.0001
        heard += hears(guard, f"{i % 223}.{i // 223 % 256}.{i % 251}.{i // 100}")
    assert 990 <= heard <= 1001
    assert guard.counters["limited"] == 100_000 - heard
    assert len(guard.bans()) <= 10_000
    assert hears(guard, TRUNK_HOST), "the trunks do not notice"


def test_a_scanner_is_banned_at_once_and_listened_to_again_later() -> None:
    clock = Clock()
    guard = a_guard(clock)
    assert not hears(guard, "203.0.113.9", OPTIONS.replace(b"PBX", b"friendly-scanner"))
    assert [(ban.address, ban.why) for ban in guard.bans()] == [("203.0.113.9", "scanner")]
    assert not hears(guard, "203.0.113.9")
    clock.now += 3600
    assert guard.bans() == ()
    assert hears(guard, "203.0.113.9")


@pytest.mark.parametrize(
    "agent", [b"sipvicious", b"sipcli/v1.8", b"pplsip", b"VaxSIPUserAgent/3.1", b"Friendly-Scanner"]
)
def test_scanners_are_known_by_their_names(agent: bytes) -> None:
    guard = a_guard(Clock())
    assert not hears(guard, "203.0.113.9", OPTIONS.replace(b"PBX", agent))
    assert hears(guard, "203.0.113.10", OPTIONS.replace(b"\r\n\r\n", b"\r\n\r\n" + agent)), "bodies say nothing"


def test_who_is_refused_too_often_is_banned() -> None:
    guard = a_guard(Clock(), Policy(stranger=1000, strikes=20))
    for _ in range(20):
        assert hears(guard, "203.0.113.9")
        assert guard.admit(request("REGISTER"), from_("203.0.113.9")) == 403
    assert not hears(guard, "203.0.113.9")
    assert guard.bans()[0].why == "refused"
    assert guard.lift("203.0.113.9")
    assert hears(guard, "203.0.113.9")


def test_rubbish_and_floods_are_strikes_and_old_ones_are_forgotten() -> None:
    clock = Clock()
    guard = a_guard(clock, Policy(strikes=3))
    for _ in range(5):
        hears(guard, "203.0.113.9", b"GET / HTTP/1.0\r\n\r\n")
        clock.now += 31
    assert guard.bans() == ()
    for _ in range(3):
        hears(guard, "203.0.113.9", b"\x16\x03\x01")
    assert guard.bans()[0].why == "malformed"
    for _ in range(13):
        hears(guard, "203.0.113.77")
    assert guard.bans()[1].why == "flood"


def test_known_sources_are_never_banned_and_a_ban_ends_when_a_trunk_is_made() -> None:
    clock, directory = Clock(), FakeDirectory({TRUNK_HOST: (TRUNK,)})
    guard = SourceGuard(directory, clock, Policy(trunk=100, strikes=1))
    scanner = OPTIONS.replace(b"PBX", b"sipvicious")
    assert [hears(guard, TRUNK_HOST, scanner) for _ in range(201)] == [True] * 200 + [False]
    clock.now += 1
    assert hears(guard, TRUNK_HOST, b"rubbish")
    assert not hears(guard, "203.0.113.9", scanner)
    directory.trunks["203.0.113.9"] = (TRUNK,)
    assert hears(guard, "203.0.113.9")


def test_whom_we_ask_may_answer() -> None:
    """A provider's registrar may be another machine than any that the trunk names."""
    clock = Clock()
    guard = a_guard(clock, Policy(strikes=1))
    guard.met("203.0.113.9")
    assert all(hears(guard, "203.0.113.9") for _ in range(100))
    assert guard.admit(request("INVITE"), from_("203.0.113.9")) == 403, "but may not call"
    clock.now += 3601
    assert sum(hears(guard, "203.0.113.9") for _ in range(100)) == 10


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
