"""One transaction: a machine's table, walked for one request, with the messages and timers that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from sipserver.locate import Target
from sipserver.message import Request, Response
from sipserver.transaction.invite_client import INVITE_CLIENT
from sipserver.transaction.invite_server import INVITE_SERVER
from sipserver.transaction.machine import Action, Deed, Double, Input, Machine, Slow, Start, State, Stop, Timer
from sipserver.transaction.messages import ack_of_failure
from sipserver.transaction.non_invite_client import NON_INVITE_CLIENT
from sipserver.transaction.non_invite_server import NON_INVITE_SERVER
from sipserver.transaction.timers import Alarm, Intervals, TimerQueue

Message = Request | Response
Key = Hashable


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message on its way out: its bytes, where they go, and whose it is (None: nobody waits for its fate).

    `ladder` marks the messages of calls, those that are shown. Nobody changes one; it is not frozen because that would cost
    each message as much as a third of its serialization.
    """

    message: Message
    data: bytes
    target: Target
    transaction: Transaction | None = None
    ladder: bool = False


class Surroundings(Protocol):
    """What a transaction needs of those around it."""

    timers: TimerQueue
    intervals: Intervals
    retransmissions: int

    def transmit(self, outgoing: Outgoing) -> None:
        """Take a message to be sent."""

    def forget(self, transaction: Transaction) -> None:
        """The transaction is over."""


class Transaction:
    """A walk through one of the four tables. What comes in by `take` moves it; once Terminated it is deaf."""

    __slots__ = (
        "_alarms",
        "_around",
        "_intervals",
        "_last",
        "key",
        "ladder",
        "machine",
        "request",
        "state",
        "target",
    )

    def __init__(
        self,
        machine: Machine,
        key: Key,
        request: Request,
        target: Target,
        around: Surroundings,
        *,
        ladder: bool = False,
    ) -> None:
        self.machine = machine
        self.key = key
        self.request = request
        self.target = target
        self.ladder = ladder
        self.state = machine.start.state
        self._around = around
        self._last: Outgoing | None = None
        self._alarms: dict[Timer, Alarm] = {}
        self._intervals: dict[Timer, float] = {}

    def begin(self) -> None:
        """Do what the machine does at the start."""
        self._do(self.machine.start.deeds, self.request)

    def take(self, item: Input, message: Message | None = None) -> None:
        """Something happened."""
        if self.state is State.TERMINATED:
            return
        step = self.machine.step(self.state, item)
        if step is None:
            return
        self.state = step.state
        self._do(step.deeds, message)
        if self.state is State.TERMINATED:
            self._end()

    def transport_failed(self) -> None:
        """A message of this transaction could not be sent (RFC 3261 section 18.4)."""
        self.take(Input.TRANSPORT_ERROR)

    def _do(self, deeds: tuple[Deed, ...], message: Message | None) -> None:
        for deed in deeds:
            match deed:
                case Action():
                    self._act(deed, message)
                case Start(timer):
                    self._run(timer, self._around.intervals.first(timer, self.target.reliable))
                case Double(timer):
                    self._run(timer, self._around.intervals.doubled(timer, self._intervals[timer]))
                case Slow(timer):
                    self._run(timer, self._around.intervals.t2)
                case Stop(timer):
                    self._stop(timer)

    def _act(self, action: Action, message: Message | None) -> None:
        if action is Action.RESEND:
            if self._last is not None:
                self._around.retransmissions += 1
                self._around.transmit(self._last)
        elif action is Action.TIMED_OUT:
            self._fail(408)
        elif action is Action.FAILED:
            self._fail(503)
        elif message is not None:
            self._act_on(action, message)

    def _act_on(self, action: Action, message: Message) -> None:
        if action is Action.SEND:
            self._last = self._transmit(message)
        elif action is Action.ACKNOWLEDGE and isinstance(message, Response):
            self._transmit(ack_of_failure(self.request, message))
        elif action is Action.PASS:
            self._pass(message)

    def _transmit(self, message: Message) -> Outgoing:
        outgoing = Outgoing(message, bytes(message), self.target, self, self.ladder)
        self._around.transmit(outgoing)
        return outgoing

    def _run(self, timer: Timer, interval: float | None) -> None:
        # The user may have ended the transaction while it was given a message, in the middle of a step.
        if interval is None or self.state is State.TERMINATED:
            return
        self._intervals[timer] = interval
        self._alarms[timer] = self._around.timers.after(interval, lambda: self.take(Input(timer)))

    def _stop(self, timer: Timer) -> None:
        alarm = self._alarms.pop(timer, None)
        if alarm is not None:
            alarm.cancel()

    def _end(self) -> None:
        for timer in tuple(self._alarms):
            self._stop(timer)
        self._last = None  # It names this transaction: together they would outlive their use.
        self._around.forget(self)

    def _pass(self, message: Message) -> None:
        raise NotImplementedError

    def _fail(self, status: int) -> None:
        raise NotImplementedError


class ClientTransaction(Transaction):
    """A request of ours. Its user is given the responses, or 408 or 503 when there will be none."""

    __slots__ = ("_on_failure", "_on_response")

    def __init__(
        self,
        key: Key,
        request: Request,
        target: Target,
        around: Surroundings,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int], None],
        *,
        ladder: bool = False,
    ) -> None:
        machine = INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT
        super().__init__(machine, key, request, target, around, ladder=ladder)
        self._on_response = on_response
        self._on_failure = on_failure

    def receive(self, response: Response) -> None:
        """A response that matches came."""
        self.take(_kind(self.machine is INVITE_CLIENT, response.status), response)

    def abandon(self) -> None:
        """Wait no longer (INVITE only)."""
        self.take(Input.ABANDON)

    def _pass(self, message: Message) -> None:
        if isinstance(message, Response):
            self._on_response(message)

    def _fail(self, status: int) -> None:
        self._on_failure(status)


class ServerTransaction(Transaction):
    """A request of the peer's. Its user answers it with `respond`.

    It may set `on_ack` to see ACKs of its 2xx that carry the INVITE's own branch, and `on_cancel` to be given the transaction of
    the CANCEL that takes the INVITE back.
    """

    __slots__ = ("_promise", "final", "on_ack", "on_cancel")

    def __init__(
        self, key: Key, request: Request, target: Target, around: Surroundings, *, ladder: bool = False
    ) -> None:
        machine = INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER
        super().__init__(machine, key, request, target, around, ladder=ladder)
        self.final: int | None = None
        self.on_ack: Callable[[Request], None] | None = None
        self.on_cancel: Callable[[ServerTransaction], None] | None = None
        self._promise: Alarm | None = None

    def promise(self, trying: Callable[[], Response]) -> None:
        """Give the 100 of `trying` unless there is another answer soon (RFC 3261 section 17.2.1 allows 200 ms for that)."""
        delay = self._around.intervals.trying
        if delay > 0:
            self._promise = self._around.timers.after(delay, lambda: self.respond(trying()))
        else:
            self.respond(trying())

    def receive(self, request: Request) -> None:
        """The request again, or the ACK that belongs to it."""
        self.take(Input.ACK if request.method == "ACK" else Input.REQUEST, request)

    def respond(self, response: Response) -> None:
        """Answer; what comes after the final answer is not sent, but for the repetitions of a 2xx to INVITE."""
        if self._promise is not None:
            self._promise.cancel()
            self._promise = None
        if response.status >= 200 and self.final is None:
            self.final = response.status
        self.take(_kind(self.machine is INVITE_SERVER, response.status), response)

    def _pass(self, message: Message) -> None:
        if self.on_ack is not None and isinstance(message, Request):
            self.on_ack(message)

    def _end(self) -> None:
        super()._end()
        if self._promise is not None:
            self._promise.cancel()
        self.on_ack = self.on_cancel = None

    def _fail(self, status: int) -> None:
        """Timer H: the ACK of a failure never came. The user has done with the call already (RFC 3261 section 17.2.1)."""


def _kind(invite: bool, status: int) -> Input:
    if status < 200:
        return Input.PROVISIONAL
    if not invite:
        return Input.FINAL
    return Input.SUCCESS if status < 300 else Input.FAILURE
