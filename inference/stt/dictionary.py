"""How words are pronounced: the recogniser's own dictionary, and for words that it lacks the reading of espeak-ng.

It is read once for all decoders of a worker, which learn from it the words of their grammars only: a decoder that loads the
134 000 words itself takes ten times as long to start, and 22 MB more.
"""

from __future__ import annotations

from pathlib import Path

import pocketsphinx

from inference.pronounce import arpabet, spellable
from inference.tts.espeak_voice import EspeakLibrary


class Dictionary:
    """ARPAbet phones, separated by spaces, of words. `espeak` None: of those that the dictionary has."""

    def __init__(self, espeak: EspeakLibrary | None) -> None:
        self._listed = _read(Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")))
        self._espeak = espeak
        self._made: dict[str, tuple[str, ...]] = {}

    def pronunciations(self, word: str) -> tuple[str, ...]:
        """Every way to say the word, the usual one first; none when it cannot be pronounced."""
        if word in self._listed:
            return tuple(self._alternatives(word))
        if word not in self._made:
            self._made[word] = self._make(word)
        return self._made[word]

    def _alternatives(self, word: str) -> list[str]:
        """They are listed as `to`, `to(2)`, `to(3)` …"""
        found, name = [], word
        while (phones := self._listed.get(name)) is not None:
            found.append(phones)
            name = alternative(word, len(found))
        return found

    def _make(self, word: str) -> tuple[str, ...]:
        if self._espeak is None or not spellable(word):
            return ()
        phones = arpabet(self._espeak.ipa(word))
        return (" ".join(phones),) if phones else ()


def alternative(word: str, number: int) -> str:
    """The name of a word's pronunciation number `number`, counted from 0: `to`, `to(2)`, `to(3)` …"""
    return f"{word}({number + 1})" if number else word


def _read(path: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in path.read_text("utf-8").splitlines() if " " in line)
