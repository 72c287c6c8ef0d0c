"""Words by which a listener says "go on" or "I am here": they do not take the floor."""

from __future__ import annotations

from collections.abc import Sequence

from inference.hear import parse

BACKCHANNEL = parse("(uh huh|mm|mhm|okay|right|i see|all right|sure|yeah|yes|oh|hello|hi)")
"""What a recogniser with a grammar hears besides the script, so that a backchannel is not taken for an answer."""
_WORDS = frozenset(
    [
        "uh",
        "huh",
        "mm",
        "mhm",
        "ok",
        "right",
        "i",
        "see",
        "all",
        "sure",
        "yeah",
        "yes",
        "yep",
        "oh",
        "ah",
        "um",
        "er",
        "hm",
    ]
)


def is_backchannel(words: Sequence[str]) -> bool:
    """Whether these words, in the form of `hear.words_of`, say no more than "go on". Silence does."""
    return all(word in _WORDS for word in words)
