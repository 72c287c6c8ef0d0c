"""Who keeps the calls, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from media.call_report import MediaReport
from sipserver.protocols.calls import CallStatus, EndedReason, LiveEvent, Problem, Utterance, Variables
from sipserver.protocols.conversations import ConversationEnd
from sipserver.protocols.routes import Route
from sipserver.protocols.transfers import TransferRecord


@dataclass(frozen=True, slots=True)
class InboundCall:
    """An INVITE that was taken: the row that `CallLog.begin` writes, with status `ringing`."""

    call_id: str
    route: Route
    customer_number: str
    sip_call_id: str
    at: int
    variables: Variables = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The last word on a call; `CallLog.ended` writes it together with the jobs that follow (outbox).

    `sip_call_id` is None for a call that never became an INVITE.
    """

    status: CallStatus
    reason: EndedReason
    at: int
    sip_code: int | None = None
    sip_reason: str | None = None
    media: MediaReport | None = None
    conversation: ConversationEnd | None = None
    sip_call_id: str | None = None


class CallLog(Protocol):
    """Who keeps the calls. Every write is durable when it returns; a call that is final stays as it is."""

    async def begin(self, call: InboundCall) -> None:
        """Write an inbound call's row, status `ringing`."""

    async def ringing(self, call_id: str, sip_call_id: str, at: int) -> None:
        """An outbound call got its first 18x."""

    async def answered(self, call_id: str, sip_call_id: str, at: int) -> None:
        """The call is `in_progress`; `at` is `startedAt`."""

    async def utterance(self, call_id: str, item: Utterance) -> None:
        """Append to the transcript."""

    async def captured(self, call_id: str, values: Variables) -> None:
        """Keep what the conversation has learnt so far, so that it survives a crash."""

    async def problem(self, call_id: str, problem: Problem) -> None:
        """Append to the call's problems."""

    async def transfer(self, call_id: str, record: TransferRecord) -> None:
        """Keep how a transfer stands. What is open when the call ends is closed with it."""

    async def ended(self, call_id: str, end: CallEnd) -> None:
        """Make the call final, and queue analysis and webhook in the same transaction."""

    def publish(self, call_id: str, event: LiveEvent) -> None:
        """Show something to whoever watches. Never blocks, never fails."""

    def recording_path(self, call_id: str) -> str:
        """Where the call's WAV is written."""

    def accepting(self) -> str | None:
        """None while calls can be kept; else the sentence that says why not (disk full, store down)."""
