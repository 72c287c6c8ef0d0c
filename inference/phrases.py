"""Text that arrives in pieces to sentences that can be spoken.

A sentence is let go as soon as it is complete, so that the first is heard while the rest is still being written. The first
one may be cut at a comma when it is long: what counts then is that the voice begins.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

_LONGEST = 240
_FIRST_CLAUSE = 60
_END = re.compile(r"[.!?…]+[\"')\]]*(?=\s)|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|vs|approx|e\.g|i\.e|[a-z]|[ap]\.m)|^\s*\d+)\.$", re.IGNORECASE
)
_STARTS_ANEW = re.compile(r"\s+[\"'(\[]?[A-Z]")
_CLAUSE = re.compile(r"[,;:](?=\s)")
_MARKDOWN = re.compile(r"[*_`#]+|^\s*[-•]\s+|\[([^\]]*)\]\([^)]*\)", re.MULTILINE)


class Phrases:
    """Feed it pieces of text; it gives the sentences that have become complete."""

    def __init__(self) -> None:
        self._text = ""
        self._any = False

    def feed(self, piece: str) -> list[str]:
        """The sentences that this piece completed."""
        self._text += piece
        sentences = []
        while (cut := self._cut()) is not None:
            sentence = speakable(self._text[:cut])
            self._text = self._text[cut:].lstrip()
            if sentence:
                sentences.append(sentence)
                self._any = True
        return sentences

    def end(self) -> list[str]:
        """What is left when no more comes."""
        rest, self._text = speakable(self._text), ""
        return [rest] if rest else []

    def _cut(self) -> int | None:
        """Where the first sentence ends; None while it may go on."""
        for end in _END.finditer(self._text):
            if not self._is_abbreviation(end):
                return end.end()
        if not self._any and (clause := _CLAUSE.search(self._text, _FIRST_CLAUSE)):
            return clause.end()
        if len(self._text) > _LONGEST:
            return max(self._text.rfind(mark, 0, _LONGEST) for mark in (", ", "; ", " ")) + 1 or _LONGEST
        return None

    def _is_abbreviation(self, end: re.Match[str]) -> bool:
        """Whether the full stop belongs to a word. "a.m." may end a sentence as well: then a capital letter follows."""
        found = _ABBREVIATION.search(self._text[: end.end()])
        if found is None or not end.group().startswith("."):
            return False
        return not (found.group().lower() in {"a.m.", "p.m."} and _STARTS_ANEW.match(self._text, end.end()))


async def sentences(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The sentences of a text that arrives in pieces."""
    phrases = Phrases()
    async for piece in pieces:
        for sentence in phrases.feed(piece):
            yield sentence
    for sentence in phrases.end():
        yield sentence


def speakable(text: str) -> str:
    """A text without what is written but not said: Markdown's marks, line ends, doubled spaces. "" when nothing is left."""
    plain = " ".join(_MARKDOWN.sub(lambda found: found[1] or "", text).split())
    return plain if any(char.isalnum() for char in plain) else ""
