"""What the four transaction machines are made of: states, inputs, actions, and the table that joins them.

A machine is a table: (state, input) → (next state, actions). A pair that may come about and changes nothing stands in the
machine's ignore set, with the reason beside it; there is no third kind of pair, and a test checks that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto


class _Named(Enum):
    """Hashed as the object that each member is. Enum would hash its name, by a function in Python, twice for each step."""

    __hash__ = object.__hash__


class State(_Named):
    """The states of RFC 3261 section 17, and Accepted of RFC 6026."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Timer(_Named):
    """The timers of RFC 3261 table 4, and L and M of RFC 6026."""

    A = "A"
    B = "B"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 (RFC 3261 calls it so)
    J = "J"
    K = "K"
    L = "L"
    M = "M"


class Input(_Named):
    """What can happen to a transaction."""

    REQUEST = auto()
    """Server: the request again."""
    ACK = auto()
    """INVITE server: an ACK that matches."""
    PROVISIONAL = auto()
    """Client: a 1xx came. Server: the user gives one."""
    SUCCESS = auto()
    """A 2xx of INVITE came, or is given."""
    FAILURE = auto()
    """A 300–699 of INVITE came, or is given."""
    FINAL = auto()
    """A 200–699 of another method came, or is given."""
    TRANSPORT_ERROR = auto()
    """A message of this transaction could not be sent."""
    ABANDON = auto()
    """INVITE client: the user gives up waiting (RFC 3261 section 9.1, 64*T1 after CANCEL)."""
    TIMER_A = Timer.A
    TIMER_B = Timer.B
    TIMER_D = Timer.D
    TIMER_E = Timer.E
    TIMER_F = Timer.F
    TIMER_G = Timer.G
    TIMER_H = Timer.H
    TIMER_I = Timer.I
    TIMER_J = Timer.J
    TIMER_K = Timer.K
    TIMER_L = Timer.L
    TIMER_M = Timer.M


class Action(_Named):
    """What a transaction does on a step."""

    SEND = auto()
    """Send the message at hand and keep it for retransmission."""
    RESEND = auto()
    """Send again what was sent last."""
    ACKNOWLEDGE = auto()
    """Send the ACK of a final answer that is not 2xx (RFC 3261 section 17.1.1.3)."""
    PASS = auto()
    """Give the message to the transaction user."""
    TIMED_OUT = auto()
    """Tell the user that nothing came: 408 (RFC 3261 section 8.1.3.1)."""
    FAILED = auto()
    """Tell the user that the transport failed: 503 (RFC 3261 section 8.1.3.1)."""


@dataclass(frozen=True, slots=True)
class Start:
    """Run a timer for its first interval."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Double:
    """Run a timer again for twice its last interval, capped by T2 where the timer is."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Slow:
    """Run a timer again for T2 (timer E while Proceeding, RFC 3261 section 17.1.2.2)."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a timer."""

    timer: Timer


Deed = Action | Start | Double | Slow | Stop


@dataclass(frozen=True, slots=True)
class Step:
    """Where a transaction goes, and what it does on the way."""

    state: State
    deeds: tuple[Deed, ...]


def step(state: State, *deeds: Deed) -> Step:
    """A step, written short for the tables."""
    return Step(state, deeds)


Pair = tuple[State, Input]


def pairs(states: Iterable[State], inputs: Iterable[Input]) -> frozenset[Pair]:
    """Every state with every input, for the ignore sets."""
    inputs = tuple(inputs)
    return frozenset((state, item) for state in states for item in inputs)


@dataclass(frozen=True, slots=True)
class Machine:
    """One of the four. `start` is taken when the transaction is made; Terminated takes no input: it is forgotten."""

    name: str
    start: Step
    table: Mapping[Pair, Step]
    ignored: frozenset[Pair]
    states: frozenset[State]
    inputs: frozenset[Input]

    def step(self, state: State, item: Input) -> Step | None:
        """The step to take; None for an ignored pair. Raises KeyError for a pair that cannot be."""
        found = self.table.get((state, item))
        if found is None and (state, item) not in self.ignored:
            raise KeyError((self.name, state, item))
        return found
