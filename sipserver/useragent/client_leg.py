"""A call that we place: the INVITE's side that calls (RFC 3261 sections 13.2, 9.1 and 15), forks included."""

from __future__ import annotations

from dataclasses import replace

from sipserver.dialog import Dialog
from sipserver.legs import Answered, Progress, Refused
from sipserver.message import MessageError, Request, Response
from sipserver.message.extensions import RAck, reliable_number
from sipserver.sdp import sdp_body
from sipserver.transaction import ClientTransaction, ServerTransaction, cancel_of
from sipserver.useragent.acknowledgement import Acknowledgement, ack_of
from sipserver.useragent.addresses import Facing
from sipserver.useragent.addressing import q850_cause, reason_header
from sipserver.useragent.agent import Agent
from sipserver.useragent.early import MAX_FORKS, Forks, Turn
from sipserver.useragent.exchange import Errand, Exchange
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.placing import Placing
from sipserver.useragent.second_try import SecondTries


class ClientLeg(AgentLeg):
    """Calling, until the first 2xx or a failure. Each To tag of an answer is an early dialog; the first to give a 2xx is the
    call, each other one that does is acknowledged and ended at once.
    """

    def __init__(self, agent: Agent, placing: Placing) -> None:
        super().__init__(agent, placing.request, placing.user, None, placing.facing)
        self._digest = placing.digest
        self.able = placing.able
        self._cseq = placing.request.cseq.number
        self._dialogs: dict[str, Dialog] = {}
        self._acks: dict[str, Acknowledgement] = {}
        self._forks = Forks()
        self._heard: ClientTransaction | None = None
        self._decided = False
        self._cancel_reason: str | None = None
        self._tries = SecondTries(placing)
        self._exchange = self._exchange_of(placing)
        self.local_sdp = placing.request.body or None

    @property
    def established(self) -> Dialog | None:
        """Since the first 2xx."""
        return self.dialog

    def start(self) -> None:
        """Send the INVITE."""
        self._exchange.start()

    # -- what the owner does ------------------------------------------------------------------------------------------

    def hang_up(self, reason: str | None) -> None:
        """CANCEL while nothing is decided, and not before a provisional answer (section 9.1); BYE afterwards."""
        if self.over:
            return
        if self._decided:
            self.send_bye(reason)
            return
        self._cancel_reason = reason
        self._exchange.call_off()
        self.finish()
        if self._heard is not None and self._heard is self._exchange.transaction:
            self._send_cancel()

    # -- what comes back ----------------------------------------------------------------------------------------------

    def _receive(self, response: Response) -> None:
        if response.status < 200:
            self._progress(response)
        elif response.status < 300:
            self._success(response)
        else:
            self._refused(response)

    def _progress(self, response: Response) -> None:
        # An INVITE that is sent again, with credentials or to another target, may not be cancelled unheard either (section 9.1).
        first, self._heard = self._heard is not self._exchange.transaction, self._exchange.transaction
        if response.status > 100 and not self._decided:
            self._hear(response)
        if self.over and first and not self._decided:
            self._send_cancel()

    def _hear(self, response: Response) -> None:
        turn = self._forks.hear(response)
        if turn is Turn.OUT_OF_TURN:
            return
        dialog = self._early_dialog(response)
        if turn is Turn.NEXT and dialog is not None:
            self._acknowledge(dialog, response)
        if not self.over:
            self._agent.happened(self, Progress(response.status, response.reason, sdp_body(response), response.to.tag))

    def _early_dialog(self, response: Response) -> Dialog | None:
        """A provisional answer with a tag and a Contact makes one (section 12.1.2); without them it only tells."""
        tag = response.to.tag
        if tag is None or (tag not in self._dialogs and len(self._dialogs) >= MAX_FORKS):
            return None
        try:
            if tag not in self._dialogs:
                self._enter(self._new_dialog(response), tag)
            elif reliable_number(response) is not None:
                self._dialogs[tag].confirm(self._exchange.request, response)
        except MessageError:
            pass
        return self._dialogs.get(tag)

    def _acknowledge(self, dialog: Dialog, response: Response) -> None:
        """PRACK, a request in the early dialog. Whatever it is answered, the INVITE's own answer decides (RFC 3262 section 4)."""
        prack = dialog.request("PRACK")
        prack.headers.add("RAck", str(RAck(reliable_number(response) or 0, response.cseq.number, "INVITE")))
        prack.headers.add("User-Agent", self._agent.identity.user_agent)
        Exchange(self._agent, self.errand(dialog, prack), lambda _: None, lambda *_: None).start()

    def _refused(self, response: Response) -> None:
        """A final answer that is no 2xx, and no challenge that we could answer."""
        if not self._try_again(response):
            self._failed(response.status, response.reason, q850_cause(response))

    def _unanswered(self, status: int, reason: str) -> None:
        if not self._try_again(None):
            self._failed(status, reason)

    def _try_again(self, response: Response | None) -> bool:
        if self.over or self._decided:
            return False
        number = self._cseq + 1
        again = self._tries.after(self._exchange.request, response, self._exchange.target, number)
        if again is None:
            return False
        self._cseq = number
        self._leave_dialogs()
        self._exchange = self._exchange_of(again)
        self._exchange.start()
        return True

    def _success(self, response: Response) -> None:
        """Every 2xx gets its ACK, also each repetition (section 13.2.2.4); the first one is the call."""
        tag = response.to.tag or ""
        known = self._acks.get(tag)
        if known is not None:
            known.send()
            return
        if len(self._acks) >= MAX_FORKS:
            return
        try:
            dialog = self._confirmed(response, tag)
        except MessageError:
            # Without a Contact there is nobody to send the ACK to.
            if not self._decided:
                self._failed(502, "The answer has no usable Contact")
            return
        self._acks[tag] = Acknowledgement(
            self._agent, ack_of(dialog, self._exchange.request), dialog, self.facing.trunk
        )
        self._acks[tag].send()
        self._decide(dialog, response)

    def _decide(self, dialog: Dialog, response: Response) -> None:
        first, self._decided = not self._decided, True
        if first:
            self._agent.timers.after(self._agent.transactions.intervals.patience, self._forget_early)
        if first and not self.over:
            self.dialog = dialog
            self._reoffers.note(response)
            self._session.accepted(self._exchange.request, response)
            self._agent.happened(self, Answered(self._forks.sdp_of(response)))
            return
        # A fork that lost, or a 2xx that crossed our CANCEL (RFC 5407 section 3.1.2).
        self._bye_on(dialog, self._cancel_reason if first else None)

    def _confirmed(self, response: Response, tag: str) -> Dialog:
        dialog = self._dialogs.get(tag)
        if dialog is None:
            dialog = self._new_dialog(response)
            self._enter(dialog, tag)
        else:
            dialog.confirm(self._exchange.request, response)
        return dialog

    def _forget_early(self) -> None:
        """64*T1 after the first 2xx no other fork can succeed any more (section 13.2.2.4)."""
        for tag in [tag for tag in self._dialogs if tag not in self._acks]:
            self._agent.leave(self._dialogs.pop(tag).id)

    def _failed(self, status: int, reason: str, cause: int | None = None) -> None:
        self._decided = True
        self._leave_dialogs()
        self._tell_end(Refused(status, reason, self._tries.problem, cause))

    def _leave_dialogs(self) -> None:
        """An INVITE that failed leaves no early dialog (section 12.3)."""
        for dialog in self._dialogs.values():
            self._agent.leave(dialog.id)
        self._dialogs.clear()

    # -- what goes out ------------------------------------------------------------------------------------------------

    def _send_cancel(self) -> None:
        """Once, on the INVITE's own way; if nothing final follows in 64*T1, wait no longer (section 9.1)."""
        transaction = self._exchange.transaction
        if transaction is None:
            return
        cancel = cancel_of(transaction.request)
        if self._cancel_reason:
            cancel.headers.add("Reason", reason_header(self._cancel_reason))
        layer = self._agent.transactions
        layer.request(cancel, transaction.target, lambda _: None, lambda _: None, ladder=True)
        self._agent.timers.after(layer.intervals.patience, self._abandon)

    def _abandon(self) -> None:
        if not self._decided and self._exchange.transaction is not None:
            self._exchange.transaction.abandon()
            self._failed(408, "No final answer came")

    def _exchange_of(self, placing: Placing) -> Exchange:
        errand = Errand(
            _copy(placing.request), placing.hop, self._next_cseq, others=placing.others, domain=placing.domain, digest=placing.digest,
            trunk=placing.trunk, contact=self._reached_at,
        )  # fmt: skip
        return Exchange(self._agent, errand, self._receive, self._unanswered)

    def _reached_at(self, facing: Facing) -> str:
        """Our Contact, now that it is known where the INVITE goes; it stays the one of the call."""
        self.facing = facing
        return self.contact

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    # -- the dialog ---------------------------------------------------------------------------------------------------

    def errand(self, dialog: Dialog, request: Request) -> Errand:
        """The trunk's password answers the trunk's challenges only: those of the address that the INVITE went to."""
        target = self._exchange.target
        digest = None if target is None else self._digest
        trusted = None if target is None else target.host
        return replace(super().errand(dialog, request), digest=digest, trusted=trusted)

    def _new_dialog(self, response: Response) -> Dialog:
        """A TLS peer has shown its certificate on the connection of the INVITE; if its Contact leads there, that is used."""
        target = self._exchange.target
        flow = target.connection if target is not None and target.transport == "tls" else None
        return Dialog.of_client(self._exchange.request, response, flow)

    def _enter(self, dialog: Dialog, tag: str) -> None:
        self._dialogs[tag] = dialog
        self._agent.enter(dialog.id, self)

    def _dialog_of(self, request: Request) -> Dialog | None:
        return self._dialogs.get(request.from_.tag or "")

    def _bye(self, transaction: ServerTransaction) -> None:
        """The callee may not end an early dialog (section 15); in a fork that lost, it only ends that."""
        dialog = self._dialog_of(transaction.request)
        if dialog is self.dialog:
            super()._bye(transaction)
            return
        self.respond(transaction, 200 if (transaction.request.from_.tag or "") in self._acks else 481)

    def _busy(self) -> int | None:
        if self.dialog is None:
            return 491
        return 500 if self._offer is not None or self._accepted is not None else None


def _copy(request: Request) -> Request:
    return Request(request.method, request.uri, request.headers.copy(), request.body)
