"""The session timer of one call (RFC 4028): who shows when that the call is still there, and when it is given up. Sans-I/O.

Each 2xx of an INVITE or UPDATE, ours or the peer's, says anew how long the session lasts and who refreshes it. Whoever does,
asks again at half of that time; the other one ends the call shortly before it is over (sections 7.4, 9 and 10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipserver.message import Request, Response
from sipserver.message.session_expires import MIN_SE, TIMER, Refresher, SessionExpires, knows_timers, lengthened, min_se
from sipserver.transaction import Alarm, TimerQueue
from sipserver.useragent.agent import Extra

SHORTEST = 20
"""Seconds: a peer that answers with less than it may is not refreshed more often than this asks for."""
LAST_TRY = 10.0
"""With fewer seconds left than this, a refresh that was refused is not tried again."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A session interval in seconds, and whether it is ours to refresh."""

    seconds: int
    ours: bool

    @property
    def patience(self) -> float:
        """When whoever waits for the refresh gives up, in seconds (section 10)."""
        return self.seconds - min(32.0, self.seconds / 3)


class SessionTimer:
    """`wanted` is the interval that we ask for ourselves, in seconds; None leaves it to the peer.

    `refresh` is called when it is time to; `expire` when the session is over, after which nothing more is called.
    """

    def __init__(self, timers: TimerQueue, refresh: Callable[[], None], expire: Callable[[], None]) -> None:
        self.wanted: int | None = None
        self.agreement: Agreement | None = None
        self._timers = timers
        self._refresh = refresh
        self._expire = expire
        self._least = MIN_SE
        self._next: Alarm | None = None
        self._end: Alarm | None = None
        self._until = 0.0
        self._stopped = False
        self._early: dict[str, Agreement | None] = {}

    # -- what our messages say ----------------------------------------------------------------------------------------

    def asking(self) -> Extra:
        """The headers of a request of ours in the dialog: the interval there is, and whoever refreshes goes on to (section 7.4)."""
        seconds = self.wanted if self.agreement is None else self.agreement.seconds
        if seconds is None:
            return ()
        refresher: Refresher | None = None if self.agreement is None else "uac" if self.agreement.ours else "uas"
        return _headers(SessionExpires(max(seconds, self._least), refresher), self._least)

    def answering(self, request: Request) -> tuple[Agreement | None, Extra]:
        """What a 2xx of ours to this INVITE or UPDATE agrees to, and its headers (section 9).

        Whom the request leaves the choice gets it done by us: so we learn first that nobody is there any more.
        """
        self._least = max(self._least, min_se(request))
        asked, able = SessionExpires.of(request), knows_timers(request)
        current = self.agreement or self._early.get(request.from_.tag or "")
        seconds = self._interval(request, asked, current)
        if seconds is None:
            return None, ()
        refresher: Refresher = "uas"
        if able and asked is not None and asked.refresher is not None:
            refresher = asked.refresher
        elif able and current is not None and not current.ours:
            refresher = "uac"
        required = ((("Require", TIMER)),) if able else ()
        return Agreement(seconds, refresher == "uas"), (
            ("Session-Expires", str(SessionExpires(seconds, refresher))),
            *required,
        )

    def _interval(self, request: Request, asked: SessionExpires | None, current: Agreement | None) -> int | None:
        """An interval may be made shorter in the answer, never longer, and not below the request's Min-SE."""
        if asked is not None:
            return min(asked.seconds, max(self.wanted or asked.seconds, min_se(request)))
        known = self.wanted if current is None else current.seconds
        return None if known is None else max(known, min_se(request))

    def longer(self, request: Request, refusal: Response) -> bool:
        """Whether this 422 says something new: then the next `asking` asks for what it wants (section 7.3)."""
        again = lengthened(request, refusal)
        if again is not None:
            self._least = max(self._least, min_se(again))
        return again is not None

    # -- what was agreed ----------------------------------------------------------------------------------------------

    def agreed_early(self, tag: str, agreement: Agreement | None) -> None:
        """Our 2xx to an UPDATE in the early dialog with this tag of the peer's: it holds once that dialog is the call."""
        self._early[tag] = agreement

    def accepted(self, request: Request, response: Response) -> None:
        """The peer's 2xx to this INVITE or UPDATE of ours. Without Session-Expires the session has no end from now on (section 7.2).

        Only what was agreed in this very early dialog is not undone by that.
        """
        self._least = max(self._least, min_se(request))
        said = SessionExpires.of(response)
        early = self._early.pop(response.to.tag or "", None)
        if said is None:
            self.settle(early)
        else:
            self.settle(Agreement(max(said.seconds, SHORTEST), said.refresher != "uas"))

    def settle(self, agreement: Agreement | None) -> None:
        """A 2xx has agreed to this: the time begins anew."""
        self._cancel()
        self._early.clear()
        self.agreement = agreement
        if agreement is None or self._stopped:
            return
        self._until = self._timers.now + agreement.seconds
        if agreement.ours:
            self._next = self._timers.after(agreement.seconds / 2, self._due)
            self._end = self._timers.after(agreement.seconds, self._expire)
        else:
            self._end = self._timers.after(agreement.patience, self._expire)

    def refused(self) -> None:
        """What would have refreshed the session was refused, and the session stands: we refresh at half of the time that is left."""
        left = self._until - self._timers.now
        ours = self.agreement is not None and self.agreement.ours and not self._stopped
        if ours and self._next is None and left >= LAST_TRY:
            self._next = self._timers.after(left / 2, self._due)

    def stop(self) -> None:
        """The call is over."""
        self._stopped = True
        self._cancel()

    def _due(self) -> None:
        self._next = None
        self._refresh()

    def _cancel(self) -> None:
        for alarm in (self._next, self._end):
            if alarm is not None:
                alarm.cancel()
        self._next = self._end = None


def _headers(expires: SessionExpires, least: int) -> Extra:
    """Min-SE is said where it is not the one that everybody knows."""
    return (("Session-Expires", str(expires)), *((("Min-SE", str(least)),) if least > MIN_SE else ()))
