"""The grid: which ticks run when, on time and late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.pacing import (
    CALM_TICKS,
    CATCH_UP_TICKS,
    OVERRUN_TICKS,
    OVERRUNS,
    SEND_OFFSETS_NS,
    TICK_NS,
    Grid,
    Plan,
    SendOffset,
)

MS = 1_000_000


def test_on_time_every_tick_runs_at_its_place() -> None:
    grid = Grid(start=5 * MS)
    assert grid.next_wake() == 5 * MS
    assert grid.plan(5 * MS) == Plan(first=0, count=1, skipped=0, late=False, due=5 * MS)
    assert grid.next_wake() == 25 * MS
    assert grid.plan(25 * MS + 200_000) == Plan(first=1, count=1, skipped=0, late=False, due=25 * MS)


def test_a_short_standstill_is_caught_up_with_by_two_ticks_at_a_time() -> None:
    grid = Grid(start=0)
    grid.plan(0)
    # Tick 1 was due at 20 ms; it is 85 ms: ticks 1, 2, 3 and 4 are due.
    assert grid.plan(85 * MS) == Plan(first=1, count=2, skipped=0, late=True, due=80 * MS)
    assert grid.plan(100 * MS) == Plan(first=3, count=2, skipped=0, late=True, due=100 * MS)
    assert grid.plan(120 * MS) == Plan(first=5, count=2, skipped=0, late=True, due=120 * MS)
    assert grid.plan(140 * MS) == Plan(first=7, count=1, skipped=0, late=False, due=140 * MS)


def test_a_long_standstill_leaves_ticks_out() -> None:
    grid = Grid(start=0)
    grid.plan(0)
    plan = grid.plan(1000 * TICK_NS)
    assert (plan.first, plan.count, plan.skipped) == (1000 - CATCH_UP_TICKS, 2, 999 - CATCH_UP_TICKS)


def test_after_idling_there_is_nothing_to_catch_up() -> None:
    grid = Grid(start=0)
    grid.plan(0)
    grid.jump(1005 * MS)
    assert grid.next_wake() == 1020 * MS
    assert grid.plan(1020 * MS) == Plan(first=51, count=1, skipped=0, late=False, due=1020 * MS)


@given(st.lists(st.integers(0, 500 * MS), min_size=1, max_size=60))
def test_ticks_only_go_forward_in_bursts_of_two_and_end_up_on_time(delays: list[int]) -> None:
    grid = Grid(start=0)
    following = 0
    for delay in [*delays, *[0] * (CATCH_UP_TICKS + 1)]:
        now = grid.next_wake() + delay
        plan = grid.plan(now)
        assert plan.first == following + plan.skipped
        assert plan.count in (1, 2)
        assert plan.due <= now < plan.due + TICK_NS
        following = plan.first + plan.count
    assert following == now // TICK_NS + 1


def test_packets_leave_later_when_the_work_has_outgrown_the_offset_and_early_again_after_calm() -> None:
    offset = SendOffset()
    assert offset.now == 10 * MS
    for _ in range(OVERRUNS - 1):
        offset.worked(11 * MS)
    assert offset.now == 10 * MS
    offset.worked(12 * MS)
    assert offset.now == 13 * MS
    for _ in range(OVERRUNS):
        offset.worked(13 * MS + 1)
    assert offset.now == 16 * MS
    for _ in range(CALM_TICKS - 1):
        offset.worked(8 * MS)
    assert offset.now == 16 * MS
    offset.worked(8 * MS)
    assert offset.now == 10 * MS


def test_single_ticks_that_were_held_up_move_nothing() -> None:
    offset = SendOffset()
    for number in range(20 * OVERRUN_TICKS):
        offset.worked(19 * MS if number % OVERRUN_TICKS == 0 else 5 * MS)
    assert offset.now == 10 * MS


def test_work_longer_than_any_offset_takes_the_last() -> None:
    offset = SendOffset()
    for _ in range(OVERRUNS):
        offset.worked(30 * MS)
    assert offset.now == SEND_OFFSETS_NS[-1]
