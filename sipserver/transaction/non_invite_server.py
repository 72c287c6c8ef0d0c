"""The server transaction of every other method (RFC 3261 section 17.2.2).

It remembers the last answer and gives it again for every repetition of the request, until 64*T1 after the final answer
(timer J). The user answers at once, or, after a provisional answer that RFC 4320 allows late only, when it can.

            request
               │
            Trying ──request again: nothing to say yet──┐
         1xx │   │ 200–699                           ◄──┘
        Proceeding ──request again: the last answer
               │ 200–699
            Completed ──request again: the final answer── J ──► Terminated
"""

from __future__ import annotations

from sipserver.transaction.machine import Action, Input, Machine, Start, State, Timer, pairs, step

_ANSWERED = step(State.COMPLETED, Action.SEND, Start(Timer.J))

TABLE = {
    (State.TRYING, Input.PROVISIONAL): step(State.PROCEEDING, Action.SEND),
    (State.TRYING, Input.FINAL): _ANSWERED,
    (State.PROCEEDING, Input.REQUEST): step(State.PROCEEDING, Action.RESEND),
    (State.PROCEEDING, Input.PROVISIONAL): step(State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.FINAL): _ANSWERED,
    (State.COMPLETED, Input.REQUEST): step(State.COMPLETED, Action.RESEND),
    (State.COMPLETED, Input.TIMER_J): step(State.TERMINATED),
}

UNANSWERED = frozenset({(State.TRYING, Input.REQUEST)})
"""The request came again before the user said anything."""

STILL_HERE = pairs((State.TRYING, State.PROCEEDING, State.COMPLETED), (Input.TRANSPORT_ERROR,))
"""An answer that was lost is given again when the request comes again (RFC 6026 section 8.9 says so for INVITE)."""

DECIDED = pairs((State.COMPLETED,), (Input.PROVISIONAL, Input.FINAL))
"""An answer given after the final one: too late to be sent."""

NOT_RUNNING = pairs((State.TRYING, State.PROCEEDING), (Input.TIMER_J,))
"""The timer is not yet started in these states."""

NON_INVITE_SERVER = Machine(
    name="non-INVITE server",
    start=step(State.TRYING),
    table=TABLE,
    ignored=UNANSWERED | STILL_HERE | DECIDED | NOT_RUNNING,
    states=frozenset({State.TRYING, State.PROCEEDING, State.COMPLETED}),
    inputs=frozenset({Input.REQUEST, Input.PROVISIONAL, Input.FINAL, Input.TRANSPORT_ERROR, Input.TIMER_J}),
)
