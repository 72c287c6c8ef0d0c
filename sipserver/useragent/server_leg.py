"""A call that came in: the INVITE's side that is called (RFC 3261 sections 13.3 and 15)."""

from __future__ import annotations

from sipserver.dialog import Dialog
from sipserver.legs import Answered, Source
from sipserver.message import Request
from sipserver.replaces import replaces_of
from sipserver.sdp import sdp_body
from sipserver.transaction import ServerTransaction
from sipserver.useragent.leg import Agent, AgentLeg, Extra, user_part

KEEP_RINGING = 60.0
"""Seconds after which a provisional answer is given again, so that proxies go on waiting (RFC 3261 section 13.3.1.1)."""


class ServerLeg(AgentLeg):
    """Ringing until `answer` or `reject`; then waiting for the ACK; then established. The 100 has been sent by the maker."""

    def __init__(self, agent: Agent, transaction: ServerTransaction, source: Source) -> None:
        """Raises MessageError for an INVITE that no dialog can be made of."""
        invite = transaction.request
        super().__init__(agent, invite, user_part(invite.uri), source, source.transport)
        flow = source if source.transport != "udp" else None
        self.dialog = Dialog.of_server(invite, agent.identity.tag(), flow)
        self._transaction = transaction
        self.able = agent.able(source)
        self.replaces = replaces_of(invite)
        self._established = False
        self._hang_up_on_ack: str | None = None
        self._leaving = False
        self._progress = agent.timers.after(KEEP_RINGING, self._still_ringing)
        self._last_progress: tuple[int, bytes | None] | None = None
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

    def ring(self, status: int, sdp: bytes | None) -> None:
        """A provisional answer."""
        if self._undecided:
            self._last_progress = (status, sdp)
            self._progress.cancel()
            self._progress = self._agent.timers.after(KEEP_RINGING, self._still_ringing)
            self.respond(self._transaction, status, sdp=sdp)

    def answer(self, sdp: bytes) -> None:
        """200, until the ACK comes."""
        if self._undecided:
            self._settle()
            response = self.respond(self._transaction, 200, sdp=sdp, send=False)
            self._repeat(self._transaction, response, self._acknowledged)

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

    def _busy(self) -> int | None:
        if self._undecided or self._offer is not None:
            return 500
        return 491 if self._accepted is not None else None

    def _acknowledged(self, ack: Request) -> None:
        self._accepted = None
        self._established = True
        if self._leaving:
            self.send_bye(self._hang_up_on_ack)
        elif not self.over:
            self._agent.happened(self, Answered(sdp_body(ack)))

    def _expired(self) -> None:
        """The caller's Expires: whoever has not answered by now does not any more (section 13.3.1)."""
        if self._undecided:
            self.respond(self._transaction, 487)
            self._settle()
            self._peer_left("cancel", self.invite)

    def _still_ringing(self) -> None:
        if self._undecided:
            self.ring(*(self._last_progress or (180, None)))

    @property
    def _undecided(self) -> bool:
        return not self.over and self._transaction.final is None

    def _settle(self) -> None:
        """There is a final answer: the alarms of ringing are not needed any more."""
        self._progress.cancel()
        if self._expiry is not None:
            self._expiry.cancel()

    def _drop(self) -> None:
        self._settle()
        self.finish()
        if self.dialog is not None:
            self._agent.leave(self.dialog.id)


def _expires(invite: Request) -> int | None:
    """Seconds; what is no number of them is as if it were not there (section 20.19)."""
    value = invite.headers.get("expires") or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None
