"""Simulated or real time for the protocol core: intervals, and a queue of what is to happen when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from sipserver.transaction.machine import Timer

_COMPACT_FROM = 1024
"""Cancelled entries stay in the heap until their time comes; from this many on they are swept out when they are the majority."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """T1, T2, T4 of RFC 3261 section 17.1.1.1, in seconds, and what follows from them (table 4).

    `trying`: how long an INVITE may be without any answer before it gets its 100 (section 17.2.1: less than 0.2).
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    trying: float = 0.1

    @property
    def patience(self) -> float:
        """64*T1: how long anything is waited for."""
        return 64 * self.t1

    def first(self, timer: Timer, reliable: bool) -> float | None:
        """A timer's first interval; None where the transport makes the timer needless (nothing is repeated on TCP)."""
        if timer in _REPETITIONS:
            return None if reliable else self.t1
        if timer in _ABSORBERS:
            return 0.0 if reliable else self._absorb(timer)
        return self.patience

    def doubled(self, timer: Timer, last: float) -> float:
        """The interval after `last`: timers E and G stop growing at T2, timer A does not (RFC 3261 section 17.1.1.2)."""
        return last * 2 if timer is Timer.A else min(last * 2, self.t2)

    def _absorb(self, timer: Timer) -> float:
        if timer is Timer.D:
            return max(32.0, self.patience)
        return self.patience if timer is Timer.J else self.t4


_REPETITIONS = frozenset({Timer.A, Timer.E, Timer.G})
_ABSORBERS = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})


class Alarm:
    """Something that is to happen at a time, unless it is cancelled."""

    __slots__ = ("_queue", "action", "when")

    def __init__(self, queue: TimerQueue, when: float, action: Callable[[], None]) -> None:
        self.when = when
        self.action: Callable[[], None] | None = action
        self._queue = queue

    def cancel(self) -> None:
        """It will not happen. Once it has happened, this does nothing."""
        if self.action is not None:
            self.action = None
            self._queue.cancelled()


class TimerQueue:
    """What is to happen when. `now` is the time that the last entry from outside brought with it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Alarm]] = []
        self._order = count()
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def after(self, delay: float, action: Callable[[], None]) -> Alarm:
        """Have `action` called `delay` seconds from `now`."""
        alarm = Alarm(self, self.now + delay, action)
        heapq.heappush(self._heap, (alarm.when, next(self._order), alarm))
        return alarm

    def next(self) -> float | None:
        """When the next alarm is due; None when there is none."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._dead -= 1
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Let everything happen that is due at `now`, in the order of time. All see `now`: being late makes no bursts."""
        self.now = now
        while (when := self.next()) is not None and when <= now:
            alarm = heapq.heappop(self._heap)[2]
            action, alarm.action = alarm.action, None
            if action is not None:
                action()

    def cancelled(self) -> None:
        """An alarm was cancelled; the heap is rebuilt when most of it is dead."""
        self._dead += 1
        if self._dead >= _COMPACT_FROM and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._dead = 0
