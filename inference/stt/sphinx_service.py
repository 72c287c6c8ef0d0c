"""The recogniser's side of the worker: utterances by id, each on its own pair of decoders.

    begin     {slot, grammar, loose, mean}  →  begun | refused {reason}
    audio     body                          →  partial {text}, whenever it changes
    finalize                                →  result {kind, text, confidence, confirm, mean}
    forget                                     (no answer)
    pronounce {words}                       →  pronounced {missing}

The parent owns the slots and never gives one to two utterances. A second pass over the loose grammar is cut into steps, so
that other callers' audio is decoded in between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference.service import Send
from inference.stt.dictionary import Dictionary
from inference.stt.rejection import Verdict
from inference.stt.sphinx_decoder import DecoderPair, GrammarRefused, Reading
from inference.tts.espeak_voice import EspeakLibrary, EspeakMissing
from inference.wire import Message

SPEECH_BEFORE_PARTIAL = 3200
"""Samples: before 200 ms of something louder than the line's noise, a grammar decoder hears words in silence."""

_LOUD = 100.0
_OVER_NOISE = 3.0


@dataclass(slots=True)
class _SpeechGate:
    """How much of the utterance was clearly louder than its quietest moment."""

    floor: float = float("inf")
    samples: int = 0

    def push(self, pcm: bytes) -> bool:
        """True as soon as there was enough speech for a partial to mean something."""
        x = np.frombuffer(pcm, "<i2").astype(np.float64)
        level = float(np.sqrt(np.mean(x * x))) if len(x) else 0.0
        self.floor = min(self.floor, level)
        if level > max(_LOUD, _OVER_NOISE * self.floor):
            self.samples += len(x)
        return self.samples >= SPEECH_BEFORE_PARTIAL


@dataclass(slots=True)
class _Utterance:
    id: int
    decoders: DecoderPair
    loose: str | None
    gate: _SpeechGate = field(default_factory=_SpeechGate)
    partial: str = ""
    second: Generator[Reading | None, None, None] | None = None
    first: Reading | None = None


class SphinxService:
    """Implements `inference.service.Service`. Options: `decoders`, how many utterances at a time."""

    def __init__(self, options: Mapping[str, Any], send: Send) -> None:
        self._send = send
        self._dictionary = Dictionary(_espeak())
        self._slots = [DecoderPair(self._dictionary) for _ in range(options["decoders"])]
        self._utterances: dict[int, _Utterance] = {}
        self._second: list[_Utterance] = []

    def describe(self) -> Mapping[str, Any]:
        """How many utterances it takes at a time."""
        return {"decoders": len(self._slots)}

    def handle(self, message: Message) -> None:
        """Do what the message says. One about an utterance that is no more is dropped."""
        if message.kind == "begin":
            self._begin(message)
        elif message.kind == "pronounce":
            self._pronounce(message)
        elif (utterance := self._utterances.get(message.id)) is not None:
            self._ON[message.kind](self, utterance, message)

    def busy(self) -> bool:
        """Is a second pass under way?"""
        return bool(self._second)

    def step(self) -> None:
        """A slice of the second pass that waited longest."""
        utterance = self._second.pop(0)
        assert utterance.second is not None
        try:
            reading = next(utterance.second)
        except GrammarRefused:
            self._answer_loose(utterance, Reading("", None))
            return
        if reading is None:
            self._second.append(utterance)
        else:
            self._answer_loose(utterance, reading)

    def _answer_loose(self, utterance: _Utterance, reading: Reading) -> None:
        """When the word loop found nothing either, the closest sentence of the grammar is what the log gets."""
        verdict: Verdict = reading.evidence.loose_verdict() if reading.evidence else "reject"
        assert utterance.first is not None
        self._answer(utterance, utterance.first if verdict == "reject" else reading, verdict)

    def _begin(self, message: Message) -> None:
        decoders = self._slots[message.fields["slot"]]
        try:
            decoders.begin(message.fields["grammar"], message.fields["mean"])
        except GrammarRefused as error:
            self._send(Message("refused", message.id, {"reason": str(error)}))
            return
        self._utterances[message.id] = _Utterance(message.id, decoders, message.fields["loose"])
        self._send(Message("begun", message.id))

    def _audio(self, utterance: _Utterance, message: Message) -> None:
        utterance.decoders.push(message.body)
        if not utterance.gate.push(message.body):
            return
        text = utterance.decoders.partial()
        if text and text != utterance.partial:
            utterance.partial = text
            self._send(Message("partial", utterance.id, {"text": text}))

    def _finalize(self, utterance: _Utterance, _: Message) -> None:
        reading = utterance.decoders.finish()
        verdict: Verdict = reading.evidence.verdict() if reading.evidence else "reject"
        if verdict == "reject" and utterance.loose is not None:
            utterance.first = reading
            utterance.second = utterance.decoders.read_again(utterance.loose)
            self._second.append(utterance)
        else:
            self._answer(utterance, reading, verdict)

    def _answer(self, utterance: _Utterance, reading: Reading, verdict: Verdict) -> None:
        self._forget(utterance)
        fields = {
            "kind": "rejected" if verdict == "reject" else "final",
            "text": reading.text,
            "confidence": reading.evidence.confidence() if reading.evidence else None,
            "confirm": verdict == "confirm",
            "mean": utterance.decoders.mean(),
        }
        self._send(Message("result", utterance.id, fields))

    def _forget(self, utterance: _Utterance, _: Message | None = None) -> None:
        self._utterances.pop(utterance.id, None)
        if utterance in self._second:
            self._second.remove(utterance)
        if utterance.second is not None:
            utterance.second.close()
        utterance.decoders.abandon()

    def _pronounce(self, message: Message) -> None:
        missing = [word for word in message.fields["words"] if not self._dictionary.pronunciations(word)]
        self._send(Message("pronounced", message.id, {"missing": missing}))

    _ON: Mapping[str, Callable[[SphinxService, _Utterance, Message], None]] = {
        "audio": _audio,
        "finalize": _finalize,
        "forget": _forget,
    }


def _espeak() -> EspeakLibrary | None:
    """Without espeak-ng the dictionary's words still work."""
    try:
        return EspeakLibrary()
    except EspeakMissing:
        return None
