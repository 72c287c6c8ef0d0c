"""How much delay evens out what comes: histories of packets, and the target that follows from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from media.arrivals import BLOCK_TICKS, BUCKETS, Arrivals

BOTH = np.array([0, 1])


def followed() -> Arrivals:
    arrivals = Arrivals(2)
    arrivals.follow(1)
    return arrivals


def run(arrivals: Arrivals, ticks: range, late: Callable[[int], int]) -> None:
    """Packet `number` comes `late(number)` ticks after the tick of its number, to both rows."""
    last = ticks.stop + 60
    come: dict[int, list[int]] = {}
    for number in ticks:
        come.setdefault(number + late(number), []).append(number)
    for now in range(ticks.start, last):
        for number in come.get(now, []):
            arrivals.came(BOTH, np.array([number, number]), now)
        if now < ticks.stop:
            arrivals.learn(now)


@pytest.mark.parametrize(
    ("late", "target", "waits"),
    [
        (lambda n: 0, 0, 0),
        # All of them late by as much: that is the way's length.
        (lambda n: 7, 0, 0),
        # Every second one waits for the other.
        (lambda n: n % 2, 1, 0.5),
        # Every tenth is late by three: whoever waits for it lets the others wait.
        (lambda n: 3 * (n % 10 == 5), 3, 2.7),
        # Packets of 60 ms: three slots at once, of which the last is the fastest.
        (lambda n: 2 - n % 3, 2, 1.0),
        # More than is told apart.
        (lambda n: 40 * (n % 25 == 3), BUCKETS - 1, 22.4),
    ],
)
def test_the_target_is_what_the_late_ones_need(late: Callable[[int], int], target: int, waits: float) -> None:
    arrivals = followed()
    run(arrivals, range(1000), late)
    assert arrivals.target[1] == target
    assert arrivals.expected[1] == pytest.approx(waits, abs=0.1)
    assert arrivals.known.tolist() == [False, True]


def test_one_stall_is_believed_at_first_and_forgotten_soon() -> None:
    arrivals = followed()
    run(arrivals, range(2 * BLOCK_TICKS + 1), lambda n: 5 * (n == 30))
    assert arrivals.target[1] == 5
    run(arrivals, range(100, 1000), lambda n: 0)
    assert arrivals.target[1] == 0


def test_late_packets_in_one_block_of_thirty_are_not_waited_for() -> None:
    arrivals = followed()
    run(arrivals, range(6000), lambda n: 4 * (n % (30 * BLOCK_TICKS) == 60))
    assert arrivals.target[1] == 0


@pytest.mark.parametrize("every", [50, -50])
def test_a_clock_that_drifts_is_no_lateness(every: int) -> None:
    """One tick in each second: 2 %, far more than any clock is off, for 100 s."""
    arrivals = followed()
    run(arrivals, range(6000), lambda n: 120 + n // every)
    # The tick in which it slips makes half a window look late by one.
    assert arrivals.target[1] <= 2
    assert arrivals.expected[1] <= 2


def test_a_stream_that_begins_anew_brings_its_own_clock_and_the_network_stays_known() -> None:
    arrivals = followed()
    run(arrivals, range(1000), lambda n: 2 * (n % 10 == 5))
    arrivals.restart(1)
    run(arrivals, range(1000, 1050), lambda n: 30 + 2 * (n % 10 == 5))
    assert arrivals.target[1] == 2


def test_nothing_is_known_before_the_first_block_and_nothing_after_the_row_is_followed_anew() -> None:
    arrivals = followed()
    run(arrivals, range(1, BLOCK_TICKS), lambda n: n % 2)
    assert not arrivals.known.any()
    run(arrivals, range(BLOCK_TICKS, 100), lambda n: n % 2)
    assert arrivals.known[1]
    arrivals.follow(1)
    assert not arrivals.known.any()
    arrivals.leave(1)
    assert not arrivals.any
