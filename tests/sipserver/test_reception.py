"""Whether a number is open, whom it does not take, and who answers instead of its agent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sipserver.protocols import Agent, Fallback, FallbackReason, OpeningHours, Route, Trunk
from sipserver.reception import fallback_for, is_blocked, is_open

OFFICE = ((540, 720), (780, 1020))
VIENNA = OpeningHours("Europe/Vienna", (OFFICE, OFFICE, OFFICE, OFFICE, OFFICE, ((0, 1440),), ()))


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        ("2026-01-05T07:59:59", False),
        ("2026-01-05T08:00:00", True),
        ("2026-01-05T10:59:59", True),
        ("2026-01-05T11:00:00", False),
        ("2026-01-05T12:00:00", True),
        ("2026-01-05T16:00:00", False),
        # In July, Vienna is two hours ahead.
        ("2026-07-06T07:00:00", True),
        # Saturday is open from midnight to midnight of Vienna, Sunday never.
        ("2026-01-09T22:59:59", False),
        ("2026-01-09T23:00:00", True),
        ("2026-01-10T22:59:59", True),
        ("2026-01-10T23:00:00", False),
        ("2026-01-11T11:00:00", False),
    ],
)
def test_the_wall_clock_of_the_place_decides(utc: str, expected: bool) -> None:
    assert is_open(VIENNA, at(utc)) is expected


def test_without_hours_a_number_is_always_open() -> None:
    assert is_open(None, 0)


@pytest.mark.parametrize(
    ("entry", "caller", "expected"),
    [
        ("+12025550123", "+12025550123", True),
        ("+12025550123", "+120255501234", False),
        ("+1202*", "+12025550123", True),
        ("+1202*", "+1203", False),
        ("+1202*", "anonymous", False),
        ("anonymous", "anonymous", True),
        ("anonymous", "unknown", True),
        ("anonymous", "+12025550123", False),
    ],
)
def test_who_is_blocked(entry: str, caller: str, expected: bool) -> None:
    assert is_blocked(caller, ["+39*", entry]) is expected
    assert not is_blocked(caller, [])


@pytest.mark.parametrize(("reason", "expected"), [("closed", True), ("limit", True), ("error", False)])
def test_a_fallback_is_for_its_reasons_only(reason: FallbackReason, expected: bool) -> None:
    trunk = Trunk("t", "o", "ip_allowlist", "192.0.2.1")
    fallback = Fallback(frozenset({"closed", "limit"}), number="+12025550199")
    route = Route("n", "+12025550100", "o", trunk, Agent("a", "o", "Desk"), fallback=fallback)
    assert fallback_for(route, reason) == (fallback if expected else None)
    assert fallback_for(Route("n", "+12025550100", "o", trunk, None), reason) is None
