"""What a number says of its callers: whether it is open, whom it does not take, and who answers instead of its agent.

Pure decisions on a `protocols.Route`. `now` is in microseconds since the epoch, callers are as `numbers.caller_number` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sipserver.numbers import ANONYMOUS, UNKNOWN
from sipserver.protocols import Agent, Colleague, Fallback, FallbackReason, OpeningHours, Route

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Taken:
    """This agent answers; with problems in `not_ready` it only takes a message."""

    agent: Agent
    not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The caller is sent to the fallback's number or SIP URI."""

    fallback: Fallback


@dataclass(frozen=True, slots=True)
class Declined:
    """The call is refused. `why` is a sentence for our log."""

    status: int
    why: str


def receive(route: Route, caller: str, now: int, is_full: Callable[[str], bool]) -> Taken | Elsewhere | Declined:
    """What becomes of a call to this number. `is_full` says whether an agent, by its id, has all the calls that it may have."""
    if is_blocked(caller, route.blocked):
        return Declined(603, "The number does not take calls of this caller.")
    if not is_open(route.opening, now):
        closed = None if route.opening is None else route.opening.closed_agent
        if closed is not None and route.opening is not None:
            return _by(closed, route.opening.closed_not_ready, is_full)
        return _instead(route, "closed", Declined(480, "The number is closed at this time."), is_full)
    if route.agent is None or not route.agent.is_active:
        return _instead(route, "inactive", Declined(480, "The number has no active agent."), is_full)
    taken = _by(route.agent, route.not_ready, is_full)
    if isinstance(taken, Declined):
        return _instead(route, "limit", taken, is_full)
    return _instead(route, "not_ready", taken, is_full) if route.not_ready else taken


def _instead(
    route: Route, reason: FallbackReason, else_: Taken | Declined, is_full: Callable[[str], bool]
) -> Taken | Elsewhere | Declined:
    fallback = fallback_for(route, reason)
    if fallback is None:
        return else_
    return Elsewhere(fallback) if fallback.agent is None else _by(fallback.agent, fallback.not_ready, is_full)


def _by(agent: Agent, not_ready: tuple[str, ...], is_full: Callable[[str], bool]) -> Taken | Declined:
    if not agent.is_active:
        return Declined(480, "The agent is not active.")
    if is_full(agent.id):
        return Declined(486, "The agent has all the calls that it may have.")
    return Taken(agent, not_ready)


def is_open(hours: OpeningHours | None, now: int) -> bool:
    """Whether the wall clock of the number's place shows a time at which it is open. Without hours it always is.

    An hour that a change to or from summer time repeats is open both times, one that it leaves out never comes.
    """
    if hours is None:
        return True
    local = (_EPOCH + timedelta(microseconds=now)).astimezone(ZoneInfo(hours.timezone))
    minute = local.hour * 60 + local.minute
    return any(begin <= minute < end for begin, end in hours.days[local.weekday()])


def is_blocked(caller: str, blocked: Sequence[str]) -> bool:
    """Whether the caller is among those that the number does not take. `anonymous` means all who do not show a number."""
    return any(_means(entry, caller) for entry in blocked)


def fallback_for(route: Route, reason: FallbackReason) -> Fallback | None:
    """Where the call goes that the agent does not take for this reason; None: it is refused."""
    fallback = route.fallback
    return fallback if fallback is not None and reason in fallback.when else None


def stand_in(route: Route, agent: Agent) -> Colleague | None:
    """The agent who goes on with a call when this one's conversation breaks; None where there is no other."""
    fallback = fallback_for(route, "error")
    other = None if fallback is None else fallback.agent
    if fallback is None or other is None or other.id == agent.id or not other.is_active:
        return None
    return Colleague(other, fallback.not_ready)


def _means(entry: str, caller: str) -> bool:
    if entry == ANONYMOUS:
        return caller in (ANONYMOUS, UNKNOWN)
    if entry.endswith("*"):
        return caller.startswith(entry[:-1])
    return caller == entry
