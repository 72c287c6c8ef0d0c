"""What a call is made of besides its leg: who is on it, and what the other rooms give to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from media.frames import MediaPlane
from sipserver.ladder import Ladder
from sipserver.legs import Endpoint
from sipserver.outcome import RETRY_AFTER
from sipserver.protocols import (
    Agent,
    CallDirection,
    CallLog,
    Conversations,
    HoldMusicLibrary,
    TransferDesk,
    Trunk,
    Variables,
)


@dataclass(frozen=True, slots=True)
class TransferParts:
    """What handing a caller over needs. `new_id` makes the ids of transfers."""

    endpoint: Endpoint
    desk: TransferDesk
    music: HoldMusicLibrary
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Services:
    """What calls need of the other rooms.

    `clock` tells µs since the epoch; `media_host` is where peers reach our media, None for the address it is bound to.
    Without `transfer` no call is handed over; `retry_after` is what Retry-After says beside a 503.
    """

    log: CallLog
    media: MediaPlane
    conversations: Conversations
    ladder: Ladder
    clock: Callable[[], int]
    media_host: str | None = None
    transfer: TransferParts | None = None
    retry_after: int = RETRY_AFTER


@dataclass(frozen=True, slots=True)
class Party:
    """Who is on a call, as its row says."""

    call_id: str
    direction: CallDirection
    agent: Agent
    customer_number: str
    agent_number: str
    variables: Variables = field(default_factory=dict)
    not_ready: tuple[str, ...] = ()
    trunk: Trunk | None = None
