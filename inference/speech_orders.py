"""What the agent was ordered to say and has not said yet."""

from __future__ import annotations

from collections import deque

from sipserver.protocols import SpeechOrder

MOST = 20


class SpeechOrders:
    """In the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[SpeechOrder] = deque()

    def full(self) -> bool:
        """Whether no more are taken."""
        return len(self._waiting) >= MOST

    def add(self, order: SpeechOrder) -> None:
        """One more."""
        self._waiting.append(order)

    def due(self, *, free: bool) -> SpeechOrder | None:
        """The next one, where nobody speaks."""
        return self._waiting.popleft() if free and self._waiting else None
