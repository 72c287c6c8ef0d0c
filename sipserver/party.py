"""What a call is made of besides its leg: who is on it, and what the other rooms give to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from media.frames import MediaPlane
from sipserver.ladder import Ladder
from sipserver.legs import Endpoint, Leg
from sipserver.outcome import RETRY_AFTER
from sipserver.protocols import (
    Agent,
    CallDirection,
    CallLog,
    Colleague,
    Conversations,
    HoldMusicLibrary,
    TransferDesk,
    Trunk,
    TrunkOptions,
    Variables,
)
from sipserver.trace.rtp import RtpTraces
from sipserver.trunk_room import TrunkRoom


@dataclass(frozen=True, slots=True)
class TransferParts:
    """What handing a caller over needs. `new_id` makes the ids of transfers."""

    endpoint: Endpoint
    desk: TransferDesk
    music: HoldMusicLibrary
    new_id: Callable[[], str]


MediaHost = Callable[[Trunk | None, Leg | None], Awaitable[str | None]]


async def as_bound(_trunk: Trunk | None, _leg: Leg | None) -> None:
    """Peers reach our media where they are bound."""


@dataclass(frozen=True, slots=True)
class Services:
    """What calls need of the other rooms.

    `clock` tells µs since the epoch; `media_host` says where the peers of a trunk reach our media, given the leg that came in (None: we
    place the call); it answers None for the address that they are bound to. Without `transfer` no
    call is handed over; `room` knows the channels of trunks (None: they have all that is asked for);
    `retry_after` is what Retry-After says beside a 503; `rtp` keeps the headers of RTP packets.
    """

    log: CallLog
    media: MediaPlane
    conversations: Conversations
    ladder: Ladder
    clock: Callable[[], int]
    media_host: MediaHost = as_bound
    transfer: TransferParts | None = None
    room: TrunkRoom | None = None
    retry_after: int = RETRY_AFTER
    rtp: RtpTraces = field(default_factory=RtpTraces)


@dataclass(frozen=True, slots=True)
class Party:
    """Who is on a call, as its row says. `stand_in` is the agent who goes on when the first one's conversation breaks."""

    call_id: str
    direction: CallDirection
    agent: Agent
    customer_number: str
    agent_number: str
    variables: Variables = field(default_factory=dict)
    not_ready: tuple[str, ...] = ()
    trunk: Trunk | None = None
    stand_in: Colleague | None = None

    @property
    def options(self) -> TrunkOptions:
        """Those of its trunk."""
        return TrunkOptions() if self.trunk is None else self.trunk.options
