"""Text to words in one form, whoever wrote it: a script's author or one of many recognisers.

"That's", "thats" and "that is" become `that is`; "can't" and "cannot" `can not`; "14th" `fourteenth`; "4711" `four seven
one one`; "3:30 pm" `three thirty p.m.`. Everything that compares words compares these.
"""

from __future__ import annotations

import re

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_UNIT_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_TEEN_ORDINALS = (
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
)
ORDINALS: tuple[tuple[str, ...], ...] = (
    *((word,) for word in _UNIT_ORDINALS),
    *((word,) for word in _TEEN_ORDINALS),
    ("twentieth",),
    *(("twenty", word) for word in _UNIT_ORDINALS),
    ("thirtieth",),
    ("thirty", "first"),
)
"""The days of a month as words: `ORDINALS[0]` is the first."""

_FULL = {
    "can't": "can not",
    "cant": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "let's": "let us",
    "thats": "that is",
    "dont": "do not",
    "im": "i am",
    "okay": "ok",
    "yup": "yep",
    "alright": "all right",
    "hmm": "mm",
    "mmm": "mm",
    "uhhuh": "uh huh",
    "uh-huh": "uh huh",
    "mm-hmm": "mhm",
    "mmhmm": "mhm",
    "mm-hm": "mhm",
    "pm": "p.m.",
    "p.m": "p.m.",
    "a.m": "a.m.",
}
_ENDINGS = (("n't", "not"), ("'m", "am"), ("'re", "are"), ("'ve", "have"), ("'ll", "will"), ("'d", "would"))
_IS = frozenset({"that", "it", "he", "she", "what", "where", "when", "who", "how", "there", "here"})
_TOKEN = re.compile(r"\d+:\d\d|\d+(?:st|nd|rd|th)|\d+(?=\D|$)|[ap]\.m\.?|[^\W\d_]+(?:['.-][^\W\d_]+)*'?")


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, lower case and in one form; whatever is no word is left out."""
    lowered = text.lower().replace("’", "'")
    lowered = re.sub(r"(?<=\d)[,](?=\d{3}\b)", "", lowered)
    words: list[str] = []
    for token in _TOKEN.findall(lowered):
        words += _one_form(token)
    return tuple(words)


def contractions(first: str, second: str) -> tuple[str, ...]:
    """The short forms in which two neighbouring words are also said: `that is` → `that's`."""
    pair = f"{first} {second}"
    short = [form for form in ("can't", "cannot", "won't", "let's") if _FULL[form] == pair]
    if second == "is" and first in _IS:
        short.append(f"{first}'s")
    short += [f"{first}{end}" for end, word in _ENDINGS if word == second and _takes(first, second)]
    return tuple(dict.fromkeys(short))


def cardinal(value: int) -> tuple[str, ...]:
    """0–999999 in words: 42 → `forty two`."""
    if value < 10:
        return (UNITS[value],)
    if value < 20:
        return (TEENS[value - 10],)
    if value < 100:
        return (TENS[value // 10 - 2], *(cardinal(value % 10) if value % 10 else ()))
    size, name = (1000, "thousand") if value >= 1000 else (100, "hundred")
    return (*cardinal(value // size), name, *(cardinal(value % size) if value % size else ()))


def _takes(first: str, second: str) -> bool:
    if second == "not":
        return first in {"do", "does", "did", "is", "are", "was", "were", "have", "has", "could", "would", "should"}
    return (
        first in {"i", "you", "we", "they"} and (second != "am" or first == "i") and (second != "are" or first != "i")
    )


def _one_form(token: str) -> tuple[str, ...]:
    if token[0].isdigit():
        return _numeral(token)
    if token in _FULL:
        return tuple(_FULL[token].split())
    for ending, word in _ENDINGS:
        if token.endswith(ending) and len(token) > len(ending):
            return (token[: -len(ending)], word)
    if token.endswith("'s") and token[:-2] in _IS:
        return (token[:-2], "is")
    if token in {"a.m.", "p.m."} or "." not in token:
        return tuple(part for part in token.split("-") if part)
    return tuple(part for part in re.split(r"[.-]", token) if part)


def _numeral(token: str) -> tuple[str, ...]:
    hour, colon, minute = token.partition(":")
    if colon:
        return (*_short_number(hour), *(() if minute == "00" else _minutes(minute)))
    if not token[-1].isdigit():
        day = int(token[:-2])
        return ORDINALS[day - 1] if 1 <= day <= len(ORDINALS) else _short_number(token[:-2])
    return _short_number(token)


def _short_number(digits: str) -> tuple[str, ...]:
    """One or two digits are a number, more of them or a leading zero are read digit by digit."""
    if len(digits) > 2 or (len(digits) == 2 and digits[0] == "0"):
        return tuple(UNITS[int(digit)] for digit in digits)
    return cardinal(int(digits))


def _minutes(digits: str) -> tuple[str, ...]:
    return ("oh", UNITS[int(digits[1])]) if digits[0] == "0" else cardinal(int(digits))
