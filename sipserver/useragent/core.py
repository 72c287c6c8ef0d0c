"""The user agent without sockets and clocks: datagrams and messages in, messages out, and what happened on the legs.

`receive`, `resolved`, `unreachable`, `failed` and `handle_timer` bring the time with them; afterwards the driver takes what there
is `to_send`, the `events`, and asks when the `next_timer` is due. The order of work on a request: malformed → transaction →
ACK → CANCEL → dialog or guard → section 8.2 → method. No state is made before the guard has agreed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from sipserver.dialog import DialogId, server_dialog_id
from sipserver.legs import Guard, Invitation, LadderTap, LegEvent, Source
from sipserver.locate import Record, Target
from sipserver.message import MessageError, Request, Response, SipUri, mark_source, parse, response_to
from sipserver.message.check import Capabilities, discard, refuse
from sipserver.protocols import Trunk
from sipserver.replaces import replaced_dialog
from sipserver.transaction import Intervals, Outgoing, TimerQueue, TransactionLayer
from sipserver.useragent.addresses import Facing
from sipserver.useragent.addressing import contact_scheme, user_part
from sipserver.useragent.agent import Extra
from sipserver.useragent.client_leg import ClientLeg
from sipserver.useragent.door import Door
from sipserver.useragent.events import Event, Happened, Invited, Over
from sipserver.useragent.exchange import Errand, Exchange, Outcome
from sipserver.useragent.finder import Finder, Found, Question
from sipserver.useragent.identity import ABLE, ACCEPT, TOLERATED, TRANSFERABLE, Identity, Limits
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.placing import options_of, placing_of
from sipserver.useragent.refers import unasked
from sipserver.useragent.reply_way import reply_target
from sipserver.useragent.server_leg import ServerLeg
from sipserver.useragent.shedding import Shedding
from sipserver.useragent.wallet import Wallet


class UserAgent:
    """See the module. `counters` tells what was dropped, and why: `malformed`, `stray`, `guarded`, `overload`."""

    def __init__(
        self,
        identity: Identity,
        guard: Guard,
        *,
        is_full: Callable[[], bool] = lambda: False,
        tap: LadderTap | None = None,
        intervals: Intervals | None = None,
        limits: Limits | None = None,
        takes_refer: Callable[[Source], bool] = lambda source: False,
        trunk_of: Callable[[Request, Source], Trunk | None] = lambda request, source: None,
    ) -> None:
        self.identity = identity
        self.timers = TimerQueue()
        self.transactions = TransactionLayer(self.timers, intervals or Intervals(), self._transmit)
        self.draining = False
        self.counters: Counter[str] = Counter()
        self.legs: set[AgentLeg] = set()
        self._guard = guard
        self._is_full = is_full
        self._tap = tap
        self._limits = limits or Limits()
        self._shedding = Shedding(identity, self._limits.retry_after, self.transactions.serves_invite)
        self._door = Door(identity, guard, self.counters, self._limits.retry_after, self._transmit)
        self._takes_refer = takes_refer
        self._trunk_of = trunk_of
        self._wallet = Wallet()
        self._dialogs: dict[DialogId, AgentLeg] = {}
        self._outbox: list[Outgoing] = []
        self._events: list[Event] = []
        self._finder = Finder(
            identity.ports, lambda question: self._events.append(question), self._limits.lookups, identity.random
        )

    # -- what the driver calls ----------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Source, now: float) -> None:
        """A datagram, or a message cut out of a stream. Whatever it is, this does not raise."""
        self.timers.now = now
        if not data.strip(b"\r\n\x00"):
            return  # A keep-alive (RFC 5626 section 3.5.1, and the zeros that some devices send).
        try:
            message = parse(data)
        except MessageError as error:
            self.malformed(error, source, now)
            return
        if isinstance(message, Response):
            self._receive_response(message)
        else:
            self._receive_request(message, source)

    def shed(self, data: bytes, source: Source) -> tuple[bytes, Target] | None:
        """Under overload: the refusal of a call by the bytes of its INVITE, and where it goes; None for what is to be `receive`d."""
        if source.transport != "udp" or not self._guard.trusts(source):
            return None
        answer = self._shedding.answer(data, source.host, source.port)
        if answer is not None:
            self.counters["overload"] += 1
        return answer

    def is_over_and_done(self, data: bytes) -> bool:
        """Whether this only acknowledges what was `shed`."""
        return self._shedding.is_acknowledgement(data)

    def malformed(self, error: MessageError, source: Source, now: float) -> None:
        """What came is no message: answered where it can be, else counted and dropped."""
        self.timers.now = now
        self.counters["malformed"] += 1
        request = error.request
        if request is None or error.status == 0 or request.method == "ACK" or "via" not in request.headers:
            return
        self._door.malformed(request, source, error.status)

    def resolved(self, question: Question, addresses: Sequence[Record], now: float) -> None:
        """What the DNS knows; an empty sequence where there is nothing of that kind."""
        self.timers.now = now
        self._finder.resolved(question, addresses)

    def failed(self, outgoing: Outgoing, now: float) -> None:
        """This message could not be sent (RFC 3261 section 18.4)."""
        self.timers.now = now
        if outgoing.transaction is not None:
            outgoing.transaction.transport_failed()

    def lost(self, flow: Source, now: float) -> None:
        """This connection broke: what waits for an answer over it has failed (RFC 3261 section 18.4)."""
        self.timers.now = now
        self.transactions.lost(flow)

    def uses(self, flow: Source) -> bool:
        """Whether a call depends on this connection."""
        return any(leg.dialog is not None and leg.dialog.flow == flow for leg in self.legs)

    def unreachable(self, target: Target, now: float) -> None:
        """The network says that nobody receives there."""
        self.timers.now = now
        self.transactions.unreachable(target)

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called."""
        return self.timers.next()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self.timers.run(now)

    def to_send(self) -> list[Outgoing]:
        """What is to be sent, in order; once."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def events(self) -> list[Event]:
        """What happened, in order; once."""
        events, self._events = self._events, []
        return events

    # -- what the owner calls -----------------------------------------------------------------------------------------

    def invite(self, invitation: Invitation, now: float) -> ClientLeg:
        """Place a call. Raises MessageError for an invitation that cannot be written as SIP."""
        self.timers.now = now
        placing = placing_of(invitation, self.identity)
        leg = ClientLeg(self, replace(placing, digest=self._wallet.of(invitation.trunk)))
        self.legs.add(leg)
        leg.start()
        return leg

    def options(self, trunk: Trunk, now: float, done: Callable[[Response | None], None]) -> None:
        """Ask for a sign of life; `done` is called once. Raises MessageError for a trunk that cannot be written as SIP."""
        self.request(options_of(trunk, self.identity).errand(), now, lambda outcome: done(outcome.response))

    def request(self, errand: Errand, now: float, done: Callable[[Outcome], None]) -> None:
        """Send a request outside of any dialog and see it through; `done` is called once."""
        self.timers.now = now

        def on_response(response: Response) -> None:
            if response.status >= 200:
                done(Outcome(response.status, response.reason, response, exchange.request, exchange.target))

        def on_failure(status: int, reason: str) -> None:
            done(Outcome(status, reason, None, exchange.request, exchange.target))

        exchange = Exchange(self, errand, on_response, on_failure)
        exchange.start()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be seen through: no leg, no dialog, and no request of ours that waits for its answer."""
        return not (self.legs or self._dialogs or self._finder.busy or self.transactions.waiting())

    # -- responses ----------------------------------------------------------------------------------------------------

    def _receive_response(self, response: Response) -> None:
        """Section 8.1.3.3: more than one Via, and it is not for us. What matches nothing is a stray and dropped."""
        if discard(response) is not None:
            self.counters["malformed"] += 1
            return
        transaction = self.transactions.client_of(response)
        if transaction is None:
            self.counters["stray"] += 1
            return
        if transaction.ladder:
            self._show("<", response)
        transaction.receive(response)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _receive_request(self, request: Request, source: Source) -> None:
        try:
            # First of all, for it changes the Via, and what has been read of the headers is read anew after that.
            mark_source(request, source.host, source.port)
            transaction = self.transactions.server_of(request)
        except MessageError as error:
            self.malformed(MessageError(str(error), error.status, request), source, self.timers.now)
            return
        if transaction is not None:
            if transaction.ladder:
                self._show("<", request)
            transaction.receive(request)
            return
        if self._shed(request, source):
            return
        refusal = refuse(request, TOLERATED if request.method in TOLERATED.methods else ABLE)
        if request.method == "ACK":
            if refusal is None:
                self._receive_ack(request)
        elif refusal is not None and refusal.status == 400:
            self.malformed(MessageError(refusal.sentence, 400, request), source, self.timers.now)
        elif request.method == "CANCEL":
            self._receive_cancel(request, source)
        else:
            self._receive_new(request, source, None if refusal is None else (refusal.status, refusal.headers))

    def _shed(self, request: Request, source: Source) -> bool:
        """Refuse what begins a call while there is no room for one, before anything else is looked at; False for all the rest.

        Under a flood of calls most of them end here, and what they cost is taken from those that are served.
        """
        if request.method != "INVITE" or not self._has_no_room() or "replaces" in request.headers:
            return False
        try:
            if request.to.tag is not None or self.transactions.merged(request):
                return False
            if self._door.admits(request, source):
                self._door.overloaded(request, source)
        except MessageError:
            return False  # It is malformed, which is found, and answered, below.
        return True

    def _has_no_room(self) -> bool:
        return len(self.legs) >= self._limits.legs or self.draining or self._is_full()

    def _receive_ack(self, ack: Request) -> None:
        leg = self._dialogs.get(server_dialog_id(ack))
        if leg is None:
            self.counters["stray"] += 1
            return
        self._show("<", ack)
        leg.acknowledge(ack)

    def _receive_cancel(self, cancel: Request, source: Source) -> None:
        """Section 9.2: 200 to the CANCEL, whatever becomes of the INVITE; 481 when there is none."""
        cancelled = self.transactions.cancelled_by(cancel)
        if cancelled is None:
            if self._door.admits(cancel, source):
                self._door.answer(cancel, source, 481)
            return
        self._show("<", cancel)
        transaction = self.transactions.serve(cancel, reply_target(cancel, source), ladder=True)
        if cancelled.on_cancel is not None:
            cancelled.on_cancel(transaction)
        else:
            transaction.respond(response_to(cancel, 200, to_tag=self.identity.stateless_tag(cancel)))

    def _receive_new(self, request: Request, source: Source, refusal: tuple[int, Extra] | None) -> None:
        leg = self._dialogs.get(server_dialog_id(request)) if request.to.tag else None
        # Who knows a dialog's two tags takes part in it, wherever the request comes from: a proxy need not stay in the way.
        if leg is None and not self._door.admits(request, source):
            return
        if leg is not None:
            self._show("<", request)
        if refusal is not None:
            self._door.answer(request, source, refusal[0], refusal[1], ladder=leg is not None)
        elif len(self.transactions) >= self._limits.transactions * (1 if leg is None else 2):
            # Calls that are here keep room of their own: without their BYEs they would never end.
            self._door.overloaded(request, source)
        elif leg is not None:
            self._in_dialog(leg, request, source)
        else:
            self._out_of_dialog(request, source)

    def _in_dialog(self, leg: AgentLeg, request: Request, source: Source) -> None:
        transaction = self.transactions.serve(request, reply_target(request, source), ladder=True)
        leg.receive(request, transaction)

    def _out_of_dialog(self, request: Request, source: Source) -> None:
        if request.to.tag:
            self._door.answer(request, source, 481)
        elif self.transactions.merged(request):
            self._door.answer(request, source, 482)
        elif request.method == "INVITE":
            self._invited(request, source)
        elif request.method == "OPTIONS":
            self._asked_for_options(request, source)
        elif request.method == "NOTIFY":
            self._door.answer(request, source, *unasked(request))
        elif request.method == "REFER":
            self._door.answer(request, source, 403)  # Only who is on a call may have it transferred.
        else:
            # BYE, UPDATE and INFO live in dialogs only.
            self._door.answer(request, source, 481)

    def _invited(self, request: Request, source: Source) -> None:
        full = len(self.legs) >= self._limits.legs
        # Who takes over a call that is here brings none.
        if full or (self._has_no_room() and replaced_dialog(request) not in self._dialogs):
            self._door.overloaded(request, source)
            return
        transaction = self.transactions.serve(request, reply_target(request, source), ladder=True)
        self._show("<", request)
        try:
            leg = ServerLeg(self, transaction, source)
        except MessageError:
            tag = self.identity.stateless_tag(request)
            transaction.respond(response_to(request, 400, to_tag=tag))
            return
        transaction.promise(lambda: response_to(request, 100))
        self.legs.add(leg)
        self._events.append(Invited(leg))

    def _asked_for_options(self, request: Request, source: Source) -> None:
        if self.draining:
            self._door.overloaded(request, source)
        else:
            facing = self.facing(request, source)
            self._door.answer(request, source, 200, self.options_headers(request, facing, self.able(source)))

    # -- what legs and exchanges need (see their Protocols) ---------------------------------------------------------------

    def able(self, source: Source) -> Capabilities:
        """What we do for this peer."""
        return TRANSFERABLE if self._takes_refer(source) else ABLE

    def facing(self, request: Request, source: Source) -> Facing:
        """Whom the answers to a request are for. Our address is the same for all of a trunk, whichever host of it asks."""
        return Facing(source.transport, source.host, self._trunk_of(request, source))

    def options_headers(self, request: Request, facing: Facing, able: Capabilities) -> Extra:
        """What a 200 to OPTIONS says of us (section 11.2)."""
        contact = self.identity.contact(user_part(request.uri), facing, contact_scheme(request))
        return (
            ("Allow", able.allow),
            ("Accept", ACCEPT),
            ("Supported", ", ".join(able.options)),
            ("Contact", contact),
        )

    def happened(self, leg: AgentLeg, event: LegEvent) -> None:
        """Something to tell the leg's owner."""
        self._events.append(Happened(leg, event))

    def over(self, leg: AgentLeg) -> None:
        """There will be no more events of this leg."""
        self.legs.discard(leg)
        self._events.append(Over(leg))

    def enter(self, dialog: DialogId, leg: AgentLeg) -> None:
        """Requests in this dialog are the leg's from now on."""
        self._dialogs[dialog] = leg

    def leave(self, dialog: DialogId) -> None:
        """The dialog is no more."""
        self._dialogs.pop(dialog, None)

    def locate(self, uri: SipUri, flow: Source | None, found: Found, lost: Callable[[int, str], None]) -> None:
        """Find where the URI leads, now or after look-ups, and call one of the two (see `Finder`)."""
        self._finder.locate(uri, flow, found, lost, self.timers.now)

    def avoid(self, target: Target, seconds: float | None = None) -> None:
        """This target failed; others come before it for a while, or for as long as it said."""
        self._finder.avoid(target, self.timers.now, seconds)

    def avoids(self, target: Target) -> bool:
        """Whether it failed a short while ago."""
        return self._finder.avoids(target, self.timers.now)

    def _transmit(self, outgoing: Outgoing) -> None:
        if outgoing.ladder:
            self._show(">", outgoing.message)
        self._outbox.append(outgoing)

    def _show(self, direction: str, message: Request | Response) -> None:
        if self._tap is not None:
            self._tap(message.call_id, "<" if direction == "<" else ">", message)
