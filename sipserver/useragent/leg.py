"""What both ends of a call have in common: requests of the peer in the dialog, offers, and our BYE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from sipserver.dialog import Dialog
from sipserver.legs import Answered, Ended, LegEvent, Offered, OfferRefused, Source
from sipserver.message import MessageError, Request, Response, response_to
from sipserver.replaces import Replaces
from sipserver.sdp import sdp_body
from sipserver.transaction import ServerTransaction
from sipserver.useragent.accepted import AcceptedInvite
from sipserver.useragent.addresses import Facing
from sipserver.useragent.addressing import contact_scheme, reason_header
from sipserver.useragent.agent import Agent, Extra
from sipserver.useragent.exchange import Errand, Exchange
from sipserver.useragent.identity import ABLE
from sipserver.useragent.keys import answer_to_info
from sipserver.useragent.owned import weakly
from sipserver.useragent.refers import Refers
from sipserver.useragent.reoffer import Reoffers
from sipserver.useragent.session_timer import SessionTimer

SDP = "application/sdp"
UPDATE_SECONDS = 3.0
"""How long the owner may think about the offer of an UPDATE."""


class AgentLeg:
    """One INVITE dialog usage, without sockets and clocks. `over` means that its owner hears no more of it.

    `facing` is whom it leads to; its transport is the one our Contact names. The two kinds of leg say what a
    hang-up does before the call is established.
    """

    def __init__(self, agent: Agent, invite: Request, user: str | None, source: Source | None, facing: Facing) -> None:
        self.call_id = invite.call_id
        self.invite = invite
        self.source = source
        self.over = False
        self.dialog: Dialog | None = None
        self.facing = facing
        self._agent = agent
        self._user = user
        self._scheme = contact_scheme(invite)
        self._offer: ServerTransaction | None = None
        self._accepted: AcceptedInvite | None = None
        self.able = ABLE
        self.replaces: Replaces | None = None
        self.refers = Refers(self, agent.timers, agent.transactions.intervals)
        self.local_sdp: bytes | None = None
        """Our last description that holds, byte for byte: what a session refresh repeats."""
        self._session = SessionTimer(agent.timers, weakly(self._refresh_session), weakly(self._expired_session))
        self._reoffers = Reoffers(self, agent, self._session, owns_call_id=source is None)

    @property
    def established(self) -> Dialog | None:
        """The confirmed dialog; None before the 2xx."""
        raise NotImplementedError

    @property
    def contact(self) -> str:
        """The value of our Contact."""
        return self._agent.identity.contact(self._user, self.facing, self._scheme)

    def _contact_for(self, facing: Facing) -> str:
        """Our Contact in a request of ours that goes there."""
        return self._agent.identity.contact(self._user, replace(self.facing, host=facing.host), self._scheme)

    # -- what the owner does ------------------------------------------------------------------------------------------

    def accept(self, sdp: bytes) -> None:
        """Answer the pending offer with 200."""
        transaction, self._offer = self._offer, None
        if transaction is None or self.dialog is None or self.over:
            return
        self._reoffers.give_way()
        response = self.respond(transaction, 200, sdp=sdp, send=False)
        if transaction.request.method != "PRACK":
            self.dialog.refresh(transaction.request)
        if transaction.request.method != "INVITE":
            transaction.respond(response)
            return

        def acknowledged(ack: Request) -> None:
            self._accepted = None
            # Only where the offer was ours does the ACK bring something: the answer.
            if sdp_body(transaction.request) is None and not self.over:
                self._agent.happened(self, Answered(sdp_body(ack)))

        self._repeat(transaction, response, acknowledged)

    def decline(self, status: int, headers: Extra = ()) -> None:
        """Refuse the pending offer."""
        transaction, self._offer = self._offer, None
        if transaction is not None and not self.over:
            self.respond(transaction, status, headers)

    def offer(self, sdp: bytes) -> None:
        """Offer another session; `OfferAnswered` or `OfferRefused` follows."""
        if self.over:
            return
        if self.dialog is None or self.early:
            self._agent.happened(self, OfferRefused(491, "The call is not answered yet"))
        else:
            self._reoffers.offer(sdp)

    def hang_up(self, reason: str | None) -> None:
        """CANCEL, BYE or 487, whichever the state asks for; the owner hears no more."""
        raise NotImplementedError

    # -- what the peer does in the dialog -----------------------------------------------------------------------------

    def receive(self, request: Request, transaction: ServerTransaction) -> None:
        """A request in a dialog of this leg, inspected already (section 8.2)."""
        dialog = self._dialog_of(request)
        if dialog is None or (self.over and request.method not in ("BYE", "NOTIFY")):
            self.respond(transaction, 481)
        elif not dialog.in_order(request.cseq.number):
            # A request overtaken by a later one has missed its turn (section 12.2.2).
            self.respond(transaction, 500)
        else:
            self._take(transaction)

    def acknowledge(self, ack: Request) -> None:
        """An ACK in the dialog."""
        if self._accepted is not None:
            self._accepted.acknowledge(ack)

    def _invite_cancelled(self, invite: ServerTransaction, cancel: ServerTransaction) -> None:
        """A CANCEL of an INVITE in this dialog; without effect once there is a final answer (section 9.2)."""
        self.respond(cancel, 200)
        if invite is self._offer:
            self._offer = None
            self.respond(invite, 487)

    def _take(self, transaction: ServerTransaction) -> None:
        match transaction.request.method:
            case "BYE":
                self._bye(transaction)
            case "INVITE":
                self._invite(transaction)
            case "UPDATE":
                self._update(transaction)
            case "PRACK":
                self._prack(transaction)
            case "OPTIONS":
                headers = self._agent.options_headers(transaction.request, self.facing, self.able)
                self.respond(transaction, 200, headers)
            case "INFO":
                self._info(transaction)
            case "NOTIFY":
                self.refers.notified(transaction)
            case "REFER":
                self.refers.asked(transaction)
            case _:
                self.respond(transaction, 405, (("Allow", self.able.allow),))

    def _bye(self, transaction: ServerTransaction) -> None:
        self.respond(transaction, 200)
        self._peer_left("bye", transaction.request)

    def _invite(self, transaction: ServerTransaction) -> None:
        busy = self._why_busy()
        if busy is not None:
            self._refuse_offer(transaction, busy)
            return
        self.respond(transaction, 100)
        self._offer = transaction
        transaction.on_cancel = lambda cancel: self._invite_cancelled(transaction, cancel)
        self._agent.happened(self, Offered(sdp_body(transaction.request)))

    def _update(self, transaction: ServerTransaction) -> None:
        """RFC 3311 section 5.2: without an offer it only refreshes the target, and can always be answered."""
        sdp = sdp_body(transaction.request)
        if sdp is None:
            dialog = self._dialog_of(transaction.request)
            if dialog is not None:
                dialog.refresh(transaction.request)
            self.respond(transaction, 200)
        else:
            self._take_offer(transaction, sdp)

    def _take_offer(self, transaction: ServerTransaction, sdp: bytes) -> None:
        """The offer of an UPDATE or a PRACK."""
        busy = self._why_busy()
        if busy is not None:
            self._refuse_offer(transaction, busy)
        else:
            self._offer = transaction
            self._agent.timers.after(UPDATE_SECONDS, lambda: self._undecided_update(transaction))
            self._agent.happened(self, Offered(sdp))

    def _prack(self, transaction: ServerTransaction) -> None:
        """Only one who is called sends what a PRACK can acknowledge (RFC 3262 section 3)."""
        self.respond(transaction, 481)

    def _undecided_update(self, update: ServerTransaction) -> None:
        """An UPDATE is answered at once or not at all: 504 where somebody would have to be asked first (RFC 3311 section 5.2)."""
        if self._offer is update:
            self.decline(504)

    def _info(self, transaction: ServerTransaction) -> None:
        answer = answer_to_info(transaction.request)
        self.respond(transaction, answer.status, answer.headers)
        if answer.pressed is not None:
            self._agent.happened(self, answer.pressed)

    def _busy(self) -> int | None:
        """Why an offer cannot be taken now: 491 while one of ours is open, 500 while one of the peer's is (section 14.2)."""
        raise NotImplementedError

    def _why_busy(self) -> int | None:
        return 491 if self._reoffers.pending else self._busy()

    @property
    def early(self) -> bool:
        """Whether the call is not answered yet."""
        return self.dialog is None

    @property
    def may_offer(self) -> bool:
        """Whether an INVITE of ours may go out: none of the peer's is open (section 14.1)."""
        return self._offer is None and self._accepted is None

    def _refuse_offer(self, transaction: ServerTransaction, status: int) -> None:
        # The peer tries again after a random time of 0–10 s (section 14.2).
        again = (("Retry-After", str(self._agent.identity.random(1)[0] % 11)),) if status == 500 else ()
        self.respond(transaction, status, again)

    # -- answering ----------------------------------------------------------------------------------------------------

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        headers: Extra = (),
        *,
        reason: str | None = None,
        sdp: bytes | None = None,
        send: bool = True,
    ) -> Response:
        """Answer a request of the peer's. Answers that make or refresh a dialog say where we are and what we can do."""
        request = transaction.request
        extra = list(headers)
        if 100 < status < 300 and request.method in ("INVITE", "UPDATE"):
            extra += [
                ("Contact", self.contact),
                ("Allow", self.able.allow),
                ("Supported", ", ".join(self.able.options)),
            ]
            extra += self._agree_on_session(request, status)
            self.local_sdp = sdp or self.local_sdp
        extra.append(("Server", self._agent.identity.user_agent))
        response = response_to(
            request,
            status,
            reason,
            to_tag=None if self.dialog is None else self.dialog.local.tag,
            headers=extra,
            body=sdp or b"",
            content_type=SDP if sdp else None,
        )
        if send:
            transaction.respond(response)
        return response

    def _agree_on_session(self, request: Request, status: int) -> Extra:
        """What a 2xx says of the session timer, which begins anew with it; that of a call not answered yet begins with its answer."""
        self._reoffers.note(request)
        if status < 200 or (self.dialog is not None and self._dialog_of(request) is not self.dialog):
            return ()
        agreement, headers = self._session.answering(request)
        if self.early and request.method == "UPDATE":
            self._session.agreed_early(request.from_.tag or "", agreement)
        else:
            self._session.settle(agreement)
        return headers

    def offering(self) -> Extra:
        """The headers of an INVITE or UPDATE of ours in the dialog."""
        return (
            ("Contact", self.contact),
            ("Allow", self.able.allow),
            ("Supported", ", ".join(self.able.options)),
            *self._session.asking(),
            ("User-Agent", self._agent.identity.user_agent),
        )

    def _repeat(self, transaction: ServerTransaction, response: Response, on_ack: Callable[[Request], None]) -> None:
        intervals = self._agent.transactions.intervals
        self._accepted = AcceptedInvite(
            transaction, response, self._agent.timers, intervals, on_ack, self._unacknowledged
        )

    def _unacknowledged(self) -> None:
        """64*T1 without an ACK: the dialog is confirmed, but nobody is there (section 13.3.1.4)."""
        self._accepted = None
        self.lose("Our 200 was never acknowledged", "No ACK")

    def _refresh_session(self) -> None:
        self._reoffers.refresh()

    def _expired_session(self) -> None:
        """Nobody has refreshed the session (RFC 4028 section 10)."""
        self.lose("The session expired: nothing showed that the peer is still there", "Session expired")

    def lose(self, reason: str, said: str | None = None) -> None:
        """The peer is not there any more, or has lost the dialog. It is told BYE all the same: some only have lost the request."""
        if not self.over:
            self._tell_end(Ended("lost", reason))
            self.send_bye(said)

    # -- the end ------------------------------------------------------------------------------------------------------

    def send_bye(self, reason: str | None) -> None:
        """End the confirmed dialog. A pending offer is refused first (section 15.1.2 asks the other side for the same)."""
        if self.dialog is None:
            return
        if self._offer is not None:
            offer, self._offer = self._offer, None
            self.respond(offer, 487)
        self.finish()
        self._bye_on(self.dialog, reason)

    def finish(self) -> None:
        """The owner hears no more of this leg."""
        if not self.over:
            self.over = True
            self.refers.close()
            self._session.stop()
            self._reoffers.stop()
            self._agent.over(self)

    def _bye_on(self, dialog: Dialog, reason: str | None) -> None:
        def done(*_: object) -> None:
            self._agent.leave(dialog.id)

        def on_response(response: Response) -> None:
            if response.status >= 200:
                done()

        request = dialog.request("BYE")
        if reason:
            request.headers.add("Reason", reason_header(reason))
        try:
            self.send(dialog, request, on_response, done)
        except MessageError:
            # The peer's Contact or routes lead nowhere; there is nobody to say goodbye to.
            done()

    def send(
        self,
        dialog: Dialog,
        request: Request,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int, str], None],
    ) -> Exchange:
        """Send a request in the dialog. Raises MessageError where the dialog leads nowhere."""
        request.headers.add("User-Agent", self._agent.identity.user_agent)
        exchange = Exchange(self._agent, self.errand(dialog, request), on_response, on_failure)
        exchange.start()
        return exchange

    def happened(self, event: LegEvent) -> None:
        """Something to tell the owner."""
        if not self.over:
            self._agent.happened(self, event)

    def errand(self, dialog: Dialog, request: Request) -> Errand:
        """How a request in the dialog goes out."""
        contact = self._contact_for if "contact" in request.headers else None
        return Errand(
            request, dialog.next_hop(), dialog.next_cseq, dialog.flow, trunk=self.facing.trunk, contact=contact
        )

    def _peer_left(self, by: Literal["bye", "cancel"], request: Request) -> None:
        if self._accepted is not None:
            self._accepted.stop()
            self._accepted = None
        if self._offer is not None:
            offer, self._offer = self._offer, None
            self.respond(offer, 487)
        self._tell_end(Ended(by, request.headers.get("reason")))
        if self.dialog is not None:
            self._agent.leave(self.dialog.id)

    def _tell_end(self, event: LegEvent) -> None:
        if not self.over:
            self.refers.left()
            self._agent.happened(self, event)
            self.finish()

    def _dialog_of(self, request: Request) -> Dialog | None:
        return self.dialog
