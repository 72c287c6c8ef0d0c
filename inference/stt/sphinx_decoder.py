"""Decoders of pocketsphinx, in the worker: a grammar decoder and a phone loop for each utterance that is spoken at a time.

The settings are measured (rejection.py says on what). With narrower beams the search lost the right sentence of an agent's
grammar before its end: of 12 utterances like "please stop calling me" it found 2, with these 10, for 10 % more time. Audio
comes at 16 kHz whatever the line has: changing the filter bank of the 16 kHz model to 8 kHz gave a word error rate of 97 %.
The cepstral mean starts where telephone speech is: the model's own start (close microphones) recognised 53 of 95 sentences,
this one 89; a call carries its own mean from utterance to utterance.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pocketsphinx

from inference.stt.dictionary import Dictionary, alternative
from inference.stt.jsgf_words import undefined_rules, words_of
from inference.stt.rejection import Evidence, Segment, weigh

TELEPHONE_MEAN = "39.49,20.91,-29.43,40.58,-29.83,15.23,-3.51,-11.07,9.15,-16.00,12.53,-7.45,5.02"
"""Mean cepstrum of speech at about -23 dBFS through G.711; ±12 dB of level do no harm."""

GRAMMARS_KEPT = 16
"""Compiled grammars per decoder; compiling one takes 6–9 ms."""

MAX_UTTERANCE = 60 * 16000
"""Samples. Nobody says a sentence of a script for a minute; what follows is not decoded."""

SLICE = 2 * 1600
"""Bytes: 100 ms of audio, the longest that one step of a second pass works on (about 8 ms)."""

INSERTION = 0.65
LOOSE_INSERTION = 1e-3
"""Word insertion penalty. A word loop without a strong one explains any speech by many small words."""

_SMALLEST = 1e-300


class GrammarRefused(ValueError):
    """The grammar cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a grammar made of an utterance; `evidence` None: no word at all."""

    text: str
    evidence: Evidence | None


class DecoderPair:
    """What one utterance at a time is decoded with. Not shared between utterances that overlap."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._words = pocketsphinx.Decoder(
            dict=None, lm=None, bestpath=False, compallsen=True, beam=1e-80, wbeam=1e-60, pbeam=1e-80, loglevel="FATAL"
        )
        self._phones = pocketsphinx.Decoder(
            dict=None, lm=None, allphone=pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin"), bestpath=False,
            compallsen=True, lw=2.0, pip=0.3, beam=1e-20, pbeam=1e-20, loglevel="FATAL",
        )  # fmt: skip
        self._grammars: OrderedDict[str, None] = OrderedDict()
        self._audio = bytearray()
        self._mean = TELEPHONE_MEAN
        self._open = False

    def begin(self, grammar: str, mean: str | None) -> None:
        """Get ready for an utterance. `mean` is what `mean()` said after the call's last one. Raises GrammarRefused."""
        self.abandon()
        self._activate(grammar, INSERTION)
        self._mean = mean or TELEPHONE_MEAN
        self._audio.clear()
        for decoder in (self._words, self._phones):
            decoder.set_cmn(self._mean)
            decoder.start_utt()
        self._open = True

    def push(self, pcm: bytes) -> None:
        """Decode more of the utterance. pcm: int16 little-endian, 16 kHz."""
        if not self._open or len(self._audio) + len(pcm) > 2 * MAX_UTTERANCE:
            return
        self._audio += pcm
        self._words.process_raw(pcm)
        self._phones.process_raw(pcm)

    def partial(self) -> str:
        """What it sounds like so far."""
        return _text(self._words)

    def finish(self) -> Reading:
        """The utterance is over: what it was."""
        self.abandon()
        return self._reading()

    def read_again(self, grammar: str) -> Generator[Reading | None, None, None]:
        """The same utterance by a word loop, in slices: None until the last, which is the reading. Raises GrammarRefused."""
        self._activate(grammar, LOOSE_INSERTION)
        audio = bytes(self._audio)
        self._words.set_cmn(self._mean)
        self._words.start_utt()
        try:
            for start in range(0, len(audio), SLICE):
                self._words.process_raw(audio[start : start + SLICE])
                yield None
        finally:
            self._words.end_utt()
        yield self._reading()

    def mean(self) -> str:
        """The cepstral mean of the caller's voice and line, for the call's next utterance."""
        return str(self._words.get_cmn(False))

    def abandon(self) -> None:
        """End the utterance without a result. Idempotent."""
        if self._open:
            self._words.end_utt()
            self._phones.end_utt()
            self._open = False

    def _reading(self) -> Reading:
        return Reading(_text(self._words), weigh(_segments(self._words), _segments(self._phones)))

    def _activate(self, grammar: str, insertion: float) -> None:
        name = f"{hashlib.sha1(grammar.encode(), usedforsecurity=False).hexdigest()} {insertion}"
        if name not in self._grammars:
            self._words.config["wip"] = insertion
            self._compile(name, grammar)
        self._grammars.move_to_end(name)
        self._words.activate_search(name)
        if len(self._grammars) > GRAMMARS_KEPT:
            oldest, _ = self._grammars.popitem(last=False)
            self._words.remove_search(oldest)

    def _compile(self, name: str, grammar: str) -> None:
        if "\0" in grammar:
            raise GrammarRefused("the grammar has a NUL in it")
        if missing := undefined_rules(grammar):
            raise GrammarRefused(
                "the grammar does not compile: no rule " + ", ".join(f"<{rule}>" for rule in sorted(missing))
            )
        self._learn(words_of(grammar))
        try:
            self._words.add_jsgf_string(name, grammar)
        except (ValueError, RuntimeError) as error:
            raise GrammarRefused("the grammar does not compile: it is no JSGF, or has no public rule") from error
        self._grammars[name] = None

    def _learn(self, words: frozenset[str]) -> None:
        sounds = {word: self._dictionary.pronunciations(word) for word in sorted(words)}
        if unknown := [repr(word) for word, phones in sounds.items() if not phones]:
            raise GrammarRefused("no pronunciation for " + ", ".join(unknown))
        for word, all_phones in sounds.items():
            if self._words.lookup_word(word) is None:
                for number, phones in enumerate(all_phones):
                    self._words.add_word(alternative(word, number), phones, False)


def _text(decoder: Any) -> str:
    hypothesis = decoder.hyp()
    return str(hypothesis.hypstr) if hypothesis else ""


def _segments(decoder: Any) -> list[Segment]:
    """The scores come as probabilities in the decoder's scale; per mille of their logarithm is what the thresholds are in."""
    if not decoder.hyp():
        return []
    return [_segment(decoder, part) for part in decoder.seg() or ()]


def _segment(decoder: Any, part: Any) -> Segment:
    score = 1000 * math.log(max(part.ascore, _SMALLEST))
    phones = (decoder.lookup_word(part.word) or "").split()
    return Segment(part.word, part.start_frame, part.end_frame, score, max(1, len(phones)))
