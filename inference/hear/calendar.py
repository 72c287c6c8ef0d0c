"""Dates in words. They are read relative to a day, and always lie on it or after it."""

from __future__ import annotations

from datetime import date, timedelta

from inference.hear.numbers import one_of
from inference.hear.tree import Choice, Node, Optional, Sequence, Word
from inference.hear.words import ORDINALS, TEENS, UNITS

Words = tuple[str, ...]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_AMOUNTS = {"a": 1, "one": 1, **{word: value + 2 for value, word in enumerate((*UNITS[2:], *TEENS[:5]))}}
_UNITS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_LEAP_CYCLE = 8
"""Years until a 29th of February comes back, over a century that has none."""


def _text(text: str) -> Node:
    return Sequence(tuple(Word(word) for word in text.split()))


_DAY = Choice(tuple(Sequence(tuple(Word(word) for word in ordinal)) for ordinal in ORDINALS))
_MONTH = one_of(*MONTHS)
_THE = Optional(Word("the"))
DATE = Choice(
    (
        Word("today"),
        Word("tomorrow"),
        Sequence((_THE, _text("day after tomorrow"))),
        Sequence((Optional(one_of("this", "next")), one_of(*WEEKDAYS))),
        Sequence((Optional(one_of(*WEEKDAYS)), _THE, _DAY, Optional(Sequence((Optional(Word("of")), _MONTH))))),
        Sequence((Optional(one_of(*WEEKDAYS)), _MONTH, _THE, _DAY)),
        Sequence((Word("in"), one_of(*_AMOUNTS), one_of(*_UNITS))),
    )
)
"""`tomorrow`, `next friday`, `the fourteenth of march`, `monday march the third`, `in two weeks`."""


def read_date(words: Words, today: date) -> date | None:
    """The day that the words name, seen from `today`; None for a day that no month has."""
    month = next((MONTHS.index(word) + 1 for word in words if word in MONTHS), None)
    day = _day_of_month(words)
    if day is not None:
        return _next_day(day, month, today)
    weekday = next((WEEKDAYS.index(word) for word in words if word in WEEKDAYS), None)
    if weekday is not None:
        return _next_weekday(weekday, today, of_next_week=words[0] == "next")
    if words[0] == "in":
        return today + timedelta(days=_AMOUNTS[words[1]] * _UNITS[words[2]])
    return today + timedelta(days=("today", "tomorrow", "after").index(_relative(words)))


def date_is_open(words: Words) -> bool:
    """A day without its month may still get it."""
    return _day_of_month(words) is not None and not any(word in MONTHS for word in words)


def say_date(value: object) -> str:
    """`2026-03-14` → `Saturday, March 14`."""
    day = date.fromisoformat(str(value))
    return f"{WEEKDAYS[day.weekday()].capitalize()}, {MONTHS[day.month - 1].capitalize()} {day.day}"


def _relative(words: Words) -> str:
    return "after" if "after" in words else words[0]


def _day_of_month(words: Words) -> int | None:
    text = " ".join(words)
    found = [day for day, ordinal in enumerate(ORDINALS, 1) if f" {' '.join(ordinal)} " in f" {text} "]
    return max(found) if found else None


def _next_day(day: int, month: int | None, today: date) -> date | None:
    """The first such day from `today` on."""
    for ahead in range(12 * _LEAP_CYCLE + 1):
        year, index = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        try:
            found = date(year, index + 1, day)
        except ValueError:
            continue
        if (month is None or index + 1 == month) and found >= today:
            return found
    return None


def _next_weekday(weekday: int, today: date, *, of_next_week: bool) -> date:
    if of_next_week:
        return today + timedelta(days=7 - today.weekday() + weekday)
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
