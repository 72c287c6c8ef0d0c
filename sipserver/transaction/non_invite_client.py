"""The client transaction of every other method (RFC 3261 section 17.1.2).

The request is sent, and on UDP sent again at T1, 2*T1, … up to every T2 (timer E), also after a provisional answer, then each
T2; after 64*T1 without a final answer it has timed out (timer F). A final answer is given to the user; for T4 more (timer K)
its repetitions are absorbed.

            request
               │
            Trying ───E: again── F: 408 ──┐
         1xx │   │ 200–699                │
        Proceeding ──E: each T2── F: 408 ─┤
               │ 200–699                  │
            Completed ──K──► Terminated ◄─┘
"""

from __future__ import annotations

from sipserver.transaction.machine import Action, Double, Input, Machine, Slow, Start, State, Stop, Timer, pairs, step

_ANSWERED = step(State.COMPLETED, Stop(Timer.E), Stop(Timer.F), Action.PASS, Start(Timer.K))
_TIMED_OUT = step(State.TERMINATED, Action.TIMED_OUT)
_FAILED = step(State.TERMINATED, Action.FAILED)

TABLE = {
    (State.TRYING, Input.TIMER_E): step(State.TRYING, Action.RESEND, Double(Timer.E)),
    (State.TRYING, Input.TIMER_F): _TIMED_OUT,
    (State.TRYING, Input.TRANSPORT_ERROR): _FAILED,
    (State.TRYING, Input.PROVISIONAL): step(State.PROCEEDING, Action.PASS),
    (State.TRYING, Input.FINAL): _ANSWERED,
    (State.PROCEEDING, Input.TIMER_E): step(State.PROCEEDING, Action.RESEND, Slow(Timer.E)),
    (State.PROCEEDING, Input.TIMER_F): _TIMED_OUT,
    (State.PROCEEDING, Input.TRANSPORT_ERROR): _FAILED,
    (State.PROCEEDING, Input.PROVISIONAL): step(State.PROCEEDING, Action.PASS),
    (State.PROCEEDING, Input.FINAL): _ANSWERED,
    (State.COMPLETED, Input.TIMER_K): step(State.TERMINATED),
}

REPEATED = pairs((State.COMPLETED,), (Input.PROVISIONAL, Input.FINAL))
"""The final answer again, or a provisional one that it has overtaken: absorbed until timer K."""

ANSWERED = pairs((State.COMPLETED,), (Input.TRANSPORT_ERROR,))
"""The request has been answered, so that it did arrive."""

NOT_RUNNING = pairs((State.TRYING, State.PROCEEDING), (Input.TIMER_K,)) | pairs(
    (State.COMPLETED,), (Input.TIMER_E, Input.TIMER_F)
)
"""Timers that are stopped, or not yet started, in these states."""

NON_INVITE_CLIENT = Machine(
    name="non-INVITE client",
    start=step(State.TRYING, Action.SEND, Start(Timer.E), Start(Timer.F)),
    table=TABLE,
    ignored=REPEATED | ANSWERED | NOT_RUNNING,
    states=frozenset({State.TRYING, State.PROCEEDING, State.COMPLETED}),
    inputs=frozenset(
        {
            Input.PROVISIONAL,
            Input.FINAL,
            Input.TRANSPORT_ERROR,
            Input.TIMER_E,
            Input.TIMER_F,
            Input.TIMER_K,
        }
    ),
)
