"""Phrases to JSGF, the grammar format of recognisers without an open vocabulary (JSpeech Grammar Format, W3C note, 2000).

The strict grammar is the phrases and nothing else: what does not fit is rejected. The loose one is a loop over the same
words and some fillers, for the recogniser's second try; whether its words mean anything is then decided by `match.find`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inference.hear import tree
from inference.hear.kinds import KINDS
from inference.hear.tree import Node, Phrase, vocabulary, walk
from inference.hear.words import contractions

_HEADER = "#JSGF V1.0;\ngrammar hear;\n"
_FILLERS = ("um", "uh", "well", "so", "please", "i", "i'd", "would", "like", "to", "and", "the", "it's", "actually")
_SAID = {"ok": "okay"}
"""Words whose usual form is not the one that dictionaries of pronunciations list."""


def to_jsgf(phrases: Sequence[Phrase]) -> str:
    """A grammar whose sentences are the phrases. `phrases` must not be empty."""
    body = _alternatives([_write(phrase.root) for phrase in phrases])
    return f"{_HEADER}{_rules(phrases)}public <sentence> = {body};\n"


def to_loose_jsgf(phrases: Sequence[Phrase]) -> str:
    """A grammar of any words of the phrases, fillers and captures, in any order."""
    words = sorted({*_FILLERS, *(_SAID.get(word, word) for phrase in phrases for word in vocabulary(phrase.root))})
    captures = [f"<{kind}>" for kind in _kinds(phrases)]
    return f"{_HEADER}{_rules(phrases)}public <loose> = ( {_alternatives([*words, *captures])} )+;\n"


def words_heard(phrases: Iterable[Phrase]) -> frozenset[str]:
    """Every word written in phrases, as the grammar spells it: those that need a pronunciation."""
    return frozenset(_SAID.get(word, word) for phrase in phrases for word in vocabulary(phrase.root))


def _rules(phrases: Sequence[Phrase]) -> str:
    return "".join(f"<{kind}> = {_write(KINDS[kind].narrow)};\n" for kind in _kinds(phrases))


def _kinds(phrases: Sequence[Phrase]) -> list[str]:
    used = {node.kind for phrase in phrases for node in walk(phrase.root) if isinstance(node, tree.Capture)}
    return sorted(used)


def _alternatives(options: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(options))


def _write(node: Node) -> str:
    match node:
        case tree.Word(text):
            return _SAID.get(text, text)
        case tree.Sequence(parts):
            return _sequence(parts)
        case tree.Choice(options):
            return f"( {_alternatives(_write(option) for option in options)} )"
        case tree.Optional(part):
            return f"[ {_write(part)} ]"
        case tree.Repeat(part):
            return f"( {_write(part)} )+"
        case tree.Capture(kind, _):
            return f"<{kind}>"
        case tree.ListCapture(_, options):
            return f"( {_alternatives(_write(option) for _, option in options)} )"


def _sequence(parts: Sequence[Node]) -> str:
    """The parts in order; where two words have a short form too, either."""
    written: list[str] = []
    index = 0
    while index < len(parts):
        first, second = parts[index], parts[index + 1] if index + 1 < len(parts) else None
        short = (
            contractions(first.text, second.text)
            if isinstance(first, tree.Word) and isinstance(second, tree.Word)
            else ()
        )
        if short and second is not None:
            written.append(f"( {_write(first)} {_write(second)} | {' | '.join(short)} )")
            index += 2
        else:
            written.append(_write(first))
            index += 1
    return " ".join(written)
