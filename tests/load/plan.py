"""What a load is: how many callers, how fast they come, what they say, and what has to be true afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WISH, DAY = "I would like to move my appointment.", "I can come on Friday."
SCRIPT: dict[str, Any] = {
    "start": "wish",
    "steps": {
        "wish": {
            "say": "How can I help you?",
            "listen": [
                {"hear": ["i would like to (move|cancel) my appointment"], "set": {"wish": "move"}, "go": "day"},
                {"hear": ["please call me back"], "go": "bye"},
            ],
            "else": {"say": "Please say that again.", "times": 3},
        },
        "day": {
            "say": "Which day?",
            "listen": [{"hear": ["i can come on <date:day> [please]", "any day is fine"], "go": "bye"}],
            "else": {"say": "Please say that again.", "times": 3},
        },
        "bye": {"say": "Thank you. Goodbye.", "end": True},
    },
}
"""Two questions, each answered in a sentence."""
UNDERSTOOD = {"wish", "day"}
"""What a call has captured that went well."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`calls` in all, at most `at_once` at a time, `rate` new ones a second."""

    calls: int
    at_once: int
    rate: float

    @property
    def seconds(self) -> float:
        """How long it may take, by the length of a call and twice that of the beginning."""
        return 60 + 40 * -(-self.calls // self.at_once) + 2 * self.calls / self.rate


@dataclass(frozen=True, slots=True)
class Gates:
    """The worst that is let pass. Times in milliseconds; `misheard` is the share of calls that did not end as the script has it."""

    answer_p95: float = 1000.0
    turn_p95: float = 2000.0
    longest_gap: float = 120.0
    misheard: float = 0.05
