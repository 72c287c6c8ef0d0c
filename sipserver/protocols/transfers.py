"""Handing a caller over: the order, how it stands, what it came to, who may be called for it, the music meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from media.frames import CallMedia, Pcm
from sipserver.protocols.agents import Agent, TransferMode, TransferTarget
from sipserver.protocols.calls import Utterance


class TransferStatus(StrEnum):
    """How far a transfer is (CONTRACT, `transferStatus`); the last three are final."""

    INITIATED = "initiated"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class TransferFailure(StrEnum):
    """Why a transfer came to nothing, so that the caller is with the agent again."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    REFER_REFUSED = "refer_refused"
    NOT_ALLOWED = "not_allowed"
    AT_CAPACITY = "at_capacity"


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """A transfer of a call as it stands: written again, under the same `id`, whenever it has come further.

    `to` is whom we dialled, None for an agent. `started_at` is the answer of a leg of our own, None where there is none.
    `transcript` is what was said to whoever answered, in milliseconds of their leg.
    """

    id: str
    mode: TransferMode
    status: TransferStatus
    label: str
    to: str | None
    created_at: int
    started_at: int | None = None
    ended_at: int | None = None
    failure: TransferFailure | None = None
    sip_code: int | None = None
    transcript: tuple[Utterance, ...] = ()


class HoldMusicLibrary(Protocol):
    """What callers hear while they wait (`holdMusicUrl`)."""

    async def load(self, url: str | None) -> Pcm:
        """The music behind a URL, int16 (samples,), 8 kHz, to be played in a loop (`media.music.HoldMusic`).

        Our own melody where there is no URL, or where what it leads to cannot be fetched in time, is too large or is no audio. Never
        raises; at most some seconds, and from memory or disk for a URL that was loaded before.
        """


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """A caller is to be handed over to this target. `briefing`: what a human is told first, None where nothing was given."""

    target: TransferTarget
    briefing: str | None = None


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """What a transfer came to. `failure` None: the caller is with somebody else now; `sip_code` is the answer that said no."""

    failure: TransferFailure | None = None
    sip_code: int | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """What a conversation gives to a transfer besides its order.

    `quiet` returns when the agent has said to the caller what it had to say: then hold music may begin. `brief` speaks the briefing
    to whoever answered, on their media, and returns what was said.
    """

    order: TransferOrder
    quiet: Callable[[], Awaitable[None]]
    brief: Callable[[CallMedia], Awaitable[Sequence[Utterance]]]


Transfer = Callable[[Handover], Awaitable[TransferOutcome]]
"""Hands the caller of a call over. With a failure the caller is the conversation's again; without one the conversation is over and
returns with `EndedReason.TRANSFERRED`."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """An agent to whom a call can be handed over; `not_ready` as in `Route`."""

    agent: Agent
    not_ready: tuple[str, ...] = ()


class TransferDesk(Protocol):
    """Who may be called to take a caller over."""

    def refusal(self, to: str, from_number: str, region: str | None = None, *, extension: bool = False) -> str | None:
        """Why this number must not be dialled from that one (the dialling policy), a sentence; None when it may.

        With `extension` also a name or short number within the trunk's own PBX may be called. `region` is the trunk's, home of
        a `from_number` that is an extension.
        """

    async def colleague(self, agent_id: str, organization_id: str) -> Colleague | None:
        """Another agent of the organization that takes calls; None when there is none of this id."""
