"""A call that came in: the INVITE's side that is called (RFC 3261 sections 13.3 and 15)."""

from __future__ import annotations

from sipserver.dialog import Dialog
from sipserver.legs import Agreed, Answered, Ended, Source
from sipserver.message import MessageError, Request
from sipserver.message.extensions import RELIABLE, RAck, requires, supports
from sipserver.replaces import replaces_of
from sipserver.sdp import sdp_body
from sipserver.transaction import ServerTransaction
from sipserver.useragent.accepted import AcceptedInvite
from sipserver.useragent.addressing import user_part
from sipserver.useragent.agent import Agent, Extra
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.owned import weakly
from sipserver.useragent.reliable import ReliableAnswers, first_number

KEEP_RINGING = 60.0
"""Seconds after which a provisional answer is given again, so that proxies go on waiting (RFC 3261 section 13.3.1.1)."""


class ServerLeg(AgentLeg):
    """Ringing until `answer` or `reject`; then waiting for the ACK; then established. The 100 is the maker's."""

    def __init__(self, agent: Agent, transaction: ServerTransaction, source: Source) -> None:
        """Raises MessageError for an INVITE that no dialog can be made of."""
        invite = transaction.request
        super().__init__(agent, invite, user_part(invite.uri), source, agent.facing(invite, source))
        flow = source if source.transport != "udp" else None
        self.dialog = Dialog.of_server(invite, agent.identity.tag(), flow)
        self._transaction = transaction
        self.able = agent.able(source)
        self.replaces = replaces_of(invite)
        self._established = False
        self._hang_up_on_ack: str | None = None
        self._leaving = False
        self._progress = agent.timers.after(KEEP_RINGING, self._still_ringing)
        self._last_progress = (180, False)
        self._answer: tuple[bytes | None] | None = None
        self._agreed = False
        first = first_number(agent.identity.random(4))
        self._reliable = ReliableAnswers(
            transaction, agent.timers, agent.transactions.intervals, first, weakly(self._never_acknowledged)
        )
        transaction.on_cancel = self._cancelled
        agent.enter(self.dialog.id, self)
        patience = _expires(invite)
        self._expiry = None if patience is None else agent.timers.after(patience, self._expired)

    @property
    def established(self) -> Dialog | None:
        """Since our 200, whether or not its ACK has come."""
        final = self._transaction.final
        return self.dialog if final is not None and final < 300 else None

    # -- what the owner does ------------------------------------------------------------------------------------------

    def ring(self, status: int, sdp: bytes | None = None, reliable: bool = False) -> None:
        """A provisional answer: reliably where the caller insists on it, and with `reliable` where the caller can do it."""
        if not self._undecided or self._answer is not None:
            return
        self._last_progress = (status, reliable)
        self._progress.cancel()
        self._progress = self._agent.timers.after(KEEP_RINGING, self._still_ringing)
        if requires(self.invite, RELIABLE) or (reliable and supports(self.invite, RELIABLE)):
            self._reliable.send(self.respond(self._transaction, status, sdp=sdp, send=False))
        else:
            self.respond(self._transaction, status, sdp=sdp)

    def answer(self, sdp: bytes | None, session_timer: int | None = None) -> None:
        """200, until the ACK comes; not while a provisional answer with a session description is open (RFC 3262 section 3).

        `session_timer`: the session interval that we want, in seconds.
        """
        if self._undecided and self._answer is None:
            self._answer = (sdp,)
            self._session.wanted = session_timer
            self._reliable.drop_waiting()
            self._give_answer()

    def reject(self, status: int, reason: str | None, headers: Extra) -> None:
        """A final answer that is not 2xx."""
        if self._undecided:
            self.respond(self._transaction, status, headers, reason=reason)
            self._drop()

    def hang_up(self, reason: str | None) -> None:
        """487 while it rings; BYE once the ACK is there, for which a BYE of the callee has to wait (section 15)."""
        if self._undecided:
            self.reject(487, None, ())
        elif not self.over and self._established:
            self.send_bye(reason)
        elif not self.over:
            self._leaving, self._hang_up_on_ack = True, reason
            self.finish()

    def accept(self, sdp: bytes) -> None:
        """Answer the pending offer."""
        super().accept(sdp)
        self._give_answer()

    def decline(self, status: int, headers: Extra = ()) -> None:
        """Refuse the pending offer."""
        super().decline(status, headers)
        self._give_answer()

    def _give_answer(self) -> None:
        if self._answer is None or not self._undecided or self._reliable.holds_back or self._offer is not None:
            return
        self._settle()
        # An answer that the caller has acknowledged already is not given a second time (RFC 3261 section 13.2.1).
        sdp = None if self._reliable.described else self._answer[0]
        response = self.respond(self._transaction, 200, sdp=sdp, send=False)
        self._repeat(self._transaction, response, self._acknowledged)

    # -- what the peer does -------------------------------------------------------------------------------------------

    def _cancelled(self, cancel: ServerTransaction) -> None:
        """The caller takes the INVITE back; without effect once there is a final answer (section 9.2)."""
        self.respond(cancel, 200)
        if self._undecided:
            self.respond(self._transaction, 487)
            self._settle()
            self._peer_left("cancel", cancel.request)

    def _bye(self, transaction: ServerTransaction) -> None:
        """The caller may also end an early dialog; the INVITE then gets its 487 (section 15.1.2)."""
        self.respond(transaction, 200)
        if self._undecided:
            self.respond(self._transaction, 487)
            self._settle()
        self._peer_left("bye", transaction.request)

    @property
    def early(self) -> bool:
        """Whether the call is not answered yet."""
        return self._transaction.final is None

    @property
    def may_offer(self) -> bool:
        """Whether an INVITE of ours may go out; not before the ACK (section 14.1)."""
        return self._established and super().may_offer

    def _prack(self, transaction: ServerTransaction) -> None:
        """RFC 3262 sections 3 and 5: it may bring the answer to our offer, or, once ours is given, an offer."""
        try:
            rack = RAck.parse(transaction.request.headers.get("rack") or "")
        except MessageError:
            self.respond(transaction, 400)
            return
        answer = self._reliable.acknowledge(rack)
        if answer is None:
            self.respond(transaction, 481)
            return
        sdp = sdp_body(transaction.request)
        if answer.body and sdp_body(self.invite) is None and not self._agreed:
            self._agreed = True
            self.respond(transaction, 200)
            self._agent.happened(self, Agreed(sdp))
        elif sdp is None:
            self.respond(transaction, 200)
        else:
            self._take_offer(transaction, sdp)
        self._give_answer()

    def _never_acknowledged(self) -> None:
        """64*T1 without a PRACK: the INVITE is refused (RFC 3262 section 3)."""
        if self._undecided:
            self.respond(self._transaction, 504)
            self._settle()
            self._tell_end(Ended("lost", "Our provisional answer was never acknowledged"))
            self._leave()

    def _invite(self, transaction: ServerTransaction) -> None:
        if self._undecided:
            # A second INVITE before the answer to the first (section 14.2).
            self._refuse_offer(transaction, 500)
            return
        if self._accepted is not None and not self._established and self._early_busy() is None:
            self._presume_acknowledged(self._accepted)
        super()._invite(transaction)

    def _presume_acknowledged(self, accepted: AcceptedInvite) -> None:
        """Who sends another INVITE has seen our 200; where its ACK has nothing to tell us it need not be waited for (RFC 5407 3.1.4)."""
        accepted.stop()
        self._accepted, self._established = None, True
        self._agent.happened(self, Answered())

    def _busy(self) -> int | None:
        if self._offer is not None:
            return 500
        if self._undecided:
            return self._early_busy()
        return 491 if self._accepted is not None else None

    def _early_busy(self) -> int | None:
        """Before the ACK there can be a second offer once the first is answered for good (RFC 3311 section 5.2)."""
        if sdp_body(self.invite) is None:
            return None if self._agreed else 491
        return None if self._reliable.described or not self._undecided else 500

    def _acknowledged(self, ack: Request) -> None:
        self._accepted = None
        self._established = True
        if self._leaving:
            self.send_bye(self._hang_up_on_ack)
        elif not self.over:
            self._agent.happened(self, Answered(sdp_body(ack)))

    def _unacknowledged(self) -> None:
        """64*T1 without an ACK: who hung up meanwhile has waited for it long enough, too (section 15)."""
        if self._leaving:
            self._accepted = None
            self.send_bye(self._hang_up_on_ack)
        else:
            super()._unacknowledged()

    def _expired(self) -> None:
        """The caller's Expires: whoever has not answered by now does not any more (section 13.3.1)."""
        if self._undecided:
            self.respond(self._transaction, 487)
            self._settle()
            self._peer_left("cancel", self.invite)

    def _still_ringing(self) -> None:
        if self._undecided:
            status, reliable = self._last_progress
            self.ring(status, None, reliable)

    @property
    def _undecided(self) -> bool:
        return not self.over and self._transaction.final is None

    def _settle(self) -> None:
        """There is a final answer: the alarms of ringing are not needed any more."""
        self._progress.cancel()
        self._reliable.settle()
        if self._expiry is not None:
            self._expiry.cancel()

    def _drop(self) -> None:
        self._settle()
        self.finish()
        self._leave()

    def _leave(self) -> None:
        if self.dialog is not None:
            self._agent.leave(self.dialog.id)


def _expires(invite: Request) -> int | None:
    """Seconds; what is no number of them is as if it were not there (section 20.19)."""
    value = invite.headers.get("expires") or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None
