"""Simulated networks, and what an ear and a bridge make of them: the table of docs/benchmarks.md, smaller."""

from __future__ import annotations

import numpy as np
import pytest

from media.bench.playout import bench_playout, fixed, listened, played, traffic
from media.networks import NETWORKS, Network

MINUTE = 3000


@pytest.mark.parametrize("name", ["internet", "wifi", "mobile"])
def test_losses_are_as_many_as_they_should_be_and_come_in_bursts(name: str) -> None:
    network = NETWORKS[name]
    lost = network.losses(np.random.default_rng(1), 40, 5000)
    assert lost.mean() == pytest.approx(network.loss, rel=0.15)
    assert lost[:, 1:][lost[:, :-1]].mean() == pytest.approx(network.burst, abs=0.07)


def test_no_packet_comes_before_it_was_sent() -> None:
    for network in NETWORKS.values():
        assert (network.delays(np.random.default_rng(2), 3, 100) >= 0).all()


@pytest.mark.parametrize(("name", "mean_ms"), [("lan", 1.0), ("internet", 8.0), ("wifi", 11.5), ("mobile", 49.1)])
def test_packets_are_under_way_as_long_as_the_network_says(name: str, mean_ms: float) -> None:
    """The means of the gamma distributions; Wi-Fi's stalls add 1.5 ms to its 10, mobile data's swell 60 / pi to its 30."""
    delays = NETWORKS[name].delays(np.random.default_rng(7), 40, 5000)
    assert delays.mean() == pytest.approx(mean_ms, rel=0.03)


def test_wifi_stalls_every_5_seconds_for_60_to_160_ms() -> None:
    """Of the 250 packets between two stalls, 3.6 wait longer than 60 ms; without stalls 1 in 12,000 would."""
    delays = NETWORKS["wifi"].delays(np.random.default_rng(8), 40, 5000)
    assert (delays > 60).mean() == pytest.approx(3.6 / 250, rel=0.1)


@pytest.mark.parametrize(
    ("name", "most_delay", "most_made_up"), [("lan", 32, 0.1), ("internet", 62, 0.4), ("mobile", 170, 2.0)]
)
def test_a_bridge_waits_as_long_as_the_network_asks_for(name: str, most_delay: float, most_made_up: float) -> None:
    way = played(traffic(NETWORKS[name], 4, 1000, seed=3, losses=False))
    assert way.delay_ms < most_delay
    assert way.made_up_percent < most_made_up


def test_on_a_network_that_stalls_a_bridge_makes_up_hardly_more_than_a_fixed_buffer_of_100_ms() -> None:
    packets = traffic(NETWORKS["wifi"], 6, 2000, seed=4, losses=False)
    assert played(packets).made_up_percent < fixed(packets, 100).made_up_percent + 0.2
    assert listened(packets).delay_ms < fixed(packets, 40).delay_ms


def test_what_is_lost_is_made_up_once_and_delays_nothing() -> None:
    even = Network("even", lambda chance, calls, packets: np.zeros((calls, packets)), loss=0.05, burst=0.5)
    packets = traffic(even, 8, 1000, seed=5)
    way = played(packets)
    assert way.made_up_percent == pytest.approx(100 * packets.lost[:, 200:].mean(), rel=0.1)
    assert way.delay_ms < 15


def test_peers_whose_clocks_are_off_neither_fill_nor_drain() -> None:
    """One minute at 6000 ppm drifts as far as an hour at 100: 360 ms."""
    clocks = np.array([[6000.0], [-6000.0]])
    packets = traffic(NETWORKS["internet"], 2, MINUTE, seed=6, ppm=clocks, losses=False)
    over_a_bridge, heard = played(packets), listened(packets)
    assert over_a_bridge.delay_ms < 62
    assert over_a_bridge.delay_p95_ms < 85
    assert over_a_bridge.made_up_percent < 0.5
    assert heard.delay_p95_ms < 45
    assert heard.made_up_percent < 0.1


def test_the_bench_says_it_of_every_network() -> None:
    table = bench_playout(1, 8.2)
    assert {name.split(",")[0] for name in table} == set(NETWORKS)
    assert all(
        [way.way for way in ways] == ["fixed 40", "fixed 60", "fixed 100", "bridge", "ear"] for ways in table.values()
    )
