"""The INVITE client transaction (RFC 3261 section 17.1.1, as corrected by RFC 6026 section 7.2).

The request is sent, and on UDP sent again at T1, 2*T1, 4*T1 … (timer A) until any answer comes or 64*T1 have passed (timer B).
A provisional answer stops both: from then on the callee decides how long it rings. A failure is acknowledged here, hop by hop,
and for 32 s (timer D) each repetition of it is acknowledged again without the user's knowing. A success leads to Accepted,
where for 64*T1 (timer M) every 2xx, the repetitions and those of other branches of a fork, is given to the user, who
acknowledges it end to end. (Before RFC 6026 the transaction ended with the first 2xx, and the others were strays.)

                    INVITE
                      │
                  Calling ──A: again──┐   B: 408 ─┐
              1xx │  2xx│  │300–699 ◄─┘           │
           Proceeding ──┼──┤                      │
                  │ 2xx │  │ 300–699: ACK         │
                  └► Accepted  Completed          │
                       │M         │D              │
                       └───► Terminated ◄─────────┘
"""

from __future__ import annotations

from sipserver.transaction.machine import Action, Double, Input, Machine, Start, State, Stop, Timer, pairs, step

_SUCCEEDED = step(State.ACCEPTED, Stop(Timer.A), Stop(Timer.B), Action.PASS, Start(Timer.M))
_FAILED = step(State.COMPLETED, Stop(Timer.A), Stop(Timer.B), Action.ACKNOWLEDGE, Action.PASS, Start(Timer.D))

TABLE = {
    (State.CALLING, Input.TIMER_A): step(State.CALLING, Action.RESEND, Double(Timer.A)),
    (State.CALLING, Input.TIMER_B): step(State.TERMINATED, Action.TIMED_OUT),
    (State.CALLING, Input.TRANSPORT_ERROR): step(State.TERMINATED, Action.FAILED),
    (State.CALLING, Input.ABANDON): step(State.TERMINATED),
    (State.CALLING, Input.PROVISIONAL): step(State.PROCEEDING, Stop(Timer.A), Stop(Timer.B), Action.PASS),
    (State.CALLING, Input.SUCCESS): _SUCCEEDED,
    (State.CALLING, Input.FAILURE): _FAILED,
    (State.PROCEEDING, Input.PROVISIONAL): step(State.PROCEEDING, Action.PASS),
    (State.PROCEEDING, Input.SUCCESS): _SUCCEEDED,
    (State.PROCEEDING, Input.FAILURE): _FAILED,
    (State.PROCEEDING, Input.ABANDON): step(State.TERMINATED),
    (State.ACCEPTED, Input.SUCCESS): step(State.ACCEPTED, Action.PASS),
    (State.ACCEPTED, Input.TIMER_M): step(State.TERMINATED),
    (State.COMPLETED, Input.FAILURE): step(State.COMPLETED, Action.ACKNOWLEDGE),
    (State.COMPLETED, Input.TRANSPORT_ERROR): step(State.TERMINATED, Action.FAILED),
    (State.COMPLETED, Input.TIMER_D): step(State.TERMINATED),
}

LATE = pairs((State.ACCEPTED, State.COMPLETED), (Input.PROVISIONAL,))
"""A provisional answer that a final one has overtaken."""

CONTRADICTION = frozenset({(State.ACCEPTED, Input.FAILURE), (State.COMPLETED, Input.SUCCESS)})
"""A second final answer of the other kind, which RFC 3261 section 16.7 keeps proxies from sending."""

SENT_LONG_AGO = pairs((State.PROCEEDING, State.ACCEPTED), (Input.TRANSPORT_ERROR,))
"""The INVITE has been answered, so that it did arrive, and in these states the transaction sends nothing."""

DECIDED = pairs((State.ACCEPTED, State.COMPLETED), (Input.ABANDON,))
"""There is nothing left to give up."""

NOT_RUNNING = (
    pairs((State.PROCEEDING, State.ACCEPTED, State.COMPLETED), (Input.TIMER_A, Input.TIMER_B))
    | pairs((State.CALLING, State.PROCEEDING, State.ACCEPTED), (Input.TIMER_D,))
    | pairs((State.CALLING, State.PROCEEDING, State.COMPLETED), (Input.TIMER_M,))
)
"""Timers that are stopped, or not yet started, in these states."""

INVITE_CLIENT = Machine(
    name="INVITE client",
    start=step(State.CALLING, Action.SEND, Start(Timer.A), Start(Timer.B)),
    table=TABLE,
    ignored=LATE | CONTRADICTION | SENT_LONG_AGO | DECIDED | NOT_RUNNING,
    states=frozenset({State.CALLING, State.PROCEEDING, State.ACCEPTED, State.COMPLETED}),
    inputs=frozenset(
        {
            Input.PROVISIONAL,
            Input.SUCCESS,
            Input.FAILURE,
            Input.TRANSPORT_ERROR,
            Input.ABANDON,
            Input.TIMER_A,
            Input.TIMER_B,
            Input.TIMER_D,
            Input.TIMER_M,
        }
    ),
)
