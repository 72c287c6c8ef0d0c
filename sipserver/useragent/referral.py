"""A REFER of ours after it was sent, and the subscription that it makes (RFC 3515 section 2.4.4, RFC 6665): progress comes out of it.

    sent ──2xx, NOTIFY──→ followed ──final NOTIFY──→ told ──terminated, some time──→ over
      └─3xx–6xx, silence─────→ └──peer leaves, terminated without a word, silence──→ over

`told`: the outcome is known, but the NOTIFY that terminates the subscription is still to come; it gets its 200.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from sipserver.legs import ReferProgress
from sipserver.message import MessageError, Request, Response
from sipserver.sipfrag import StatusFragment
from sipserver.subscription import SubscriptionState
from sipserver.transaction import Alarm, TimerQueue

USUAL_PATIENCE = 180.0
"""Seconds that a subscription lives whose NOTIFY does not say how long: as long as proxies let a callee ring (timer C)."""
MOST_PATIENCE = 300.0
"""Seconds without a NOTIFY after which an outcome is not waited for, however long the subscription would live."""

_WORDLESS = {"rejected": (603, "Declined"), "giveup": (408, "Request Timeout"), "timeout": (408, "Request Timeout")}
"""What a subscription that ends without an outcome says by its reason (RFC 6665 section 4.1.3); every other says nothing."""


class _State(Enum):
    SENT = auto()
    FOLLOWED = auto()
    TOLD = auto()
    OVER = auto()


class Referral:
    """See the module. `tell` gets the progress; `patience` is 64*T1: a REFER that is accepted is followed by a NOTIFY within that
    time (timer N, RFC 6665 section 4.1.2).
    """

    def __init__(self, timers: TimerQueue, patience: float, tell: Callable[[ReferProgress], None]) -> None:
        self._timers = timers
        self._patience = patience
        self._tell = tell
        self._state = _State.SENT
        self._alarm: Alarm | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing belongs to it any more."""
        return self._state is _State.OVER

    def accepted(self, response: Response) -> None:
        """A 2xx, 202 and 200 alike. One with `Refer-Sub: false` makes no subscription (RFC 4488 section 4)."""
        if self._state is not _State.SENT:
            return
        if refuses_subscription(response):
            self._finish(_State.OVER, 202, "Accepted, and the peer tells no progress")
            return
        self._follow(self._patience)
        self._tell(ReferProgress(100, "Accepted", final=False))

    def refused(self, status: int, reason: str) -> None:
        """A final answer of 3xx–6xx, or none. A NOTIFY that came before says otherwise (RFC 6665 section 4.1.2.4)."""
        if self._state is _State.SENT:
            self._finish(_State.OVER, status, reason)

    def notified(self, request: Request) -> int:
        """A NOTIFY of this subscription; returns what to answer. A malformed body gets 400, but an end remains one."""
        if self._state is _State.OVER:
            return 481
        try:
            subscription = SubscriptionState.of(request)
        except MessageError:
            return 400
        try:
            fragment = StatusFragment.parse(request.body) if request.body else None
        except MessageError:
            self._advance(subscription, None)
            return 400
        self._advance(subscription, fragment)
        return 200

    def left(self) -> None:
        """The leg is over. Whoever has taken the REFER may hang up before the end of it, and then nobody knows that."""
        if self._state is _State.SENT:
            self._finish(_State.OVER, 481, "The call ended before the REFER was answered")
        elif self._state is _State.FOLLOWED:
            self._finish(_State.OVER, 202, "The peer hung up before it told the outcome")
        self.close()

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._state = _State.OVER
        self._rest()

    def _advance(self, subscription: SubscriptionState, fragment: StatusFragment | None) -> None:
        if self._state is not _State.TOLD:
            self._hear(subscription, fragment)
        elif subscription.is_over:
            self.close()

    def _hear(self, subscription: SubscriptionState, fragment: StatusFragment | None) -> None:
        if fragment is not None and fragment.status >= 200:
            self._finish(_State.OVER if subscription.is_over else _State.TOLD, fragment.status, fragment.reason)
        elif subscription.is_over:
            # Also with a 100 in it: that is how one says that the outcome will not be told (RFC 3515 section 2.4.5).
            wordless = (202, "Accepted, and the peer does not tell the outcome")
            self._finish(_State.OVER, *_WORDLESS.get(subscription.reason or "", wordless))
        else:
            self._follow(USUAL_PATIENCE if subscription.expires is None else float(subscription.expires))
            if fragment is not None:
                self._tell(ReferProgress(fragment.status, fragment.reason, final=False))

    def _follow(self, seconds: float) -> None:
        self._state = _State.FOLLOWED
        self._rest()
        wait = min(max(seconds, self._patience), MOST_PATIENCE)
        self._alarm = self._timers.after(wait, self._silent)

    def _silent(self) -> None:
        self._finish(_State.OVER, 408, "The peer told no outcome")

    def _finish(self, state: _State, status: int, reason: str) -> None:
        self._state = state
        self._rest()
        if state is _State.TOLD:
            self._alarm = self._timers.after(self._patience, self.close)
        self._tell(ReferProgress(status, reason, final=True))

    def _rest(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def refuses_subscription(message: Request | Response) -> bool:
    """Whether a REFER, or its 2xx, wants no subscription (`Refer-Sub: false`, RFC 4488 section 4)."""
    return (message.headers.get("refer-sub") or "").partition(";")[0].strip().lower() == "false"
