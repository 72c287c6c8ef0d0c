"""The text of a `hear` phrase to its tree.

    phrase  = part+
    part    = word | "[" choice "]" | "(" choice ")" | "<" capture ">"
    choice  = phrase ("|" phrase)*
    capture = kind ":" name                   a built-in kind
            | name ":" phrase ("|" phrase)+   a list

Commas and sentence marks mean nothing. What cannot be parsed raises `PhraseError`, which names the place.
"""

from __future__ import annotations

import re

from inference.hear.kinds import KINDS
from inference.hear.tree import Capture, Choice, ListCapture, Node, Optional, Phrase, Sequence, Word, can_be_empty
from inference.hear.words import words_of

MAX_LENGTH = 500
_MAX_DEPTH = 12
_MAX_CAPTURES = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"[^\W_]+(?:[.'’:-][^\W_]+)*['’.]?")
_NOTHING = re.compile(r"[\s,.;!?]*")


class PhraseError(ValueError):
    """The phrase cannot be parsed. The text says what is wrong and at which character (counted from 1)."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(f"character {at + 1}: {message}")
        self.at = at


def parse(text: str) -> Phrase:
    """The tree of a phrase. Raises PhraseError."""
    if len(text) > MAX_LENGTH:
        raise PhraseError(f"a phrase has at most {MAX_LENGTH} characters", MAX_LENGTH)
    reader = _Reader(text)
    root = reader.phrase("")
    if reader.at < len(text):
        raise PhraseError(reader.complaint(), reader.at)
    if can_be_empty(root):
        raise PhraseError("at least one word of a phrase must not be optional", 0)
    phrase = Phrase(text, root)
    _refuse_many_captures(phrase)
    return phrase


def _refuse_many_captures(phrase: Phrase) -> None:
    names = phrase.captures()
    if len(names) > _MAX_CAPTURES:
        raise PhraseError(f"a phrase captures at most {_MAX_CAPTURES} values", 0)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._depth = 0

    def phrase(self, closing: str) -> Node:
        """Parts up to `closing`, a bar, or the end of the text."""
        start, parts = self.at, list[Node]()
        while (part := self._part()) is not None:
            parts.append(part)
        if not parts:
            inside = f" before {self._peek()!r}" if self._peek() else ""
            raise PhraseError(f"a word is missing{inside}" if closing or inside else "the phrase is empty", start)
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def complaint(self) -> str:
        """Why the text cannot go on with the character that comes next."""
        char = self._peek()
        if char == "|":
            return "'|' stands between alternatives in ( ) or [ ]; put them in parentheses"
        if char in ")]>":
            return f"{char!r} closes what was never opened"
        return f"{char!r} has no meaning in a phrase"

    def _part(self) -> Node | None:
        char = self._peek()
        if char == "[":
            return Optional(self._group("]"))
        if char == "(":
            return self._group(")")
        if char == "<":
            return self._capture()
        found = _WORD.match(self.text, self.at)
        return self._words(found) if found else None

    def _words(self, found: re.Match[str]) -> Node:
        words = words_of(found.group())
        if not words:
            raise PhraseError(f"{found.group()!r} is no word that can be heard", self.at)
        self.at = found.end()
        nodes: tuple[Node, ...] = tuple(Word(word) for word in words)
        return nodes[0] if len(nodes) == 1 else Sequence(nodes)

    def _group(self, closing: str) -> Node:
        opened = self.at
        self.at += 1
        options = [option for _, option in self._options(closing, opened)]
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _options(self, closing: str, opened: int) -> list[tuple[str, Node]]:
        """Alternatives up to and with `closing`, each with its text."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise PhraseError(f"brackets are nested more than {_MAX_DEPTH} deep", opened)
        options: list[tuple[str, Node]] = []
        while True:
            start = self.at
            node = self.phrase(closing)
            options.append((self.text[start : self.at].strip(), node))
            if self._peek() != "|":
                break
            self.at += 1
        if self._peek() != closing:
            if self._peek():
                raise PhraseError(f"expected {closing!r}: {self.complaint()}", self.at)
            raise PhraseError(f"{self.text[opened]!r} is never closed with {closing!r}", opened)
        self.at += 1
        self._depth -= 1
        return options

    def _capture(self) -> Node:
        opened = self.at
        self.at += 1
        name = self._name()
        if self._peek() != ":":
            raise PhraseError("a capture is <type:name> or <name: one|another>", self.at)
        self.at += 1
        if name in KINDS and (captured := self._end_of_kind()):
            return Capture(name, captured)
        options = self._options(">", opened)
        if len(options) < 2:
            raise PhraseError(f"{name!r} is no type ({', '.join(KINDS)}), and a list has two words or more", opened)
        return ListCapture(name, tuple(options))

    def _end_of_kind(self) -> str | None:
        """The name of a `<type:name>`, past its end; None when it is something else (a list may bear a type's name)."""
        self._peek()
        found = _NAME.match(self.text, self.at)
        if not found or not (end := re.compile(r"\s*>").match(self.text, found.end())):
            return None
        self.at = end.end()
        return found.group()

    def _name(self) -> str:
        self._peek()
        found = _NAME.match(self.text, self.at)
        if not found:
            raise PhraseError("a name is letters, digits and underscores, and begins with a letter", self.at)
        self.at = found.end()
        return found.group()

    def _peek(self) -> str:
        """The next character that means something, "" at the end."""
        skipped = _NOTHING.match(self.text, self.at)
        self.at = skipped.end() if skipped else self.at
        return self.text[self.at : self.at + 1]
