"""Words against phrases: which one is it, what is captured, and could more of it come?

Matching walks the tree with *all* ways at once: a set of states (how far in the words, which captures), so that its cost
is bounded by the words and never by how a phrase is nested.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from inference.hear import tree
from inference.hear.kinds import KINDS
from inference.hear.tree import Node, Phrase

FILLERS = frozenset(
    (
        "a",
        "ah",
        "actually",
        "am",
        "and",
        "er",
        "erm",
        "eh",
        "guess",
        "hello",
        "hey",
        "hi",
        "hm",
        "i",
        "is",
        "it",
        "just",
        "know",
        "like",
        "mean",
        "mhm",
        "mm",
        "of",
        "oh",
        "ok",
        "please",
        "right",
        "so",
        "sorry",
        "thank",
        "thanks",
        "the",
        "then",
        "think",
        "to",
        "uh",
        "um",
        "want",
        "well",
        "would",
        "yeah",
        "you",
    )
)
"""Words that say nothing beside a phrase. `to_loose_jsgf` lets the recogniser hear some of them between its keywords."""
NEGATIONS = frozenset(("not", "no", "never", "nope", "without", "neither"))
_MAX_STATES = 512
_SURE_WORDS = 3


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase that was said. `kinds` names the kind of each captured value ("list" for a list's)."""

    phrase: int
    length: int
    values: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words so far are: `complete`, a whole phrase; `open`, in the middle of digits, a date and the like."""

    complete: bool = False
    open: bool = False


_Captured = tuple[tuple[str, str, str, int, int], ...]
"""(name, kind, list option, first word, after the last word) of each capture."""


@dataclass(frozen=True, slots=True)
class _State:
    at: int
    captured: _Captured = ()


class _Walk:
    """One walk over the words. `hungry` collects the kinds inside which a way ran out of words."""

    def __init__(self, words: Sequence[str], now: datetime | None) -> None:
        self.words = tuple(words)
        self.now = now
        self.hungry: set[str] = set()
        self._inside: list[str] = []

    def go(self, node: Node, states: Iterable[_State]) -> list[_State]:
        """Every state after `node`, the most wanted first."""
        match node:
            case tree.Word(text):
                return self._word(text, states)
            case tree.Sequence(parts):
                for part in parts:
                    states = self.go(part, states)
                return list(states)
            case tree.Choice(options):
                states = list(states)
                return _distinct(state for option in options for state in self.go(option, states))
            case tree.Optional(part):
                states = list(states)
                return _distinct([*self.go(part, states), *states])
            case tree.Repeat(part):
                return self._repeat(part, states)
            case tree.Capture(kind, name):
                return self._capture(kind, name, states)
            case tree.ListCapture(name, options):
                return self._list(name, options, list(states))

    def _word(self, text: str, states: Iterable[_State]) -> list[_State]:
        after = []
        for state in states:
            if state.at == len(self.words):
                self.hungry.update(self._inside)
            elif self.words[state.at] == text:
                after.append(_State(state.at + 1, state.captured))
        return after

    def _repeat(self, part: Node, states: Iterable[_State]) -> list[_State]:
        reached: list[_State] = []
        new = self.go(part, states)
        while new := [state for state in new if state not in reached]:
            reached = [*new, *reached]
            new = self.go(part, new)
        return _distinct(reached)

    def _capture(self, kind: str, name: str, states: Iterable[_State]) -> list[_State]:
        self._inside.append(kind)
        after = []
        for state in states:
            for end in self.go(KINDS[kind].wide, [_State(state.at)]):
                words = self.words[state.at : end.at]
                if self.now is None or KINDS[kind].read(words, self.now) is not None:
                    after.append(_State(end.at, (*state.captured, (name, kind, "", state.at, end.at))))
        self._inside.pop()
        return _distinct(after)

    def _list(self, name: str, options: Sequence[tuple[str, Node]], states: list[_State]) -> list[_State]:
        return _distinct(
            _State(end.at, (*state.captured, (name, "list", text, state.at, end.at)))
            for text, option in options
            for state in states
            for end in self.go(option, [_State(state.at)])
        )


def _distinct(states: Iterable[_State]) -> list[_State]:
    return list(dict.fromkeys(states))[:_MAX_STATES]


def match(phrases: Sequence[Phrase], words: Sequence[str], now: datetime) -> Match | None:
    """The first phrase that these words are, whole and without anything around it."""
    for index, phrase in enumerate(phrases):
        if (found := _longest(phrase, words, now, whole=True)) is not None:
            return _result(index, found, words, now)
    return None


def find(phrases: Sequence[Phrase], words: Sequence[str], now: datetime) -> Match | None:
    """The phrase that is said in these words, among others: the longest wins, the first of equals.

    It must carry the sentence: half of the words that mean something, or three words in a row; and no negation may
    stand beside it, for "that is not right" is not "that is right".
    """
    if whole := match(phrases, words, now):
        return whole
    best: Match | None = None
    for start in range(len(words)):
        rest = words[start:]
        for index, phrase in enumerate(phrases):
            found = _longest(phrase, rest, now, whole=False)
            if found is None or (best and found.at <= best.length):
                continue
            if _carries(words, start, start + found.at, captures=bool(found.captured)):
                best = _result(index, found, rest, now)
    return best


def read_ahead(phrases: Sequence[Phrase], words: Sequence[str]) -> Reading:
    """Whether the words so far are a whole phrase, and whether digits, a date or the like may go on."""
    complete = is_open = False
    for phrase in phrases:
        walk = _Walk(words, None)
        ends = [state for state in walk.go(phrase.root, [_State(0)]) if state.at == len(words)]
        complete = complete or bool(ends)
        is_open = is_open or any(_ends_open(state, words) for state in ends)
        if not ends and words:
            is_open = is_open or any(KINDS[kind].slow for kind in walk.hungry)
    return Reading(complete, is_open)


def _ends_open(state: _State, words: Sequence[str]) -> bool:
    if not state.captured:
        return False
    _, kind, _, first, after = state.captured[-1]
    return after == len(words) and kind in KINDS and KINDS[kind].slow and KINDS[kind].is_open(tuple(words[first:after]))


def _longest(phrase: Phrase, words: Sequence[str], now: datetime, *, whole: bool) -> _State | None:
    ends = [
        state
        for state in _Walk(words, now).go(phrase.root, [_State(0)])
        if state.at == len(words) or (not whole and state.at > 0)
    ]
    return max(ends, key=lambda state: state.at) if ends else None


def _carries(words: Sequence[str], start: int, end: int, *, captures: bool) -> bool:
    around = [*words[:start], *words[end:]]
    if NEGATIONS & set(around):
        return False
    others = sum(word not in FILLERS for word in around)
    return end - start >= _SURE_WORDS or end - start > others or (end - start == others and not captures)


def _result(index: int, state: _State, words: Sequence[str], now: datetime) -> Match:
    values: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for name, kind, option, first, after in state.captured:
        said = tuple(words[first:after])
        values[name] = option if kind == "list" else KINDS[kind].read(said, now)
        kinds[name] = kind
    return Match(index, state.at, values, kinds)
