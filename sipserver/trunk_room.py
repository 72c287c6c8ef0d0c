"""How many calls a trunk takes at once, and how fast after one another: what its carrier sold, not what this node can do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from sipserver.protocols import Trunk

CHANNEL_WAIT = 1.0
"""Seconds until somebody who found all channels taken looks again."""


class OnTrunks(Protocol):
    """Whoever knows the calls that are there."""

    def of_trunk(self, trunk_id: str) -> int:
        """The channels that they take of one trunk: one for each, in and out, and one for each second leg."""


class TrunkRoom:
    """`clock` tells seconds that never go back. Calls in and out share the channels; the pace is that of legs that we place."""

    def __init__(self, live: OnTrunks, clock: Callable[[], float]) -> None:
        self._live = live
        self._clock = clock
        self._next: dict[str, float] = {}
        self._held: Counter[str] = Counter()

    @contextmanager
    def held(self, trunk: Trunk) -> Iterator[None]:
        """One channel more is taken inside of this, by what is no call of an agent's."""
        self._held[trunk.id] += 1
        try:
            yield
        finally:
            self._held[trunk.id] -= 1

    def is_full(self, trunk: Trunk, starting: int = 0) -> bool:
        """Whether all channels of the trunk are taken; `starting` are calls that are about to take one."""
        most = trunk.options.max_channels
        return most is not None and self._live.of_trunk(trunk.id) + self._held[trunk.id] + starting >= most

    def wait(self, trunk: Trunk, starting: int = 0) -> float:
        """Seconds until a call may be placed over this trunk; 0: now, and its place in the pace is taken."""
        if self.is_full(trunk, starting):
            return CHANNEL_WAIT
        return 0.0 if self.in_turn(trunk, 0.0) is not None else self._left(trunk)

    def in_turn(self, trunk: Trunk, patience: float) -> float | None:
        """The next place in the pace is taken: seconds until it comes. None where it comes later than in `patience` seconds."""
        pace = trunk.options.max_calls_per_second
        if pace is None:
            return 0.0
        left = self._left(trunk)
        if left > patience:
            return None
        self._next[trunk.id] = self._clock() + left + 1 / pace
        return left

    def _left(self, trunk: Trunk) -> float:
        return max(0.0, self._next.get(trunk.id, 0.0) - self._clock())
