"""What a conversation comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sipserver.protocols import ConversationEnd, EndedReason


@dataclass(slots=True)
class Outcome:
    """What a conversation has come to so far. `over`: there is no more to say."""

    captured: dict[str, Any] = field(default_factory=dict)
    turn_count: int = 0
    latencies: list[int] = field(default_factory=list)
    over: bool = False
    reason: EndedReason | None = None

    def end(self, reason: EndedReason | None) -> None:
        """There is no more to say."""
        self.over, self.reason = True, reason

    def result(self) -> ConversationEnd:
        """As the call control wants it."""
        return ConversationEnd(
            reason=self.reason,
            captured=dict(self.captured),
            turn_count=self.turn_count,
            turn_latencies_ms=tuple(self.latencies),
            opt_out=self.captured.get("opt_out") is True,
        )
