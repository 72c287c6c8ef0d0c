"""Reading a finished call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sipserver.protocols.agents import Agent
from sipserver.protocols.calls import Utterance, Variables


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """What an analyst reads."""

    call_id: str
    agent: Agent
    transcript: Sequence[Utterance]
    captured: Variables
    variables: Variables


@dataclass(frozen=True, slots=True)
class Analysis:
    """`summary` None where none was asked for; extractions by field name, JSON values."""

    summary: str | None
    extractions: Variables


class Analyst(Protocol):
    """Reads a finished call: captured values and a plain extract, or a language model's structured output."""

    async def analyse(self, call: FinishedCall) -> Analysis:
        """Raises OSError when the engine cannot be reached; the job is then retried, and at last done without it."""
