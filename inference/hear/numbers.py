"""Numbers in words: digit by digit, and as one number below a million."""

from __future__ import annotations

from inference.hear.tree import Choice, Node, Optional, Repeat, Sequence, Word
from inference.hear.words import TEENS, TENS, UNITS

Words = tuple[str, ...]

_DIGIT = {**{word: str(value) for value, word in enumerate(UNITS)}, "oh": "0", "o": "0", "nought": "0"}
_TEN = {word: 10 * (index + 2) for index, word in enumerate(TENS)}
_SMALL = {**{word: value for value, word in enumerate(UNITS)}, **{word: 10 + n for n, word in enumerate(TEENS)}}
_TIMES = {"double": 2, "triple": 3}


def one_of(*words: str) -> Node:
    """A choice of single words."""
    return Choice(tuple(Word(word) for word in words))


def _sequence(*parts: Node) -> Node:
    return Sequence(parts)


NARROW_DIGITS = Repeat(one_of(*UNITS, "oh"))
DIGITS = Repeat(
    Choice(
        (
            one_of(*_DIGIT),
            _sequence(one_of(*_TIMES), one_of(*_DIGIT)),
            one_of(*TEENS),
            _sequence(one_of(*TENS), Optional(one_of(*UNITS[1:]))),
        )
    )
)
_BELOW_HUNDRED = Choice((one_of(*UNITS[1:], *TEENS), _sequence(one_of(*TENS), Optional(one_of(*UNITS[1:])))))
_AND_REST = Optional(_sequence(Optional(Word("and")), _BELOW_HUNDRED))
_BELOW_THOUSAND = Choice((_BELOW_HUNDRED, _sequence(one_of("a", *UNITS[1:]), Word("hundred"), _AND_REST)))
NUMBER = Choice(
    (
        Word("zero"),
        _BELOW_THOUSAND,
        _sequence(
            Choice((Word("a"), _BELOW_THOUSAND)),
            Word("thousand"),
            Optional(_sequence(Optional(Word("and")), _BELOW_THOUSAND)),
        ),
        _sequence(one_of(*UNITS), Repeat(one_of(*UNITS))),
    )
)
"""Zero to 999999; several digits one after the other are a number too."""


def read_digits(words: Words) -> str:
    """`four seven double one` → `4711`; `twenty one` → `21`."""
    digits, times = "", 1
    for index, word in enumerate(words):
        if word in _TIMES:
            times = _TIMES[word]
            continue
        after_ten = index > 0 and words[index - 1] in _TEN and word in UNITS[1:]
        digits = digits[:-1] + _DIGIT[word] if after_ten else digits + _digits_of(word) * times
        times = 1
    return digits


def _digits_of(word: str) -> str:
    return _DIGIT.get(word) or str(_SMALL[word] if word in _SMALL else _TEN[word])


def read_number(words: Words) -> int:
    """`two hundred and five` → 205."""
    if len(words) > 1 and all(word in UNITS for word in words):
        return int("".join(_DIGIT[word] for word in words))
    total = part = 0
    for word in words:
        if word == "thousand":
            total, part = max(part, 1) * 1000, 0
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            part += _SMALL.get(word, _TEN.get(word, 0)) if word != "a" else 0
    return total + part
