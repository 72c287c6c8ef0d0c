"""From a URI to its targets: RFC 3263 section 4, without asking anybody."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from sipserver.locate import MAX_TARGETS, LocateError, Lookup, Pointer, Record, Service, Target, in_order, locate
from sipserver.message import SipUri

Zone = dict[Lookup, Sequence[Record]]
EVERYTHING = ("udp", "tcp", "tls")


def targets_of(uri: str, zone: Zone | None = None, asked: list[Lookup] | None = None, spoken=EVERYTHING):  # type: ignore[no-untyped-def]
    location = locate(SipUri.parse(uri), spoken, Random(1).random)
    try:
        lookup = next(location)
        while True:
            if asked is not None:
                asked.append(lookup)
            lookup = location.send((zone or {}).get(lookup, ()))
    except StopIteration as done:
        return done.value


def srv(name: str) -> Lookup:
    return Lookup(name, "srv")


A = {Lookup("a.example"): ["192.0.2.1"], Lookup("b.example"): ["192.0.2.2", "192.0.2.3"]}


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:192.0.2.1", Target("udp", "192.0.2.1", 5060)),
        ("sip:a@192.0.2.1:5070;transport=tcp", Target("tcp", "192.0.2.1", 5070)),
        ("sip:a@192.0.2.1;transport=UDP", Target("udp", "192.0.2.1", 5060)),
        ("sips:192.0.2.1", Target("tls", "192.0.2.1", 5061)),
        ("sips:192.0.2.1;transport=tcp", Target("tls", "192.0.2.1", 5061)),
        ("sip:192.0.2.1;transport=tls", Target("tls", "192.0.2.1", 5061)),
        ("sip:[2001:db8::1]:5080", Target("udp", "2001:db8::1", 5080)),
        ("sip:a@example.com;maddr=192.0.2.7", Target("udp", "192.0.2.7", 5060)),
    ],
)
def test_numeric_hosts_ask_nothing(uri: str, target: Target) -> None:
    asked: list[Lookup] = []
    assert targets_of(uri, {}, asked) == (target,)
    assert asked == []


def test_with_a_port_only_addresses_are_asked_for_and_all_are_targets() -> None:
    asked: list[Lookup] = []
    assert targets_of("sip:a@b.example:5062", A, asked) == (
        Target("udp", "192.0.2.2", 5062),
        Target("udp", "192.0.2.3", 5062),
    )
    assert asked == [Lookup("b.example")]


def test_a_given_transport_asks_for_its_service_before_the_address() -> None:
    asked: list[Lookup] = []
    zone: Zone = {
        **A,
        srv("_sip._tcp.example.com"): [Service(20, 0, 5062, "b.example."), Service(10, 0, 5061, "a.example.")],
        Lookup("example.com"): ["192.0.2.99"],
    }
    assert targets_of("sip:example.com;transport=tcp", zone, asked) == (
        Target("tcp", "192.0.2.1", 5061),
        Target("tcp", "192.0.2.2", 5062),
        Target("tcp", "192.0.2.3", 5062),
    )
    assert asked[0] == srv("_sip._tcp.example.com")
    assert Lookup("example.com", "naptr") not in asked


def test_naptr_chooses_the_transport_among_those_that_are_spoken() -> None:
    zone: Zone = {
        **A,
        Lookup("example.com", "naptr"): [
            Pointer(50, 20, "tcp", "_sip._tcp.example.com"),
            Pointer(50, 10, "tls", "_sips._tcp.example.com"),
            Pointer(90, 1, "udp", "_sip._udp.example.com"),
        ],
        srv("_sips._tcp.example.com"): [Service(1, 1, 5061, "a.example")],
        srv("_sip._tcp.example.com"): [Service(1, 1, 5060, "b.example")],
        srv("_sip._udp.example.com"): [Service(1, 1, 5060, "b.example")],
    }
    # The certificate has to be that of the domain, not of the host that SRV led to.
    assert targets_of("sip:example.com", zone) == (Target("tls", "192.0.2.1", 5061, server_name="example.com"),)
    assert {target.transport for target in targets_of("sip:example.com", zone, spoken=("udp", "tcp"))} == {"tcp"}
    assert {target.transport for target in targets_of("sip:example.com", zone, spoken=("udp",))} == {"udp"}


def test_without_naptr_the_services_are_asked_for_one_after_the_other_and_then_the_address() -> None:
    asked: list[Lookup] = []
    assert targets_of("sip:a.example", A, asked) == (Target("udp", "192.0.2.1", 5060),)
    assert asked == [
        Lookup("a.example", "naptr"),
        srv("_sip._udp.a.example"),
        srv("_sip._tcp.a.example"),
        srv("_sips._tcp.a.example"),
        Lookup("a.example"),
    ]
    assert targets_of("sips:a.example", A) == (Target("tls", "192.0.2.1", 5061, server_name="a.example"),)


def test_a_service_that_is_declared_absent_is_no_target() -> None:
    zone: Zone = {**A, srv("_sip._udp.a.example"): [Service(0, 0, 0, ".")], Lookup(""): ["192.0.2.66"]}
    assert targets_of("sip:a.example;transport=udp", zone) == (Target("udp", "192.0.2.1", 5060),)


def test_targets_are_bounded() -> None:
    many = [Service(at, 0, 5060, "b.example") for at in range(50)]
    asked: list[Lookup] = []
    found = targets_of("sip:example.com;transport=udp", {**A, srv("_sip._udp.example.com"): many}, asked)
    assert len(found) == MAX_TARGETS
    assert len(asked) == 1 + MAX_TARGETS / 2


def test_weights_are_chances_within_a_priority() -> None:
    """RFC 2782: 3 of 4 times the heavier one comes first; another priority never does."""
    heavy, light, last = Service(1, 30, 1, "heavy"), Service(1, 10, 1, "light"), Service(2, 1000, 1, "last")
    random = Random(7).random
    orders = [in_order([last, light, heavy], random) for _ in range(4000)]
    assert all(order[2] is last for order in orders)
    assert 2850 < sum(order[0] is heavy for order in orders) < 3150


def test_records_of_weight_zero_are_all_there() -> None:
    zeros = [Service(1, 0, port, "a") for port in range(5)]
    assert set(in_order(zeros, Random(1).random)) == set(zeros)


@pytest.mark.parametrize("uri", ["sip:nowhere.example", "sip:nowhere.example:5070", "sips:nowhere.example"])
def test_there_may_be_no_way(uri: str) -> None:
    with pytest.raises(LocateError, match=r"nowhere\.example has no address"):
        targets_of(uri)


@pytest.mark.parametrize("uri", ["sip:192.0.2.1;transport=sctp", "sips:192.0.2.1;transport=udp"])
def test_some_transports_are_not_spoken(uri: str) -> None:
    with pytest.raises(LocateError, match=r"sctp|udp"):
        targets_of(uri)
