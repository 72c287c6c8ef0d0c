"""Provisional answers of ours that are acknowledged (RFC 3262 section 3). Sans-I/O.

Each one has a number, is repeated at T1, 2*T1, 4*T1 … until its PRACK comes, on every transport, since hops further on may lose
it, and after 64*T1 the INVITE is given up. Only one is on its way at a time; what comes after it waits. Once there is a final
answer nothing is repeated any more, but the PRACK of what is still open counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sipserver.message import Response
from sipserver.message.extensions import RELIABLE, RAck
from sipserver.transaction import Alarm, Intervals, ServerTransaction, TimerQueue

MAX_WAITING = 16
"""Answers that wait for the PRACK of another. When there are so many, a further one is left out: it would be old news by then."""


class ReliableAnswers:
    """Those to one INVITE. `first` is the first RSeq, of 1 … 2**31-1; `on_lost` is called after 64*T1 without a PRACK."""

    def __init__(
        self,
        transaction: ServerTransaction,
        timers: TimerQueue,
        intervals: Intervals,
        first: int,
        on_lost: Callable[[], None],
    ) -> None:
        self.described = False
        """Whether a session description of ours was acknowledged: the exchange of the INVITE is done, or its answer is due."""
        self._transaction = transaction
        self._timers = timers
        self._intervals = intervals
        self._on_lost = on_lost
        self._next = first
        self._open: Response | None = None
        self._number = 0
        self._waiting: deque[Response] = deque()
        self._alarms: list[Alarm] = []

    @property
    def holds_back(self) -> bool:
        """Whether a 2xx has to wait: an answer with a session description is unacknowledged (section 3)."""
        return self._open is not None and bool(self._open.body)

    def send(self, response: Response) -> None:
        """Send a provisional answer, as soon as those before it are acknowledged."""
        if self._open is None:
            self._send(response)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(response)

    def acknowledge(self, rack: RAck) -> Response | None:
        """The answer that a PRACK acknowledges; None where there is none, or not any more."""
        invite = self._transaction.request.cseq
        if self._open is None or rack != RAck(self._number, invite.number, invite.method):
            return None
        response, self._open = self._open, None
        self._stop()
        self.described = self.described or bool(response.body)
        if self._waiting:
            self._send(self._waiting.popleft())
        return response

    def drop_waiting(self) -> None:
        """The answer is decided: what waits is not sent any more."""
        self._waiting.clear()

    def settle(self) -> None:
        """There is a final answer."""
        self.drop_waiting()
        self._stop()

    def _send(self, response: Response) -> None:
        self._open, self._number, self._next = response, self._next, self._next + 1
        response.headers.add("Require", RELIABLE)
        response.headers.add("RSeq", str(self._number))
        self._alarms = [self._timers.after(self._intervals.patience, self._lost)]
        self._repeat(response, self._intervals.t1)

    def _repeat(self, response: Response, wait: float) -> None:
        self._transaction.respond(response)
        self._alarms[1:] = [self._timers.after(wait, lambda: self._repeat(response, 2 * wait))]

    def _stop(self) -> None:
        for alarm in self._alarms:
            alarm.cancel()
        self._alarms = []

    def _lost(self) -> None:
        self.settle()
        self._on_lost()


def first_number(random: bytes) -> int:
    """Where the numbers of an INVITE begin: anywhere in 1 … 2**31-1 (section 3). `random`: four bytes or more."""
    return int.from_bytes(random, "big") % (2**31 - 1) + 1
