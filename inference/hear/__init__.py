"""The phrases of an agent's script: what a caller may say, and what is captured of it.

A small language on words (CONTRACT, "script"): `[optional]`, `(one|another)`, `<type:name>` captures and lists
`<colour: red|green>`. `parse` makes a tree of it, `match`/`find` compare a tree with the words that a recogniser gave,
`to_jsgf`/`to_loose_jsgf` compile it to the grammars that a recogniser without an open vocabulary listens with.
"""

from __future__ import annotations

from inference.hear.jsgf import to_jsgf, to_loose_jsgf
from inference.hear.kinds import spoken
from inference.hear.match import Match, Reading, find, match, read_ahead
from inference.hear.parse import PhraseError, parse
from inference.hear.tree import Phrase, vocabulary
from inference.hear.words import words_of

__all__ = [
    "Match",
    "Phrase",
    "PhraseError",
    "Reading",
    "find",
    "match",
    "parse",
    "read_ahead",
    "spoken",
    "to_jsgf",
    "to_loose_jsgf",
    "vocabulary",
    "words_of",
]
