"""One turn of the agent, from the decision to give it to the last word heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from inference.dialogue import Answer
from inference.speaker import Speech
from sipserver.protocols import EndedReason


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms something is said. Positions are samples of the recording's time line.

    `answers_turn`: it answers a turn of the caller's, which ended at `turn_ended` (None: it was keyed in). When it has been
    heard, the call ends with `ending`, or `then` is done.
    """

    interruptible: bool = True
    answers_turn: bool = False
    turn_ended: int | None = None
    ending: EndedReason | None = None
    then: Callable[[], None] | None = None


STUBBORN = 3
"""After so many pauses for nothing the rest of a reply is said without one: what is heard is an echo, or a noisy room."""


@dataclass(slots=True, eq=False)
class Reply:
    """What the agent says now. `began` is where its first sound left; `written`: all of it is queued, or has failed; `pauses`: how
    often it was paused for nothing."""

    answer: Answer
    speech: Speech
    terms: Terms = field(default_factory=Terms)
    task: asyncio.Task[None] | None = None
    began: int | None = None
    written: bool = False
    pauses: int = 0

    def may_be_interrupted(self) -> bool:
        """A farewell is heard to its end, and so is what is said before the caller is handed over."""
        last = self.answer.ends or self.answer.transfer is not None
        return self.terms.interruptible and self.terms.ending is None and not last

    def may_be_paused(self) -> bool:
        """Speech pauses it, before there are words."""
        return self.may_be_interrupted() and self.pauses < STUBBORN

    def ending(self) -> EndedReason | None:
        """How the call ends when it has been heard; None: it goes on."""
        return self.terms.ending or (EndedReason.AGENT_ENDED if self.answer.ends else None)


@dataclass(frozen=True, slots=True)
class Written:
    """A reply is queued whole, or what failed is known."""

    reply: Reply
