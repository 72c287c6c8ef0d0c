"""How many calls this node and each agent take, and why there may be no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls at once on this node, and for one agent (0: as many as the node takes)."""

    max_calls: int = 100
    max_calls_per_agent: int = 0


class Taken(Protocol):
    """Whoever knows the calls that are there."""

    def __len__(self) -> int:
        """All of them."""

    def of_agent(self, agent_id: str) -> int:
        """Those of one agent."""


class Capacity:
    """Whether another call can be taken. `accepting` is the store's word (`CallLog.accepting`), `rows` the media plane's free rows."""

    def __init__(
        self, limits: Limits, taken: Taken, accepting: Callable[[], str | None], rows: Callable[[], int]
    ) -> None:
        self._limits = limits
        self._taken = taken
        self._accepting = accepting
        self._rows = rows
        self.draining = False

    def drain(self) -> None:
        """From now on none."""
        self.draining = True

    def refusal(self) -> str | None:
        """Why the whole node takes no call now, a sentence; None while it does."""
        if self.draining:
            return "This node is draining."
        if len(self._taken) >= self._limits.max_calls:
            return "This node has all the calls that it may have."
        if self._rows() <= 0:
            return "The media plane has no free row."
        return self._accepting()

    def is_full(self) -> bool:
        """Whether the whole node takes no call now."""
        return self.refusal() is not None

    def agent_is_full(self, agent_id: str) -> bool:
        """Whether the agent has all the calls that one agent may have."""
        most = self._limits.max_calls_per_agent
        # Counted only where there are so many calls at all.
        return 0 < most <= len(self._taken) and most <= self._taken.of_agent(agent_id)

    def left(self) -> int:
        """How many more calls the node would take now."""
        if self.refusal() is not None:
            return 0
        return min(self._limits.max_calls - len(self._taken), self._rows())
