"""Long texts in pieces, for voices that speak one text at a time: other callers' sentences get their turn in between."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENDS = (re.compile(r"[.!?…]['”’\")]*\s"), re.compile(r"[,;:–—]\s"), re.compile(r"\s"))
"""Where a text may be cut, best first: after a sentence, after a clause, after a word."""


def pieces(text: str, limit: int) -> Iterator[tuple[int, str]]:
    """Cut `text` into pieces of at most `limit` characters: (start, piece); joined they are the text. A short text stays whole."""
    start = 0
    while len(text) - start > limit:
        end = start + _cut(text[start : start + limit])
        yield start, text[start:end]
        start = end
    if start < len(text):
        yield start, text[start:]


def _cut(window: str) -> int:
    for pattern in _ENDS:
        ends = [match.end() for match in pattern.finditer(window)]
        if ends:
            return ends[-1]
    return len(window)
