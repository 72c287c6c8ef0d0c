"""Networks on the wire of a bench: what is drawn is what arrives, what ends know of it, and a short run of all of it."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import pytest

from media.bench.capture import Capture
from media.bench.far_end import far_end
from media.bench.network import Stops, bargein, bench_network
from media.bench.said import APART, Said
from media.bench.transit import Transit, rated
from media.networks import NETWORKS
from sipserver.bench.table import table

MS = 1_000_000


def way(
    delay: dict[int, float], lost: Set[int] = frozenset(), twice: Set[int] = frozenset(), packets: int = 500
) -> Transit:
    """One stream's: packets by number."""
    times = np.zeros((1, packets))
    for number, late in delay.items():
        times[0, number] = late
    marks = [np.isin(np.arange(packets), list(which))[None] for which in (lost, twice)]
    return Transit(times, *marks)


def sent(count: int = 500, without: frozenset[int] = frozenset(), first: int = 65_400) -> Capture:
    capture = Capture()
    for number in sorted(set(range(count)) - without):
        capture.add(number * 20 * MS, (first + number) % 65536, number * 160)
    return capture


def test_packets_arrive_in_the_order_of_their_times_and_lost_ones_never() -> None:
    crossing = way({1: 50.0}, lost={2}, twice={3}, packets=5)
    times, streams, packets = crossing.arrivals(np.arange(5)[None] * 20.0, np.random.default_rng(1))
    assert set(streams.tolist()) == {0}
    # The second one is overtaken by the fourth, of which there are two.
    assert [number for number in packets.tolist() if number != 3] == [0, 1, 4]
    assert packets.tolist().count(3) == 2
    assert packets.tolist().index(3) < packets.tolist().index(1)
    assert times.tolist() == sorted(times.tolist())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_truth_of_a_network_is_what_it_claims(name: str) -> None:
    network = NETWORKS[name]
    truth = Transit.draw(network, 20, 3000, np.random.default_rng(5)).truth()
    assert truth["lost_percent"] == pytest.approx(100 * network.loss, rel=0.25)
    assert truth["twice_percent"] == pytest.approx(100 * network.twice, rel=0.4)
    assert truth["delay_ms"]["p50"] <= truth["delay_ms"]["p95"] <= truth["delay_ms"]["max"]
    assert 4.0 < truth["mos"] <= 4.41


def test_a_packet_is_overtaken_if_any_that_was_sent_after_it_comes_before_it() -> None:
    assert way({10: 19.0}, packets=100).truth()["overtaken_percent"] == 0.0
    assert way({10: 21.0}, packets=100).truth()["overtaken_percent"] == pytest.approx(100 / 99, abs=0.01)
    assert way({10: 21.0}, lost={10}, packets=100).truth()["overtaken_percent"] == 0.0


def test_losses_in_bursts_are_worse_than_as_many_alone() -> None:
    alone, together = np.zeros(1000, np.bool_), np.zeros(1000, np.bool_)
    alone[::20], together[:50] = True, True
    assert rated(np.zeros(1000, np.bool_)) > rated(alone) > rated(together)


def test_a_telephone_afar_misses_what_is_lost_late_or_was_never_sent() -> None:
    assert far_end([sent()], way({}))["missing_percent"] == 0.0
    heard = far_end([sent(without=frozenset({100}))], way({200: 59.0, 201: 61.0}, lost={300, 301}))
    assert (heard["missing_percent"], heard["late_percent"]) == (0.8, 0.2)
    assert far_end([Capture()], way({}))["mos"] is None


def test_utterances_are_those_that_lie_whole_in_what_a_caller_says() -> None:
    said = Said(np.zeros((100, 160), np.int16), ((20, 40), (60, 90)))
    assert list(said.spoken(0, 200)) == [(20, 40), (60, 90), (120, 140), (160, 190)]
    assert list(said.spoken(0, 130)) == [(20, 40), (60, 90)]
    # The next caller is further on: of its first utterance it says only the end.
    assert said.place(1, 0) == APART == 37
    assert list(said.spoken(1, 100)) == [(23, 53), (83, 103)][:1]


def test_a_stop_belongs_to_the_utterance_that_it_follows() -> None:
    stops = Stops([1_100 * MS, 9_000 * MS], [1_150 * MS, 1_900 * MS, 6_000 * MS, 9_050 * MS])
    found = bargein([[(1_000 * MS, 2_000 * MS), (8_950 * MS, 9_500 * MS), (20_000 * MS, 20_500 * MS)]], [stops])
    assert (found["utterances"], found["stopped"], found["other"]) == (3, 2, 1)
    assert (found["duck_ms"]["p50"], found["duck_ms"]["max"], found["pause_ms"]["max"]) == (75, 100, 150)


def test_networks_stand_side_by_side() -> None:
    made = table(
        {"calls": 2, "networks": {"lan": {"far": {"mos": 4.4}}, "wifi": {"far": {"mos": 4.2}, "bargein": None}}}
    )
    assert [column.header for column in made.columns] == ["", "lan", "wifi"]
    assert [list(column.cells) for column in made.columns] == [
        ["calls", "far.mos", "bargein"],
        ["2", "4.4", ""],
        ["", "4.2", "None"],
    ]


def test_a_short_run_tells_of_every_network() -> None:
    figures = bench_network(2, 2.0, warm_up=0.5)
    assert list(figures["networks"]) == list(NETWORKS)
    for found in figures["networks"].values():
        assert found["sent"]["packets_seen"] > 100
        assert found["sent"]["sequence_gaps"] == 0
        assert found["ear"]["in_ms"]["p50"] > 0
        assert 1 < found["report"]["mos"] <= 4.41
        assert found["bargein"] is None
