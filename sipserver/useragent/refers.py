"""What begins on a leg with a REFER, either way (RFC 3515): ours with its NOTIFYs, and the peer's with those that we owe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sipserver.dialog import Dialog
from sipserver.legs import LegEvent, Referred
from sipserver.message import MessageError, NameAddr, Request, Response
from sipserver.referto import ReferTo, referred_by_of
from sipserver.sipfrag import CONTENT_TYPE
from sipserver.subscription import Event
from sipserver.transaction import Intervals, ServerTransaction, TimerQueue
from sipserver.useragent.exchange import Exchange
from sipserver.useragent.notifier import Notice, Notifier
from sipserver.useragent.owned import Owned
from sipserver.useragent.referral import Referral, refuses_subscription

PACKAGES = ("refer", "message-summary")
"""The event packages whose NOTIFYs are taken, as Allow-Events says with every 489 (RFC 6665 section 8.2.2)."""


class Referrer(Protocol):
    """What this needs of the leg."""

    over: bool

    @property
    def established(self) -> Dialog | None:
        """The confirmed dialog; None before a 2xx."""

    @property
    def contact(self) -> str:
        """The value of our Contact."""

    def happened(self, event: LegEvent) -> None:
        """Something to tell the leg's owner."""

    def respond(
        self, transaction: ServerTransaction, status: int, headers: tuple[tuple[str, str], ...] = ...
    ) -> Response:
        """Answer a request of the peer's."""

    def send(
        self,
        dialog: Dialog,
        request: Request,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int, str], None],
    ) -> Exchange:
        """Send a request of ours. Raises MessageError where the dialog leads nowhere."""

    def lose(self, reason: str) -> None:
        """The peer knows nothing of the dialog any more."""


class Refers(Owned[Referrer]):
    """Of one leg. One REFER of ours is followed at a time, and one of the peer's is decided on or told of."""

    def __init__(self, leg: Referrer, timers: TimerQueue, intervals: Intervals) -> None:
        super().__init__(leg)
        self._timers = timers
        self._intervals = intervals
        self._referral: Referral | None = None
        self._exchange: Exchange | None = None
        self._asked: ServerTransaction | None = None
        self._notifier: Notifier | None = None
        self._taken = 0

    # -- ours ---------------------------------------------------------------------------------------------------------

    def refer(self, to: ReferTo, referred_by: str | None) -> bool:
        """Send a REFER; False where none can be sent now. Raises MessageError for what cannot be written."""
        dialog, leg = self._leg.established, self._leg
        if dialog is None or leg.over or (self._referral is not None and not self._referral.is_over):
            return False
        refer_to = str(to)
        by = str(NameAddr.parse(referred_by) if referred_by else NameAddr(None, dialog.local.uri))
        request = dialog.request("REFER")
        for name, value in (("Contact", leg.contact), ("Refer-To", refer_to), ("Referred-By", by)):
            request.headers.add(name, value)
        self._hold()
        referral = Referral(self._timers, self._intervals.patience, leg.happened)

        def on_response(response: Response) -> None:
            self._answered(referral, dialog, response)

        self._referral = referral
        try:
            self._exchange = leg.send(dialog, request, on_response, referral.refused)
        except MessageError:
            referral.refused(503, "The peer's Contact leads nowhere")
        return True

    def _answered(self, referral: Referral, dialog: Dialog, response: Response) -> None:
        if response.status < 200:
            return
        if response.status < 300:
            dialog.refresh(response)
            referral.accepted(response)
            return
        referral.refused(response.status, response.reason)
        if response.status == 481:
            # The dialog is not there any more, whoever may have ended it (RFC 3261 section 12.2.1.2).
            self._leg.lose("The peer does not know the call any more")

    def notified(self, transaction: ServerTransaction) -> None:
        """A NOTIFY in the dialog."""
        referral = self._referral_of(transaction.request)
        if referral is None:
            self._leg.respond(transaction, *unasked(transaction.request))
            return
        status = referral.notified(transaction.request)
        dialog = self._leg.established
        if dialog is not None and status == 200:
            dialog.refresh(transaction.request)
        self._leg.respond(transaction, status)

    def _referral_of(self, notify: Request) -> Referral | None:
        """Our last REFER, if it is meant: the id, where there is one, is the CSeq of that (RFC 3515 section 2.4.6)."""
        try:
            event = Event.of(notify)
        except MessageError:
            return None
        if self._exchange is None or event.package != "refer":
            return None
        return self._referral if event.id in (None, str(self._exchange.request.cseq.number)) else None

    # -- the peer's ---------------------------------------------------------------------------------------------------

    def asked(self, transaction: ServerTransaction) -> None:
        """A REFER in the dialog: refused if it cannot be understood, else a matter for the leg's owner."""
        if self._leg.established is None or self._asked is not None or self._is_telling:
            self._leg.respond(transaction, 491)
            return
        try:
            to, by = ReferTo.of(transaction.request), referred_by_of(transaction.request)
        except MessageError as error:
            self._leg.respond(transaction, error.status)
            return
        self._asked = transaction
        self._leg.happened(Referred(to.uri, to.replaces, by))

    def accept(self) -> None:
        """202, and the first NOTIFY unless the peer wants none."""
        transaction, self._asked = self._asked, None
        dialog = self._leg.established
        if transaction is None or dialog is None:
            return
        self._hold()
        dialog.refresh(transaction.request)
        self._taken += 1
        headers: tuple[tuple[str, str], ...] = (("Contact", self._leg.contact),)
        if refuses_subscription(transaction.request):
            self._leg.respond(transaction, 202, (*headers, ("Refer-Sub", "false")))
            return
        self._leg.respond(transaction, 202, headers)
        # The first REFER of a dialog needs no id, and there are peers that stumble over one (RFC 3515 section 2.4.6).
        event = Event("refer", None if self._taken == 1 else str(transaction.request.cseq.number))
        self._notifier = Notifier(self._timers, lambda notice: self._notify(dialog, event, notice))
        self._notifier.tell(100, None)

    def decline(self, status: int) -> None:
        """Refuse the pending REFER."""
        transaction, self._asked = self._asked, None
        if transaction is not None:
            self._leg.respond(transaction, status)

    def tell(self, status: int, reason: str | None) -> None:
        """What the call that the peer asked for was answered. Its BYE does not end the subscription (RFC 5057 section 4.1)."""
        if self._notifier is not None:
            self._notifier.tell(status, reason)

    @property
    def _is_telling(self) -> bool:
        return self._notifier is not None and not self._notifier.is_over

    def _notify(self, dialog: Dialog, event: Event, notice: Notice) -> None:
        notifier = self._notifier
        if notifier is None:
            return
        request = dialog.request("NOTIFY")
        for name, value in (
            ("Contact", self._leg.contact),
            ("Event", str(event)),
            ("Subscription-State", str(notice.state)),
            ("Content-Type", CONTENT_TYPE),
        ):
            request.headers.add(name, value)
        request.body = bytes(notice.fragment)

        def on_response(response: Response) -> None:
            if response.status >= 200:
                notifier.answered(response.status)

        try:
            self._leg.send(dialog, request, on_response, lambda status, _: notifier.answered(status))
        except MessageError:
            notifier.close()

    # -- the end of the leg -------------------------------------------------------------------------------------------

    def left(self) -> None:
        """The peer is gone: the last moment to tell of our REFER."""
        if self._referral is not None:
            self._referral.left()

    def close(self) -> None:
        """The leg is over: its owner hears and decides no more. What is owed to the peer is told all the same."""
        if self._referral is not None:
            self._referral.close()
        self.decline(481)


def unasked(notify: Request) -> tuple[int, tuple[tuple[str, str], ...]]:
    """What a NOTIFY gets that no subscription of ours is behind.

    A notice of waiting messages comes unasked after every REGISTER and wants its 200; 481 ends a subscription that the peer
    believes in (RFC 6665 section 4.1.3); an unknown package gets 489.
    """
    try:
        package = Event.of(notify).package
    except MessageError:
        return 400, ()
    if package in PACKAGES:
        return (200 if package == "message-summary" else 481), ()
    return 489, (("Allow-Events", ", ".join(PACKAGES)),)
