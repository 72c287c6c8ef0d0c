"""The ten seconds with most loss."""

from __future__ import annotations

import numpy as np

from media.worst import FEWEST, SECONDS, WorstWindow


def after(seconds: list[tuple[int, int]]) -> WorstWindow:
    """Each second's packets: expected, and missing of them."""
    worst = WorstWindow(1)
    worst.open_row(0)
    for place in range(len(seconds)):
        expected, missing = (sum(column) for column in zip(*seconds[: place + 1], strict=True))
        worst.step(np.array([expected]), np.array([missing]))
    return worst


def test_the_worst_window_is_found_and_stays() -> None:
    worst = after([(50, 0)] * 20 + [(50, 25)] * 10 + [(50, 0)] * 30)
    assert worst.share[0] == 0.5
    assert worst.since[0] == 30


def test_a_single_bad_second_is_a_tenth_of_its_window() -> None:
    assert after([(50, 0)] * 15 + [(50, 50)] + [(50, 0)] * SECONDS).share[0] == 0.1


def test_too_few_packets_say_nothing() -> None:
    assert after([(FEWEST // 2 - 1, 5), (FEWEST // 2, 5)]).share[0] < 0


def test_a_row_that_is_opened_again_knows_nothing() -> None:
    worst = after([(50, 50)] * 12)
    worst.open_row(0)
    assert (worst.share[0], worst.since[0]) == (-1, 0)
