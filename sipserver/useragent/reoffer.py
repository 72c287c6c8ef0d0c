"""Our own offers and session refreshes in a call: one at a time, tried again after glare (RFC 3261 section 14.1, RFC 3311).

A request that waits, because the peer's own is open or crossed ours (491), is sent when its time has come; once an offer of the
peer's is accepted meanwhile, ours is out of date and given back with 491.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipserver.dialog import Dialog
from sipserver.legs import LegEvent, OfferAnswered, OfferRefused
from sipserver.message import MessageError, Request, Response
from sipserver.message.retry_after import retry_after
from sipserver.sdp import sdp_body
from sipserver.transaction import Alarm, cancel_of
from sipserver.useragent.acknowledgement import Acknowledgement, ack_of
from sipserver.useragent.exchange import Exchange
from sipserver.useragent.owned import Owned
from sipserver.useragent.session_timer import SessionTimer

if TYPE_CHECKING:
    from sipserver.useragent.agent import Agent
    from sipserver.useragent.leg import AgentLeg

MAX_TRIES = 6
"""Requests for one offer or refresh: more 491s, 422s or 500s than this are a refusal."""
SOON = 0.5
"""Seconds after which it is looked again whether the peer's own exchange is over."""
MAX_RETRY_AFTER = 10
"""Seconds: a 500 that asks to wait longer is a refusal (RFC 3261 section 14.2 has it name 0 to 10)."""
SDP = "application/sdp"


@dataclass(slots=True)
class _Attempt:
    """One offer, or one refresh (`sdp` None), until it is settled."""

    sdp: bytes | None
    tries: int = 0
    exchange: Exchange | None = None
    acknowledgement: Acknowledgement | None = None
    alarm: Alarm | None = None
    heard: bool = False


class Reoffers(Owned["AgentLeg"]):
    """Those of one leg. `owns_call_id` says whether the call began with us: then we wait longer after glare."""

    def __init__(self, leg: AgentLeg, agent: Agent, session: SessionTimer, *, owns_call_id: bool) -> None:
        super().__init__(leg)
        self._agent = agent
        self._session = session
        self._owns_call_id = owns_call_id
        self._attempt: _Attempt | None = None
        self._follower: bytes | None = None
        self._peer_allows: frozenset[str] = frozenset()

    @property
    def pending(self) -> bool:
        """Whether a request of ours is under way that carries an offer, or is an INVITE."""
        attempt = self._attempt
        return attempt is not None and attempt.exchange is not None and _offers(attempt.exchange.request)

    def offer(self, sdp: bytes) -> None:
        """Offer this; one of the two events follows."""
        attempt = self._attempt
        if self._follower is not None or (attempt is not None and attempt.sdp is not None):
            self._tell(OfferRefused(491, "Another offer of ours is open"))
        elif attempt is not None and attempt.exchange is not None:
            # A refresh is under way and soon over.
            self._follower = sdp
        else:
            if attempt is not None:
                self._drop(attempt)
            self._begin(sdp)

    def refresh(self) -> None:
        """Show that the session is alive. Whatever else is under way does that as well."""
        if self._attempt is None:
            self._begin(None)

    def note(self, message: Request | Response) -> None:
        """The peer's Allow, where it says one."""
        allowed = message.headers.all("allow")
        if allowed:
            self._peer_allows = frozenset(allowed)

    def give_way(self) -> None:
        """An offer of the peer's is accepted: one of ours that still waits is out of date."""
        attempt, stale = self._attempt, self._follower is not None
        self._follower = None
        if attempt is not None and attempt.exchange is None:
            self._drop(attempt)
            stale = stale or attempt.sdp is not None
        if stale:
            self._tell(OfferRefused(491, "An offer of the peer's came first"))

    def stop(self) -> None:
        """The call is over. What was sent is seen through, but not for ever."""
        attempt, self._attempt = self._attempt, None
        self._follower = None
        if attempt is None:
            return
        self._cancel(attempt)
        if attempt.exchange is not None:
            attempt.exchange.call_off()
            transaction = attempt.exchange.transaction
            if transaction is not None and transaction.request.method == "INVITE":
                self._agent.timers.after(self._patience, transaction.abandon)

    # -- sending ------------------------------------------------------------------------------------------------------

    def _begin(self, sdp: bytes | None) -> None:
        self._hold()
        self._attempt = _Attempt(sdp)
        self._try(self._attempt)

    def _wait(self, attempt: _Attempt, seconds: float) -> None:
        attempt.exchange = None
        attempt.alarm = self._agent.timers.after(seconds, lambda: self._try(attempt))

    def _try(self, attempt: _Attempt) -> None:
        """Section 14.1: no INVITE while another one is under way, from either side."""
        dialog = self._leg.dialog
        if self._leg.over or dialog is None:
            return
        if not self._leg.may_offer:
            self._wait(attempt, SOON)
            return
        attempt.tries += 1
        try:
            self._send(attempt, dialog)
        except MessageError:
            self._settle(attempt, 503, "The peer's Contact or routes lead nowhere")

    def _send(self, attempt: _Attempt, dialog: Dialog) -> None:
        request = self._request(attempt, dialog)
        exchange = Exchange(
            self._agent,
            self._leg.errand(dialog, request),
            lambda response: self._receive(attempt, exchange, response),
            lambda status, reason: self._settle(attempt, status, reason),
        )
        attempt.exchange = exchange
        if request.method == "INVITE":
            attempt.alarm = self._agent.timers.after(self._patience, lambda: self._call_off(attempt, exchange))
        exchange.start()

    def _request(self, attempt: _Attempt, dialog: Dialog) -> Request:
        """A refresh is an UPDATE without a description where the peer takes that, else it repeats our last one (RFC 4028 section 7.4)."""
        light = attempt.sdp is None and "UPDATE" in self._peer_allows
        request = dialog.request("UPDATE" if light else "INVITE")
        for name, value in self._leg.offering():
            request.headers.add(name, value)
        body = b"" if light else attempt.sdp or self._leg.local_sdp or b""
        if body:
            request.headers.add("Content-Type", SDP)
        request.body = body
        return request

    @property
    def _patience(self) -> float:
        return self._agent.transactions.intervals.patience

    def _call_off(self, attempt: _Attempt, exchange: Exchange) -> None:
        """The peer has taken the re-INVITE and decides nothing: it is taken back, and then waited for once more (section 9.1)."""
        transaction = exchange.transaction
        if attempt.exchange is not exchange or not attempt.heard or transaction is None:
            return
        layer = self._agent.transactions
        layer.request(cancel_of(transaction.request), transaction.target, _nothing, _nothing, ladder=True)

        def give_up() -> None:
            transaction.abandon()
            self._settle(attempt, 408, "No final answer came")

        attempt.alarm = self._agent.timers.after(self._patience, give_up)

    # -- what comes back ----------------------------------------------------------------------------------------------

    def _receive(self, attempt: _Attempt, exchange: Exchange, response: Response) -> None:
        if response.status < 200:
            attempt.heard = True
        elif response.status < 300:
            self._accepted(attempt, exchange, response)
        elif not self._again(attempt, exchange, response):
            self._settle(attempt, response.status, response.reason)

    def _accepted(self, attempt: _Attempt, exchange: Exchange, response: Response) -> None:
        """Every 2xx of an INVITE gets its ACK, also when the call is over meanwhile (RFC 5407 section 3.2.3)."""
        dialog = self._leg.dialog
        if dialog is None:
            return
        first = attempt.exchange is exchange and self._attempt is attempt
        if first:
            dialog.refresh(response)
        if exchange.request.method == "INVITE":
            if attempt.acknowledgement is None:
                ack = ack_of(dialog, exchange.request)
                attempt.acknowledgement = Acknowledgement(self._agent, ack, dialog, self._leg.facing.trunk)
            attempt.acknowledgement.send()
        if first and not self._leg.over:
            self._drop(attempt)
            self.note(response)
            self._session.accepted(exchange.request, response)
            if exchange.request.body:
                self._leg.local_sdp = exchange.request.body
                self._tell(OfferAnswered(sdp_body(response), exchange.request.body))
            self._go_on()

    def _again(self, attempt: _Attempt, exchange: Exchange, response: Response) -> bool:
        """Whether the request goes out once more, now or later."""
        if self._leg.over or self._attempt is not attempt or attempt.tries >= MAX_TRIES:
            return False
        delay = self._delay(attempt, exchange, response)
        if delay is None:
            return False
        self._cancel(attempt)
        if delay:
            self._wait(attempt, delay)
        else:
            self._try(attempt)
        return True

    def _delay(self, attempt: _Attempt, exchange: Exchange, response: Response) -> float | None:
        """Seconds until the next try; None where there is to be none."""
        if response.status == 491:
            return self._after_glare()
        if response.status == 500:
            return _retry_after(response)
        if response.status == 422:
            return 0.0 if self._session.longer(exchange.request, response) else None
        if response.status in (405, 501) and exchange.request.method == "UPDATE":
            self._peer_allows -= {"UPDATE"}
            return 0.0
        return None

    def _after_glare(self) -> float:
        """2.1 to 4 s for the one whose Call-ID it is, up to 2 s for the other, in steps of 10 ms (section 14.1)."""
        chance = int.from_bytes(self._agent.identity.random(2), "big")
        return 2.1 + chance % 191 / 100 if self._owns_call_id else chance % 201 / 100

    # -- the end of an attempt ----------------------------------------------------------------------------------------

    def _settle(self, attempt: _Attempt, status: int, reason: str) -> None:
        """It has failed. 408 and 481 say that nobody is there, which ends the call (section 12.2.1.2); others leave it as it was."""
        if self._attempt is not attempt or self._leg.over:
            return
        self._drop(attempt)
        if status in (408, 481):
            self._leg.lose(f"The peer no longer takes part in the call: {status} {reason}")
            return
        self._session.refused()
        if attempt.sdp is not None:
            self._tell(OfferRefused(status, reason))
        self._go_on()

    def _go_on(self) -> None:
        sdp, self._follower = self._follower, None
        if sdp is not None:
            self._begin(sdp)

    def _drop(self, attempt: _Attempt) -> None:
        self._cancel(attempt)
        if self._attempt is attempt:
            self._attempt = None

    def _tell(self, event: LegEvent) -> None:
        self._agent.happened(self._leg, event)

    def _cancel(self, attempt: _Attempt) -> None:
        if attempt.alarm is not None:
            attempt.alarm.cancel()
            attempt.alarm = None


def _offers(request: Request) -> bool:
    return request.method == "INVITE" or sdp_body(request) is not None


def _retry_after(response: Response) -> float | None:
    seconds = retry_after(response)
    return None if seconds is None or seconds > MAX_RETRY_AFTER else max(float(seconds), SOON)


def _nothing(_: object) -> None:
    """Whatever a CANCEL is answered, the INVITE's own answer counts."""
