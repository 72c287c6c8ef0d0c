"""When which tick runs: the 20 ms grid, and how one that is late catches up."""

from __future__ import annotations

from dataclasses import dataclass

TICK_NS = 20_000_000
SEND_OFFSETS_NS = (10_000_000, 13_000_000, 16_000_000)
"""Packets leave so long after the tick's beginning: time enough to hear, judge and decide, and always the same."""
OVERRUNS = 3
OVERRUN_TICKS = 100
"""So many ticks in so many that the work did not fit into make the offset grow."""
CALM_TICKS = 3000
"""How long, 60 s, the work has to have fitted into an earlier offset before packets leave at that again."""
_MARGIN_NS = 1_000_000
CATCH_UP_TICKS = 10
"""200 ms: a standstill up to this is caught up with, beyond it the ticks are left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run now: `count` ticks (1 or 2) from number `first`, after leaving out `skipped` ones.

    `due` is when the last of them begins on the grid, so its packets leave at `due` and `SendOffset.now`.
    """

    first: int
    count: int
    skipped: int
    late: bool
    due: int


class SendOffset:
    """How long after a tick's beginning its packets leave: `now`, in nanoseconds.

    A packet that leaves when the work happens to be done is off its grid by as much as the work varies. So where the work has
    outgrown the offset, which is more than one tick held up by something else, the offset grows: every peer sees one step,
    and an even stream after it.
    """

    def __init__(self) -> None:
        self.now = SEND_OFFSETS_NS[0]
        self._ticks = self._over = self._longest = 0

    def worked(self, took: int) -> None:
        """A tick was heard, `took` nanoseconds after it should have begun."""
        self._ticks += 1
        self._over += took > self.now
        self._longest = max(self._longest, took)
        if self._over >= OVERRUNS:
            self._set(_offset_for(self._longest))
        elif self._over and self._ticks >= OVERRUN_TICKS:
            self._set(self.now)
        elif self._ticks >= CALM_TICKS:
            self._set(min(self.now, _offset_for(self._longest)))

    def _set(self, offset: int) -> None:
        self.now = offset
        self._ticks = self._over = self._longest = 0


def _offset_for(took: int) -> int:
    return next((offset for offset in SEND_OFFSETS_NS if took + _MARGIN_NS <= offset), SEND_OFFSETS_NS[-1])


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
