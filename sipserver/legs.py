"""The face of the SIP user agent: an endpoint, and the legs of calls. Another stack could stand behind it.

A *leg* is one INVITE dialog usage (RFC 3261 sections 12–15), from either side. What happens on it arrives as events, what is
to be done are methods; SDP passes as bytes, for offers and answers are `sipserver.offer`'s business. Retransmissions, ACKs,
digest retries, CANCEL races and route sets are the endpoint's and never seen here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sipserver.message import Request, Response
from sipserver.protocols import Trunk


@dataclass(frozen=True, slots=True)
class Source:
    """Where a message came from. `server_name` is the domain that a TLS connection of ours was made for."""

    transport: Literal["udp", "tcp", "tls"]
    host: str
    port: int
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class LegEvent:
    """Something that happened on a leg."""


@dataclass(frozen=True, slots=True)
class Progress(LegEvent):
    """A provisional answer above 100 to our INVITE; `sdp` where it brought early media."""

    status: int
    reason: str
    sdp: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answered(LegEvent):
    """UAC: a 2xx came (its ACK has been sent). UAS: the ACK of our 2xx came; `sdp` is the body that it brought."""

    sdp: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refused(LegEvent):
    """UAC: a final answer of 3xx–6xx, or one made here: 408 for a time-out, 503 for a transport that failed. The leg is over."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Offered(LegEvent):
    """The peer's re-INVITE or UPDATE brought an offer (None: it asks for ours). Answer it with `accept` or `decline`."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Ended(LegEvent):
    """The leg is over: the peer's BYE or CANCEL, or its silence (`lost`: no ACK, no answer in the dialog)."""

    by: Literal["bye", "cancel", "lost"]
    reason: str | None = None


class Leg(Protocol):
    """One INVITE dialog usage. Methods on a leg that is over do nothing."""

    call_id: str
    """The SIP Call-ID."""
    invite: Request
    """The INVITE that was received or sent (without credentials)."""
    source: Source | None
    """UAS: where the INVITE came from; UAC: None."""

    def events(self) -> AsyncIterator[LegEvent]:
        """Every event in order; ends when the leg is over. One consumer."""

    def ring(self, status: int = 180, sdp: bytes | None = None) -> None:
        """UAS: a provisional answer (180, 183, 181, 182)."""

    def answer(self, sdp: bytes) -> None:
        """UAS: 200, repeated until the ACK comes (RFC 3261 section 13.3.1.4); `Answered` or `Ended(lost)` follows."""

    def reject(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        """UAS: a final answer of 3xx–6xx; the leg is over."""

    def accept(self, sdp: bytes) -> None:
        """Answer the pending `Offered` with 200 and this SDP."""

    def decline(self, status: int = 488) -> None:
        """Refuse the pending `Offered`; the session goes on as it was (RFC 3261 section 14.2)."""

    def hang_up(self, reason: str | None = None) -> None:
        """CANCEL, BYE or 487, whichever the leg's state asks for; `reason` goes into the Reason header (RFC 3326)."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A call to be placed: to whom, as whom, over which trunk. `to` and `from_user` as they stand in the URIs' user part."""

    trunk: Trunk
    to: str
    from_user: str
    sdp: bytes
    display_name: str | None = None
    headers: Sequence[tuple[str, str]] = field(default_factory=tuple)
    call_id: str | None = None


LadderTap = Callable[[str, Literal["<", ">"], Request | Response], None]
"""Called with (SIP Call-ID, direction, message) for each message of a dialog, in and out; it must not block."""


class Guard(Protocol):
    """Decides, before any state is made, whether a request may come in."""

    def admit(self, request: Request, source: Source) -> int | None:
        """None: it may. Else the status to answer statelessly; 0 to drop without an answer."""


class Endpoint(Protocol):
    """A SIP user agent: five methods."""

    async def start(self, on_invite: Callable[[Leg], Awaitable[None]], is_full: Callable[[], bool] = ...) -> None:
        """Bind, and call `on_invite` in a task of its own for each new inbound leg (100 has been sent). Raises OSError.

        While `is_full` says so, a new INVITE gets 503 before any state is made for it.
        """

    def invite(self, invitation: Invitation) -> Leg:
        """Place a call; its events tell how it goes. Never raises for what the network does."""

    async def options(self, trunk: Trunk, timeout: float) -> Response | None:
        """Ask the trunk for a sign of life; None when nothing came."""

    def drain(self) -> None:
        """From now on 503 for new INVITEs and for OPTIONS."""

    async def stop(self) -> None:
        """End what is left (487, CANCEL, BYE), wait for it briefly, close the sockets."""
