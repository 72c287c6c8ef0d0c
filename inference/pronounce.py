"""From letters to the phones of the embedded recogniser: espeak-ng's IPA, translated to ARPAbet.

Measured against the CMU dictionary on 1500 words: 9.9 % of the phones differ and 58 % of the words are exact; a
dictionary made only this way recognised as many sentences as the CMU one. Pure: the IPA comes in as an argument, because
espeak-ng may be loaded in a worker process only.
"""

from __future__ import annotations

import re

_TABLE = {
    "tʃ": "CH", "dʒ": "JH",
    "aɪɚ": "AY ER", "aɪə": "AY AH", "eɪ": "EY", "aɪ": "AY", "ɔɪ": "OY", "aʊ": "AW", "oʊ": "OW", "əʊ": "OW",
    "oːɹ": "AO R", "ɔːɹ": "AO R", "ɔːr": "AO R", "ɑːɹ": "AA R", "ɪɹ": "IH R", "ɛɹ": "EH R", "ʊɹ": "UH R",
    "ɜː": "ER", "ɚ": "ER", "ɝ": "ER", "iː": "IY", "uː": "UW", "ɔː": "AO", "ɑː": "AA", "oː": "AO", "aː": "AA",
    "eː": "EY", "əl": "AH L", "n̩": "AH N",
    "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "ɛ": "EH", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ʊ": "UH",
    "ɑ": "AA", "ɔ": "AO", "ɒ": "AA", "a": "AA", "o": "OW", "e": "EH", "u": "UW", "y": "UW", "ø": "ER", "œ": "ER",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH",
    "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "m": "M", "n": "N", "ŋ": "NG", "ɲ": "N Y", "l": "L",
    "ɫ": "L", "ɬ": "L", "ɹ": "R", "r": "R", "ʁ": "R", "j": "Y", "w": "W", "ɾ": "T", "ʔ": "T", "x": "K", "ç": "HH",
}  # fmt: skip
"""IPA as espeak-ng writes English → ARPAbet. Longer keys win."""

_SYMBOL = re.compile("|".join(sorted(map(re.escape, _TABLE), key=len, reverse=True)))
_IGNORED = re.compile("[ˈˌ \u0303\u200d_|-]|(?<![iuɔɑoaeɜ])ː")
"""Stress, leftover length, breaks between syllables: the recogniser's phones know none of them."""

_SPELLING = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*[.']?")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f'’.-]+")


def spellable(word: str) -> bool:
    """Whether this is a word in Latin letters, which can be read aloud: not a number, a sign or another script."""
    return bool(_SPELLING.fullmatch(word) and _LATIN.fullmatch(word))


def arpabet(ipa: str) -> tuple[str, ...] | None:
    """The phones of an IPA text: `"zˈɛndɛsk"` → `("Z", "EH", "N", "D", "EH", "S", "K")`; None when a sign is unknown."""
    phones: list[str] = []
    rest = _IGNORED.sub("", ipa)
    while rest:
        match = _SYMBOL.match(rest)
        if match is None:
            return None
        phones += _TABLE[match[0]].split()
        rest = rest[match.end() :]
    return tuple(phones) or None
