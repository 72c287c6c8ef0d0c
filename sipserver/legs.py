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
from sipserver.message.check import Refusal
from sipserver.protocols import Trunk
from sipserver.replaces import DialogName, Replaces


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
    """A provisional answer above 100 to our INVITE; `sdp` where it brought early media, `fork` the To tag of whoever sent it."""

    status: int
    reason: str
    sdp: bytes | None = None
    fork: str | None = None


@dataclass(frozen=True, slots=True)
class Answered(LegEvent):
    """UAC: a 2xx came (its ACK has been sent). UAS: the ACK of our 2xx came; `sdp` is the body that it brought.

    Of a 2xx without a description, `sdp` is the one that the same fork sent with an 18x before.
    """

    sdp: bytes | None = None


@dataclass(frozen=True, slots=True)
class Agreed(LegEvent):
    """UAS: the PRACK of a reliable 18x that carried our offer came; `sdp` is the answer in it (None: it lacks)."""

    sdp: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refused(LegEvent):
    """UAC: a final answer of 3xx–6xx, or one made here: 408 for a time-out, 503 for a transport that failed. The leg is over.

    `problem` is a sentence for the call's problems, where the answer asked for something that we do not do; `cause` is that of
    Q.850, where the telephone network told it in a Reason header (RFC 3326).
    """

    status: int
    reason: str
    problem: str | None = None
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class Offered(LegEvent):
    """The peer's re-INVITE or UPDATE brought an offer (None: it asks for ours). Answer it with `accept` or `decline`."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class OfferAnswered(LegEvent):
    """The peer took our offer, or a session refresh that repeated it: `sdp` is its answer, `offer` what it answers."""

    sdp: bytes | None
    offer: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused(LegEvent):
    """The peer refused our offer; the session goes on as it was (RFC 3261 section 14.1).

    491: an offer of the peer's was accepted before ours could be sent. Made anew, it may be sent at once.
    """

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class KeyPressed(LegEvent):
    """The peer told of a key by INFO."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Ended(LegEvent):
    """The leg is over: the peer's BYE or CANCEL, or its silence (`lost`: no ACK, no answer in the dialog)."""

    by: Literal["bye", "cancel", "lost"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReferProgress(LegEvent):
    """What has become of our REFER. After one with `final` there are no more; exactly one final one comes before `Ended`.

    `status` is what the far end's NOTIFYs say that its own INVITE was answered (RFC 3515 section 2.4.5): 100–199 while it goes
    on, 200 for success, 300–699 for failure. Three come from elsewhere: 100 when the REFER was accepted; what the REFER itself
    was refused with; 408 and 503 for a REFER or a subscription that got no answer. A final 202 means that the peer has taken
    the REFER and will say no more (it hung up, or keeps its progress to itself): whether the transfer succeeded is not known.
    """

    status: int
    reason: str
    final: bool


@dataclass(frozen=True, slots=True)
class Referred(LegEvent):
    """The peer asks us to call `to` in its stead (REFER): `accept_refer` or `decline_refer`, soon: it waits for an answer.

    `to` is a sip:, sips: or tel: URI, without the headers that may have stood in it, except `replaces`: the dialog at the
    target that the new call is to replace (RFC 5589 section 7). `referred_by` is the header as it came (RFC 3892). All of it is
    the peer's word only.
    """

    to: str
    replaces: Replaces | None = None
    referred_by: str | None = None


class Leg(Protocol):
    """One INVITE dialog usage. Methods on a leg that is over do nothing, except `notify_refer`."""

    call_id: str
    """The SIP Call-ID."""
    invite: Request
    """The INVITE that was received or sent (without credentials)."""
    source: Source | None
    """UAS: where the INVITE came from; UAC: None."""
    replaces: Replaces | None
    """UAS: the dialog that this INVITE is to take the place of (RFC 3891); `Replaces.names` finds the leg. UAC: None."""

    @property
    def dialog(self) -> DialogName | None:
        """The name of the leg's dialog; None before there is one. `Replaces.at_peer` makes of it what `refer` takes."""

    @property
    def peer(self) -> str | None:
        """The URI of the peer's Contact: whom an attended transfer to this leg's peer names (RFC 5589 section 7.1)."""

    def events(self) -> AsyncIterator[LegEvent]:
        """Every event in order; ends when the leg is over. One consumer."""

    def ring(self, status: int = 180, sdp: bytes | None = None, reliable: bool = False) -> None:
        """UAS: a provisional answer (180, 183, 181, 182).

        It is sent reliably (RFC 3262) where the caller requires that, and with `reliable` also where the caller supports it.
        Where the INVITE brought no offer, `sdp` is ours, and `Agreed` brings the answer.
        """

    def answer(self, sdp: bytes | None, session_timer: int | None = None) -> None:
        """UAS: 200, repeated until the ACK comes (RFC 3261 section 13.3.1.4); `Answered` or `Ended(lost)` follows.

        A description that a reliable provisional answer has carried already, or that was agreed by `Agreed`, is left out.
        `session_timer`: the session interval that we ask for, in seconds (RFC 4028); None leaves it to the peer.
        """

    def reject(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        """UAS: a final answer of 3xx–6xx; the leg is over."""

    def accept(self, sdp: bytes) -> None:
        """Answer the pending `Offered` with 200 and this SDP."""

    def decline(self, status: int = 488, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Refuse the pending `Offered`; the session goes on as it was (RFC 3261 section 14.2)."""

    def offer(self, sdp: bytes) -> None:
        """Offer another session in an answered call. `OfferAnswered` or `OfferRefused` follows, unless the leg ends.

        Glare is resolved, and the peer's own exchange waited for.
        """

    def hang_up(self, reason: str | None = None) -> None:
        """CANCEL, BYE or 487, whichever the leg's state asks for; `reason` goes into the Reason header (RFC 3326)."""

    def refer(self, to: str, replaces: Replaces | None = None, referred_by: str | None = None) -> bool:
        """Ask the peer to call `to`, a sip:, sips: or tel: URI (REFER, RFC 3515); `ReferProgress` tells how it goes.

        With `replaces` it is an attended transfer: `to` is the `peer` of another leg, `replaces` the name of its dialog there.
        `referred_by` is a URI, that of our side of the dialog if it is not given. The call goes on until somebody hangs up.
        False, and no event follows, while there is no answered call and while an earlier REFER has not come to its end.
        Raises MessageError for what cannot be written as SIP.
        """

    def accept_refer(self) -> None:
        """Take the pending `Referred`: 202, and a NOTIFY that says 100 Trying (none where the peer wants none, RFC 4488)."""

    def notify_refer(self, status: int, reason: str | None = None) -> None:
        """Tell the peer what the call that it asked for was answered; 200 and above are the last word. Also after the leg's end."""

    def decline_refer(self, status: int = 603) -> None:
        """Refuse the pending `Referred`; the call goes on."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A call to be placed: to whom, as whom, over which trunk. `to` and `from_user` as they stand in the URIs' user part.

    `uri` replaces the Request-URI and To that `to` makes at the trunk, for who was named by a REFER; the INVITE goes to the trunk
    all the same. `replaces` and `referred_by` are those headers (RFC 3891, RFC 3892). `takes_refer`: our Allow tells the peer that
    its `Referred` would be accepted.
    """

    trunk: Trunk
    to: str
    from_user: str
    sdp: bytes
    display_name: str | None = None
    headers: Sequence[tuple[str, str]] = field(default_factory=tuple)
    call_id: str | None = None
    uri: str | None = None
    replaces: Replaces | None = None
    referred_by: str | None = None
    takes_refer: bool = False


LadderTap = Callable[[str, Literal["<", ">"], Request | Response], None]
"""Called with (SIP Call-ID, direction, message) for each message of a dialog, in and out; it must not block."""


class Guard(Protocol):
    """Decides, before any state is made, whether a request may come in."""

    def admit(self, request: Request, source: Source) -> int | Refusal | None:
        """None: it may. Else the status to answer statelessly, with headers where a Refusal has them; 0 to drop without an answer."""

    def trusts(self, source: Source) -> bool:
        """Whether all requests from there may come in, so that none need be read for it."""


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
