"""The built-in kinds of captures: how each is said, what value its words have, and how the value is read out again.

Every kind has two trees. `wide` is what is understood on words, from whichever recogniser they come; `narrow`, a part
of it, goes into the grammar of a recogniser that must guess among few sentences, where each word more costs accuracy.
Dates are in the future: "Monday" is the coming one, "the fifth of May" the next one, seen from `now` in the agent's zone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from inference.hear.calendar import DATE, date_is_open, read_date, say_date
from inference.hear.clock import NARROW_TIME, TIME, read_time, say_time, time_is_open
from inference.hear.numbers import DIGITS, NARROW_DIGITS, NUMBER, read_digits, read_number
from inference.hear.tree import Choice, Node, Repeat, Sequence, Word

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of capture.

    `read` gives the JSON value of words, None when they have none after all ("the thirtieth of February"). `slow` kinds
    are said with pauses; `is_open` tells whether a complete one might still go on.
    """

    wide: Node
    narrow: Node
    read: Callable[[Words, datetime], Any]
    slow: bool
    is_open: Callable[[Words], bool]
    say: Callable[[Any], str]


def _words(*texts: str) -> tuple[Node, ...]:
    return tuple(
        Word(text) if " " not in text else Sequence(tuple(Word(word) for word in text.split())) for text in texts
    )


_YES = (
    "yes",
    "yes please",
    "yeah",
    "yep",
    "sure",
    "ok",
    "correct",
    "of course",
    "that is right",
    "that is correct",
    "yes that is right",
    "yes that is correct",
)
_NO = (
    "no",
    "no thank you",
    "no thanks",
    "nope",
    "not really",
    "that is wrong",
    "that is not right",
    "no that is wrong",
    "no that is not right",
)
_YESNO = Choice(_words(*_YES, *_NO))

_SPELLING = {
    "alpha": "a",
    "alfa": "a",
    "bravo": "b",
    "charlie": "c",
    "delta": "d",
    "echo": "e",
    "foxtrot": "f",
    "golf": "g",
    "hotel": "h",
    "india": "i",
    "juliet": "j",
    "kilo": "k",
    "lima": "l",
    "mike": "m",
    "november": "n",
    "oscar": "o",
    "papa": "p",
    "quebec": "q",
    "romeo": "r",
    "sierra": "s",
    "tango": "t",
    "uniform": "u",
    "victor": "v",
    "whiskey": "w",
    "yankee": "y",
    "zulu": "z",
}
_ALPHABET = tuple("abcdefghijklmnopqrstuvwxyz")
_NARROW_LETTERS = Repeat(Choice(_words(*_ALPHABET)))
_WIDE_LETTERS = Repeat(Choice(_words(*_ALPHABET, *_SPELLING, "double u", "zed", "x ray")))


def _read_yesno(words: Words, now: datetime) -> bool:
    return " ".join(words) in _YES


def _read_letters(words: Words, now: datetime) -> str:
    text = " ".join(words).replace("double u", "w").replace("x ray", "x")
    letters = [_SPELLING.get(word, word) for word in text.split()]
    return "".join("z" if letter == "zed" else letter for letter in letters).upper()


def _always(words: Words) -> bool:
    return True


def _never(words: Words) -> bool:
    return False


def _spaced(value: Any) -> str:
    return " ".join(str(value))


def _say_yesno(value: Any) -> str:
    return "yes" if value else "no"


KINDS: dict[str, Kind] = {
    "digits": Kind(DIGITS, NARROW_DIGITS, lambda words, now: read_digits(words), True, _always, _spaced),
    "number": Kind(NUMBER, NUMBER, lambda words, now: read_number(words), True, _always, str),
    "date": Kind(DATE, DATE, lambda words, now: _iso(read_date(words, now.date())), True, date_is_open, say_date),
    "time": Kind(TIME, NARROW_TIME, lambda words, now: read_time(words), True, time_is_open, say_time),
    "letters": Kind(_WIDE_LETTERS, _NARROW_LETTERS, _read_letters, True, _always, _spaced),
    "yesno": Kind(_YESNO, _YESNO, _read_yesno, False, _never, _say_yesno),
}


def spoken(kind: str, value: Any) -> str:
    """How a captured value is said aloud: digits one by one, a date with its weekday. Other kinds as their text."""
    known = KINDS.get(kind)
    return known.say(value) if known else str(value)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
