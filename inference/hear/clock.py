"""Times of the day in words. An hour without morning or afternoon is one of business hours: `three` is 15:00, `nine` 09:00."""

from __future__ import annotations

from inference.hear.numbers import one_of, read_number
from inference.hear.tree import Choice, Node, Optional, Sequence, Word
from inference.hear.words import TEENS, TENS, UNITS

Words = tuple[str, ...]

_FIRST_MORNING_HOUR = 8
_NIGHT_ENDS = 5
_HOURS = (*UNITS[1:], *TEENS[:3])
_PARTS = {"a.m.": 0, "am": 0, "morning": 0, "p.m.": 12, "afternoon": 12, "evening": 12, "night": 12}
_NAMED = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}


def _text(text: str) -> Node:
    return Sequence(tuple(Word(word) for word in text.split()))


_HOUR = one_of(*_HOURS)
_HOUR24 = Choice((one_of("zero", *_HOURS, *TEENS[3:]), Sequence((Word("twenty"), Optional(one_of(*UNITS[1:4]))))))
_MINUTE = Choice(
    (
        Sequence((one_of("oh", "zero"), one_of(*UNITS[1:]))),
        one_of(*TEENS),
        Sequence((one_of(*TENS[:4]), Optional(one_of(*UNITS[1:])))),
    )
)
_MINUTES = Choice(
    (Sequence((Optional(Word("a")), Word("quarter"))), one_of("five", "ten", "twenty"), _text("twenty five"))
)
_RELATIVE = Choice((_text("half past"), Sequence((_MINUTES, one_of("past", "to")))))
_PART = Choice(
    (
        one_of("a.m.", "am", "p.m."),
        Sequence((Word("in"), Word("the"), one_of("morning", "afternoon", "evening"))),
        _text("at night"),
    )
)
NARROW_TIME = Choice(
    (
        one_of(*_NAMED),
        Sequence((_HOUR, Optional(Choice((_MINUTE, Word("o'clock")))), Optional(_PART))),
        Sequence((_RELATIVE, _HOUR, Optional(_PART))),
    )
)
TIME = Choice(
    (
        NARROW_TIME,
        Sequence((_MINUTES, Word("after"), _HOUR, Optional(_PART))),
        Sequence((_HOUR24, Optional(_MINUTE), Optional(Word("hundred")))),
    )
)
"""`three`, `three thirty p.m.`, `half past nine in the morning`, `fifteen thirty`, `noon`."""


def read_time(words: Words) -> str | None:
    """`HH:MM`; None for an hour that no day has."""
    if words[0] in _NAMED:
        return _NAMED[words[0]]
    part = next((_PARTS[word] for word in words if word in _PARTS), None)
    plain = tuple(
        word for word in words if word not in _PARTS and word not in {"in", "the", "at", "a", "o'clock", "hundred"}
    )
    hour, minute = _relative(plain) if {"past", "to", "after"} & set(plain) else _plain(plain)
    if "night" in words and hour % 12 < _NIGHT_ENDS:
        part = 0
    if hour > 23 or minute > 59 or (part is not None and hour > 12):
        return None
    return f"{_of_day(hour, part):02d}:{minute:02d}"


def time_is_open(words: Words) -> bool:
    """A bare hour may still get its minutes."""
    return len(words) == 1 and words[0] not in _NAMED


def say_time(value: object) -> str:
    """`15:30` → `3:30 p.m.`"""
    hour, minute = (int(part) for part in str(value).split(":"))
    return f"{(hour - 1) % 12 + 1}{f':{minute:02d}' if minute else ''} {'p.m.' if hour >= 12 else 'a.m.'}"


def _of_day(hour: int, part: int | None) -> int:
    if part is not None:
        return hour % 12 + part
    return hour + 12 if 0 < hour < _FIRST_MORNING_HOUR else hour


def _relative(words: Words) -> tuple[int, int]:
    """`half past three` → (3, 30); `quarter to four` → (3, 45)."""
    split = next(index for index, word in enumerate(words) if word in {"past", "to", "after"})
    named = {"half": 30, "quarter": 15}
    minutes = named.get(words[0]) or read_number(words[:split])
    hour = read_number(words[split + 1 :])
    return (hour, minutes) if words[split] != "to" else ((hour - 1) % 12 or 12, 60 - minutes)


def _plain(words: Words) -> tuple[int, int]:
    """The hour is the first number below 24, the minutes are the rest."""
    cut = 2 if len(words) > 1 and words[0] == "twenty" and words[1] in UNITS[1:4] else 1
    minutes = tuple(word for word in words[cut:] if word not in {"oh", "zero"})
    return read_number(words[:cut]), read_number(minutes) if minutes else 0
