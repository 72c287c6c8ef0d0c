"""What a number says of its callers: whether it is open, whom it does not take, and who answers instead of its agent.

Pure decisions on a `protocols.Route`. `now` is in microseconds since the epoch, callers are as `numbers.caller_number` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sipserver.numbers import ANONYMOUS, UNKNOWN
from sipserver.protocols import Fallback, FallbackReason, OpeningHours, Route

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def _means(entry: str, caller: str) -> bool:
    if entry == ANONYMOUS:
        return caller in (ANONYMOUS, UNKNOWN)
    if entry.endswith("*"):
        return caller.startswith(entry[:-1])
    return caller == entry
