"""A 2xx that we gave to an INVITE, repeated until its ACK comes (RFC 3261 section 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from sipserver.message import Request, Response
from sipserver.transaction import Alarm, Intervals, ServerTransaction, TimerQueue


class AcceptedInvite:
    """The repetition of one 2xx: at T1, doubling up to T2, on every transport, since hops further on may lose.

    `on_ack` is called with the first ACK, `on_lost` after 64*T1 without one.
    """

    def __init__(
        self,
        transaction: ServerTransaction,
        response: Response,
        timers: TimerQueue,
        intervals: Intervals,
        on_ack: Callable[[Request], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._transaction = transaction
        self._response = response
        self._timers = timers
        self._intervals = intervals
        self._on_ack = on_ack
        self._on_lost = on_lost
        self._wait = intervals.t1
        transaction.on_ack = self.acknowledge
        # The giving up is queued first: at 64*T1 it comes before timer L, which ends the transaction.
        self._patience: Alarm | None = timers.after(intervals.patience, self._lost)
        self._repeat = timers.after(self._wait, self._again)
        transaction.respond(response)

    def acknowledge(self, ack: Request) -> None:
        """An ACK in the dialog; it counts when it is this INVITE's and the first."""
        if self._patience is None or ack.cseq.number != self._transaction.request.cseq.number:
            return
        self.stop()
        self._on_ack(ack)

    def stop(self) -> None:
        """No more of it."""
        self._repeat.cancel()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _again(self) -> None:
        self._transaction.respond(self._response)
        self._wait = min(self._wait * 2, self._intervals.t2)
        self._repeat = self._timers.after(self._wait, self._again)

    def _lost(self) -> None:
        self.stop()
        self._on_lost()
