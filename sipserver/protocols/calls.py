"""Calls, as every room sees them: their direction, status and end, what was said in them, what went wrong, what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

Variables = Mapping[str, Any]


class CallDirection(StrEnum):
    """Who rang."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class CallStatus(StrEnum):
    """The statuses of the contract; the last three are final."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    NO_ANSWER = "no_answer"


class EndedReason(StrEnum):
    """Why a call ended (CONTRACT, `endedReason`)."""

    AGENT_ENDED = "agent_ended"
    CUSTOMER_ENDED = "customer_ended"
    TRANSFERRED = "transferred"
    MAX_DURATION = "max_duration"
    SILENCE_TIMEOUT = "silence_timeout"
    VOICEMAIL = "voicemail"
    BUSY = "busy"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    NO_ANSWER = "no_answer"
    CANCELED = "canceled"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    MEDIA_TIMEOUT = "media_timeout"
    TRUNK_UNAVAILABLE = "trunk_unavailable"
    AT_CAPACITY = "at_capacity"
    NODE_LOST = "node_lost"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One item of the transcript. `text` is what was said, for the agent what was *heard* of it. Milliseconds of the recording."""

    role: Literal["user", "assistant"]
    text: str
    start_ms: int
    end_ms: int
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong in a call and did not end it, for `problems` on the call's resource."""

    at: int
    part: Literal["sip", "stt", "llm", "tts", "tool", "webhook", "media"]
    message: str


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something to show while a call runs (`/v1/calls/{id}/events`, `antiphon calls tail`); nothing depends on it.

    kind: `status`, `sip` (a message of the ladder: direction, summary), `speech` (who: user or agent, on: bool),
    `partial` (text), `utterance` (role, text, interrupted), `digit`, `barge_in`, `turn` (latencyMs), `latency`,
    `recording` (on: false while the call is off the record), `transfer` (transferType, transferStatus, label, failureReason),
    `problem`, `quality` (as the call's own, at its end).
    """

    kind: str
    data: Mapping[str, Any]
