"""Who talks on a call, and what that came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from media.frames import CallMedia
from sipserver.protocols.agents import Agent
from sipserver.protocols.calls import CallDirection, EndedReason, Variables
from sipserver.protocols.off_record import OffRecord
from sipserver.protocols.transfers import Transfer, TransferOrder


@dataclass(frozen=True, slots=True)
class ConversationEnd:
    """What a conversation came to. `reason` is None when the far end or the network ended it."""

    reason: EndedReason | None
    captured: Variables = field(default_factory=dict)
    turn_count: int = 0
    turn_latencies_ms: tuple[int, ...] = ()
    opt_out: bool = False


@dataclass(frozen=True, slots=True)
class LiveCall:
    """An answered call, as its conversation sees it. `media` is connected: position 0 was the answer.

    `may_fail`: when the conversation ends with `EndedReason.ERROR` another agent goes on, so nobody says goodbye to the caller.
    """

    id: str
    direction: CallDirection
    agent: Agent
    customer_number: str
    agent_number: str
    variables: Variables
    media: CallMedia
    off_record: OffRecord
    not_ready: tuple[str, ...] = ()
    transfer: Transfer | None = None
    may_fail: bool = False


@dataclass(frozen=True, slots=True)
class SpeechOrder:
    """What the agent is to say because somebody ordered it; `{{variables}}` are filled in.

    It is said when neither side speaks; with `interrupt` at once, in place of what the agent says. With `ends` the agent hangs up
    afterwards.
    """

    text: str
    interrupt: bool = False
    ends: bool = False


class Conversation(Protocol):
    """Talks on one call until there is no more to say; cancelled when the far end hangs up."""

    async def run(self, call: LiveCall) -> ConversationEnd:
        """Returns when the agent ends the call (we then send BYE). Only a defect of ours raises.

        When it is cancelled (the peer's BYE, a failed media process) it puts down what was heard so far and raises
        CancelledError; `result` then tells what it had come to.
        """

    def hand_over(self, order: TransferOrder) -> bool:
        """Somebody ordered the caller to be handed over: the agent lets go and does it. False if it cannot now."""

    def speak(self, order: SpeechOrder) -> bool:
        """Somebody ordered the agent to say something. False if it cannot: it has gone, is parting, or has enough to say."""

    def result(self) -> ConversationEnd:
        """What the conversation has come to so far; also after `run` was cancelled. `reason` None if undecided."""


class Conversations(Protocol):
    """Makes conversations: one for each call."""

    def create(self, call: LiveCall) -> Conversation:
        """A conversation that has not begun."""
