"""What we tell of a REFER that we have taken: the notifier's side of its subscription (RFC 3515 section 2.4.4, RFC 6665 section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipserver.message import reason_of
from sipserver.sipfrag import StatusFragment
from sipserver.subscription import SubscriptionState
from sipserver.transaction import TimerQueue

LIFETIME = 180
"""Seconds that the subscription lives. A call that has no outcome by then is told of no more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one NOTIFY says."""

    state: SubscriptionState
    fragment: StatusFragment


class Notifier:
    """`send` takes a notice and has `answered` called. One NOTIFY is under way at a time, so that none overtakes another; what
    happens meanwhile is told by the next one, which says how things stand then.
    """

    def __init__(self, timers: TimerQueue, send: Callable[[Notice], None]) -> None:
        self._timers = timers
        self._send = send
        self._until = timers.now + LIFETIME
        self._alarm = timers.after(LIFETIME, self._expire)
        self._last = StatusFragment(100, reason_of(100))
        self._under_way = False
        self._waiting: Notice | None = None
        self.is_over = False
        """Whether the last word has been given, or the peer has had enough."""

    def tell(self, status: int, reason: str | None) -> None:
        """How it stands now; 200 and above end the subscription."""
        self._last = StatusFragment(status, reason or reason_of(status))
        if status >= 200:
            self._close(SubscriptionState("terminated", "noresource"))
        elif not self.is_over:
            left = max(0, round(self._until - self._timers.now))
            self._pass_on(Notice(SubscriptionState("active", expires=left), self._last))

    def answered(self, status: int) -> None:
        """The NOTIFY under way was answered, or nobody answered it: then there is no subscription any more (section 4.2.2)."""
        self._under_way = False
        waiting, self._waiting = self._waiting, None
        if status >= 300:
            self.close()
        elif waiting is not None:
            self._pass_on(waiting)

    def close(self) -> None:
        """Say no more."""
        self.is_over = True
        self._alarm.cancel()

    def _expire(self) -> None:
        self._close(SubscriptionState("terminated", "timeout"))

    def _close(self, state: SubscriptionState) -> None:
        if not self.is_over:
            self.close()
            self._pass_on(Notice(state, self._last))

    def _pass_on(self, notice: Notice) -> None:
        if self._under_way:
            self._waiting = notice
            return
        self._under_way = True
        self._send(notice)
