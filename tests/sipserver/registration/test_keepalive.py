"""Keeping a flow: when it is pinged, and when it is taken for dead. Randomness is always the middle: 0.5, that is 90 %."""

from __future__ import annotations

import pytest

from sipserver.keepalive import KeepAlive


def pings(keep: KeepAlive, until: float) -> list[tuple[float, str]]:
    """Every deed up to then, with its time."""
    found: list[tuple[float, str]] = []
    while (due := keep.next_timer()) is not None and due <= until:
        deed = keep.handle_timer(due)
        assert deed is not None
        found.append((round(due, 3), deed))
    return found


@pytest.mark.parametrize(
    ("reliable", "flow_timer", "times"),
    [(True, None, [45, 90]), (False, None, [26.1, 52.2, 78.3]), (True, 30, [27, 54, 81]), (True, 900, [45, 90])],
)
def test_a_flow_is_pinged_in_time(reliable: bool, flow_timer: int | None, times: list[float]) -> None:
    """RFC 5626 section 4.4; Flow-Timer can make it more often, not rarer than proxies close quiet connections."""
    keep = KeepAlive(reliable, lambda: 0.5)
    keep.begin(0.0, flow_timer)
    assert pings(keep, 100) == [(time, "ping") for time in times]


@pytest.mark.parametrize(("draw", "first"), [(0.0, 40.0), (0.999999, 50.0)])
def test_pings_are_spread(draw: float, first: float) -> None:
    keep = KeepAlive(True, lambda: draw)
    keep.begin(0.0)
    assert keep.next_timer() == pytest.approx(first, abs=0.001)


def test_a_peer_that_has_answered_and_does_not_is_dead_after_ten_seconds() -> None:
    keep = KeepAlive(True, lambda: 0.5)
    keep.begin(0.0)
    assert pings(keep, 45) == [(45, "ping")]
    keep.ponged(45.1)
    assert pings(keep, 200) == [(90.1, "ping"), (100.1, "dead")]
    assert not keep.running


def test_a_peer_that_never_answers_a_ping_is_left_alone() -> None:
    keep = KeepAlive(True, lambda: 0.5)
    keep.begin(0.0)
    assert {deed for _, deed in pings(keep, 3600)} == {"ping"}


def test_without_a_flow_there_is_nothing_to_do() -> None:
    keep = KeepAlive(True, lambda: 0.5)
    keep.ponged(1.0)
    assert (keep.handle_timer(100), keep.next_timer()) == (None, None)
    keep.begin(0.0)
    assert keep.handle_timer(1.0) is None
    keep.end()
    assert keep.next_timer() is None
