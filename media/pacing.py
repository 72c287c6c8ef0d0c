"""When which tick runs: the 20 ms grid, and how one that is late catches up."""

from __future__ import annotations

from dataclasses import dataclass

TICK_NS = 20_000_000
SEND_OFFSET_NS = 10_000_000
"""Packets leave this long after the tick's beginning: time enough to hear, judge and decide, and always the same."""
CATCH_UP_TICKS = 10
"""200 ms: a standstill up to this is caught up with, beyond it the ticks are left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run now: `count` ticks (1 or 2) from number `first`, after leaving out `skipped` ones.

    `due` is when the last of them begins on the grid, so its packets leave at `due + SEND_OFFSET_NS`.
    """

    first: int
    count: int
    skipped: int
    late: bool
    due: int


class Grid:
    """Ticks of one process, numbered from 0 at `start` (monotonic nanoseconds).

    A process that was held up runs two ticks per 20 ms until it is back on time, so that no peer gets a burst of more
    than two packets; after a long standstill it leaves out what is beyond CATCH_UP_TICKS, as a gap in time.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._next = 0
        self._wake = start

    def next_wake(self) -> int:
        """When the next plan is to be made."""
        return self._wake

    def next_tick(self) -> int:
        """The number of the tick that comes next, if none is left out."""
        return self._next

    def jump(self, now: int) -> None:
        """Nothing was to be done until `now`: go on from there, with nothing to catch up and nothing left out."""
        self._next = max(self._next, -(-(now - self._start) // TICK_NS))
        self._wake = self._start + self._next * TICK_NS

    def plan(self, now: int) -> Plan:
        """The ticks to run at `now`, which is `next_wake()` or later."""
        on_time = max(self._next, (now - self._start) // TICK_NS)
        skipped = max(0, on_time - self._next - CATCH_UP_TICKS)
        first = self._next + skipped
        count = 2 if on_time > first else 1
        self._next = first + count
        due = self._start + on_time * TICK_NS
        self._wake = due + TICK_NS
        return Plan(first, count, skipped, late=now - due > TICK_NS // 2 or on_time > first, due=due)
