"""One face for "what to answer", whether a script or a language model stands behind it.

A conversation tells a `Dialogue` what was heard and speaks the `Answer` it gets. Answers are written while they are spoken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from inference.keypad import KeysWanted
from inference.stt.base import SttHints
from inference.turns import Hypothesis
from sipserver.protocols import TransferOutcome


@dataclass(frozen=True, slots=True)
class Heard:
    """What the caller's turn was. `text` is words, or the keys pressed (`keyed`).

    `understood` False: speech that is no sentence of the grammar. `confirm`: understood, but only just.
    """

    text: str
    understood: bool = True
    confirm: bool = False
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class TransferWish:
    """The agent wants to hand the caller over to the target of this label; `briefing` is for whoever answers."""

    label: str
    briefing: str | None = None


class Answer(Protocol):
    """What the agent says now, in pieces. `ends` is true at last when the call is over after it; `transfer` says, at last, to whom
    the caller is handed over after it, and `press` which keys are sent."""

    ends: bool
    transfer: TransferWish | None
    press: str

    def pieces(self) -> AsyncIterator[str]:
        """The text, as it is written. Raises LlmUnavailable."""

    def commit(self) -> None:
        """It is said for certain: what has effects beyond words may happen now."""


@dataclass(slots=True)
class Said:
    """An answer whose text is there already."""

    text: str
    ends: bool = False
    transfer: TransferWish | None = None
    press: str = ""

    async def pieces(self) -> AsyncIterator[str]:
        """The text, in one piece."""
        if self.text:
            yield self.text

    def commit(self) -> None:
        """Nothing waits for it."""


class Dialogue(Protocol):
    """Leads one call."""

    speculates: bool
    """`answer` may be asked for turns that are not certain yet: it changes nothing by itself."""

    @property
    def off_record(self) -> bool:
        """Whether what is said now is neither to be recorded nor to be written down."""

    @property
    def captured(self) -> Mapping[str, Any]:
        """What was learnt so far: JSON values by name."""

    def hints(self) -> SttHints:
        """What the caller may say now."""

    def hypothesis(self, text: str) -> Hypothesis:
        """What the words so far are."""

    def keys(self) -> KeysWanted:
        """What keys mean now."""

    def open(self) -> Answer:
        """The agent begins."""

    def greet(self, greeting: str, heard: Heard | None) -> Answer:
        """The agent begins with this greeting, or answers the caller's first turn with it."""

    def answer(self, heard: Heard) -> Answer:
        """What to say to a turn of the caller's."""

    def returned(self, outcome: TransferOutcome) -> Answer:
        """The transfer that it wished, or that somebody ordered, came to nothing: what to say to the caller who is back."""

    def caller_said(self, text: str) -> None:
        """For the dialogue's memory: a turn that is certain."""

    def agent_said(self, text: str) -> None:
        """For the dialogue's memory: what the caller heard of the agent."""
