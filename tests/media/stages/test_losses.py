"""How losses cluster, against RFC 3611's definition written out over the whole list of packets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.losses import G_MIN, WINDOW, Clusters, LossPattern


def fed(came: list[int], late: frozenset[int] = frozenset(), sequence: int = 65500) -> LossPattern:
    """One row's packets by number, the first is 0; those in `late` are discarded."""
    pattern = LossPattern(1)
    pattern.open_row(0)
    newest = came[0]
    for place, number in enumerate(came):
        on_wire = (sequence + number) & 0xFFFF
        if place == 0:
            pattern.start(0)
        else:
            pattern.received(np.array([0]), np.array([number - newest]), np.array([on_wire], np.uint16))
        newest = max(newest, number)
        if number in late:
            pattern.discarded(0, on_wire, (sequence + newest) & 0xFFFF)
        pattern.forget()
    pattern.settle(0)
    return pattern


def by_definition(lost: list[int], total: int) -> Clusters:
    groups: list[list[int]] = []
    for number in lost:
        if groups and number - groups[-1][-1] - 1 < G_MIN:
            groups[-1].append(number)
        else:
            groups.append([number])
    bursts = [group for group in groups if len(group) > 1]
    length = sum(group[-1] - group[0] + 1 for group in bursts)
    inside = sum(map(len, bursts))
    rest = total - length
    return Clusters(
        runs=sum(number - 1 not in lost for number in lost),
        burst_density=inside / length if length else 0.0,
        gap_density=(len(lost) - inside) / rest if rest else 0.0,
        burst_packets=length / len(bursts) if bursts else 0.0,
        gap_packets=rest / (len(bursts) + 1),
    )


@settings(deadline=None)
@given(st.sets(st.integers(1, 198), max_size=120))
def test_bursts_and_gaps_by_definition(lost: set[int]) -> None:
    pattern = fed([number for number in range(200) if number not in lost])
    assert pattern.clusters(0) == by_definition(sorted(lost), 200)
    assert pattern.lost[0] == len(lost)


def test_an_outage_is_one_run_however_long() -> None:
    pattern = fed([*range(50), *range(400, 450)])
    assert pattern.clusters(0) == by_definition(list(range(50, 400)), 450)
    assert (pattern.lost[0], pattern.runs[0]) == (350, 1)


@settings(deadline=None)
@given(st.permutations(range(WINDOW)))
def test_out_of_order_is_no_loss(order: list[int]) -> None:
    pattern = fed([0, *(1 + number for number in order), *range(WINDOW + 1, 100)])
    assert (pattern.lost[0], pattern.duplicate[0], pattern.late[0]) == (0, 0, 0)


def test_what_was_too_late_is_missing() -> None:
    pattern = fed([0, 1, 2, 4, 5, 6, 3, 7, 8], late=frozenset({3}))
    assert (pattern.lost[0], pattern.late[0]) == (1, 1)


def test_the_second_copy_may_be_late() -> None:
    pattern = fed([0, 1, 2, 3, 2, 4])
    assert (pattern.lost[0], pattern.duplicate[0]) == (0, 1)
    again = LossPattern(1)
    again.start(0)
    again.received(np.array([0]), np.array([1]), np.array([8], np.uint16))
    again.received(np.array([0]), np.array([0]), np.array([8], np.uint16))
    again.discarded(0, 8, 8)
    again.settle(0)
    assert (again.lost[0], again.late[0], again.duplicate[0]) == (0, 0, 1)


def test_a_stream_that_begins_anew_keeps_what_was_lost() -> None:
    pattern = fed([0, 1, 3])
    pattern.start(0)
    pattern.received(np.array([0]), np.array([2]), np.array([9], np.uint16))
    pattern.settle(0)
    assert pattern.clusters(0).runs == 2
    assert pattern.lost[0] == 2


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 0]])
def test_rows_are_apart(rows: list[int]) -> None:
    pattern = LossPattern(3)
    for row in range(3):
        pattern.start(row)
    for _ in range(40):
        pattern.received(np.array(rows), np.array([2] * len(rows)), np.zeros(len(rows), np.uint16))
    for row in range(3):
        pattern.settle(row)
    assert pattern.lost.tolist() == [40 if row in rows else 0 for row in range(3)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-200, 3000), st.integers(0, 65535), st.booleans()), max_size=60))
def test_whatever_comes_the_figures_stay_within_bounds(packets: list[tuple[int, int, bool]]) -> None:
    pattern = LossPattern(1)
    pattern.start(0)
    for forward, sequence, late in packets:
        pattern.received(np.array([0]), np.array([forward]), np.array([sequence], np.uint16))
        if late:
            pattern.discarded(0, sequence, sequence)
        pattern.forget()
    pattern.settle(0)
    clusters = pattern.clusters(0)
    assert 0 <= clusters.burst_density <= 1
    assert 0 <= clusters.gap_density <= 1
