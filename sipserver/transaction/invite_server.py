"""The INVITE server transaction (RFC 3261 section 17.2.1, as corrected by RFC 6026 section 7.1).

While the user decides, the last provisional answer is repeated for every INVITE that comes again. A failure is sent, and on
UDP sent again at T1 doubling to T2 (timer G), until its ACK comes or 64*T1 have passed (timer H); after the ACK the transaction
waits T4 for further ones (timer I). A success leads to Accepted: for 64*T1 (timer L) INVITEs that come again are swallowed,
since it is the *user* who repeats the 2xx until the ACK comes (RFC 3261 section 13.3.1.4); an ACK that carries the INVITE's own
branch is passed on.

              INVITE
                │
            Proceeding ──1xx, INVITE: repeat the last──┐
          2xx │    │ 300–699                        ◄──┘
        Accepted  Completed ──G: again── H: no ACK ─┐
              │    │ ACK                            │
              │  Confirmed                          │
              │L   │I                               │
              └────┴───────► Terminated ◄───────────┘

A transport error never ends it (RFC 6026 section 8.9): the client's repetition may find the way better.
"""

from __future__ import annotations

from sipserver.transaction.machine import Action, Double, Input, Machine, Start, State, Stop, Timer, pairs, step

TABLE = {
    (State.PROCEEDING, Input.REQUEST): step(State.PROCEEDING, Action.RESEND),
    (State.PROCEEDING, Input.PROVISIONAL): step(State.PROCEEDING, Action.SEND),
    (State.PROCEEDING, Input.SUCCESS): step(State.ACCEPTED, Action.SEND, Start(Timer.L)),
    (State.PROCEEDING, Input.FAILURE): step(State.COMPLETED, Action.SEND, Start(Timer.G), Start(Timer.H)),
    (State.ACCEPTED, Input.SUCCESS): step(State.ACCEPTED, Action.SEND),
    (State.ACCEPTED, Input.ACK): step(State.ACCEPTED, Action.PASS),
    (State.ACCEPTED, Input.TIMER_L): step(State.TERMINATED),
    (State.COMPLETED, Input.REQUEST): step(State.COMPLETED, Action.RESEND),
    (State.COMPLETED, Input.TIMER_G): step(State.COMPLETED, Action.RESEND, Double(Timer.G)),
    (State.COMPLETED, Input.TIMER_H): step(State.TERMINATED, Action.TIMED_OUT),
    (State.COMPLETED, Input.ACK): step(State.CONFIRMED, Stop(Timer.G), Stop(Timer.H), Start(Timer.I)),
    (State.CONFIRMED, Input.TIMER_I): step(State.TERMINATED),
}

ABSORBED = frozenset({(State.ACCEPTED, Input.REQUEST), (State.CONFIRMED, Input.REQUEST), (State.CONFIRMED, Input.ACK)})
"""Repetitions that need no answer any more (RFC 6026 section 7.1; timer I exists for them)."""

STRAY_ACK = frozenset({(State.PROCEEDING, Input.ACK)})
"""An ACK before any final answer acknowledges nothing."""

STILL_HERE = pairs((State.PROCEEDING, State.ACCEPTED, State.COMPLETED, State.CONFIRMED), (Input.TRANSPORT_ERROR,))
"""RFC 6026 section 8.9: the transaction stays as it is; what is unanswered will come again."""

DECIDED = pairs((State.COMPLETED, State.CONFIRMED), (Input.PROVISIONAL, Input.SUCCESS, Input.FAILURE)) | pairs(
    (State.ACCEPTED,), (Input.PROVISIONAL, Input.FAILURE)
)
"""An answer given after the final one: too late to be sent."""

NOT_RUNNING = (
    pairs((State.PROCEEDING, State.ACCEPTED, State.CONFIRMED), (Input.TIMER_G, Input.TIMER_H))
    | pairs((State.PROCEEDING, State.ACCEPTED, State.COMPLETED), (Input.TIMER_I,))
    | pairs((State.PROCEEDING, State.COMPLETED, State.CONFIRMED), (Input.TIMER_L,))
)
"""Timers that are stopped, or not yet started, in these states."""

INVITE_SERVER = Machine(
    name="INVITE server",
    start=step(State.PROCEEDING),
    table=TABLE,
    ignored=ABSORBED | STRAY_ACK | STILL_HERE | DECIDED | NOT_RUNNING,
    states=frozenset({State.PROCEEDING, State.ACCEPTED, State.COMPLETED, State.CONFIRMED}),
    inputs=frozenset(
        {
            Input.REQUEST,
            Input.ACK,
            Input.PROVISIONAL,
            Input.SUCCESS,
            Input.FAILURE,
            Input.TRANSPORT_ERROR,
            Input.TIMER_G,
            Input.TIMER_H,
            Input.TIMER_I,
            Input.TIMER_L,
        }
    ),
)
