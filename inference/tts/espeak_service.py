"""The voice's side of the worker: many streams, one synthesiser.

    speak  {text, voice, rate, lineRate}  →  audio {marks} body …, done | failed {reason}
    more   {samples}               the parent took that much: as much again may be sent
    cancel                         (no answer)

Streams take turns piece by piece. A stream is ahead of its listener by a window at most, so a cancelled one has cost little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.service import Poll, Send, ServiceFailed
from inference.tts.base import TtsChunk, WordMark
from inference.tts.clauses import pieces
from inference.tts.espeak_voice import EspeakLibrary, EspeakMissing, NoSuchVoice, Sink
from inference.tts.shaping import TARGET_LEVEL, Shaper, speech_level
from inference.wire import Message

PIECE = 160
"""Characters: about 10 s of speech, about 10 ms of work."""

WINDOW = 16000
"""Samples at 8 kHz that may be under way to the parent."""

_CALIBRATION = "Hello, thank you for calling. How can I help you today?"
_CALIBRATION_RATE = 165


@dataclass(slots=True)
class _Stream:
    id: int
    voice: str
    rate: int
    line_rate: int
    pieces: Iterator[tuple[int, str]]
    shaper: Shaper | None = None
    outbox: deque[TtsChunk] = field(default_factory=deque)
    credit: int = WINDOW
    came: int = 0
    ended: bool = False
    cancelled: bool = False

    def runnable(self) -> bool:
        return not self.ended and not self.outbox and self.credit > 0


class EspeakService:
    """Implements `inference.service.Service`. Options: none. `poll` reads messages in the middle of a piece."""

    def __init__(self, options: Mapping[str, Any], send: Send, poll: Poll) -> None:
        try:
            self._library = EspeakLibrary()
        except EspeakMissing as error:
            raise ServiceFailed(str(error)) from error
        self._send = send
        self._poll = poll
        self._gains: dict[str, float] = {}
        self._streams: dict[int, _Stream] = {}
        self._gain(options["voices"][0])

    def describe(self) -> Mapping[str, Any]:
        """The synthesiser's own rate, for the log."""
        return {"rate": self._library.rate}

    def handle(self, message: Message) -> None:
        """Note what the message says; nothing is synthesised here. One about a stream that is no more is dropped."""
        if message.kind == "speak":
            self._add(message)
        elif (stream := self._streams.get(message.id)) is not None:
            self._ON[message.kind](self, stream, message)

    def busy(self) -> bool:
        """Is there a stream that may be spoken on?"""
        return any(stream.runnable() for stream in self._streams.values())

    def step(self) -> None:
        """A piece of the stream whose turn it is."""
        stream = next(stream for stream in self._streams.values() if stream.runnable())
        self._streams[stream.id] = self._streams.pop(stream.id)
        try:
            self._speak_piece(stream)
        except NoSuchVoice as error:
            self._streams.pop(stream.id, None)
            self._send(Message("failed", stream.id, {"reason": str(error)}))

    def _add(self, message: Message) -> None:
        fields = message.fields
        text = pieces(fields["text"], PIECE)
        self._streams[message.id] = _Stream(message.id, fields["voice"], fields["rate"], fields["lineRate"], text)

    def _speak_piece(self, stream: _Stream) -> None:
        piece = next(stream.pieces, None)
        if stream.shaper is None:
            stream.shaper = Shaper(self._library.rate, self._gain(stream.voice), stream.line_rate)
        if piece is None:
            stream.ended = True
            self._put(stream, stream.shaper.finish())
        elif any(character.isalnum() for character in piece[1]):
            self._library.synthesise(piece[1], stream.voice, stream.rate, self._sink(stream, stream.shaper, piece[0]))

    def _sink(self, stream: _Stream, shaper: Shaper, offset: int) -> Sink:
        before = stream.came

        def sink(samples: NDArray[np.int16], words: Sequence[WordMark]) -> bool:
            stream.came += len(samples)
            moved = [WordMark(before + word.sample, offset + word.start) for word in words]
            self._put(stream, shaper.push(samples, moved))
            self._poll()
            return stream.cancelled

        return sink

    def _put(self, stream: _Stream, chunk: TtsChunk) -> None:
        if len(chunk.pcm):
            stream.outbox.append(chunk)
        self._flush(stream)

    def _flush(self, stream: _Stream) -> None:
        while stream.outbox and stream.credit > 0 and not stream.cancelled:
            chunk = stream.outbox.popleft()
            stream.credit -= len(chunk.pcm)
            marks = [[mark.sample, mark.start] for mark in chunk.marks]
            self._send(Message("audio", stream.id, {"marks": marks}, chunk.pcm.astype("<i2").tobytes()))
        if stream.ended and not stream.outbox and stream.id in self._streams:
            del self._streams[stream.id]
            self._send(Message("done", stream.id))

    def _more(self, stream: _Stream, message: Message) -> None:
        stream.credit += message.fields["samples"]
        self._flush(stream)

    def _cancel(self, stream: _Stream, _: Message) -> None:
        stream.cancelled = True
        self._streams.pop(stream.id, None)

    def _gain(self, voice: str) -> float:
        """What brings this voice to the line's level, measured once on a sentence."""
        if voice not in self._gains:
            heard: list[NDArray[np.int16]] = []
            shaper = Shaper(self._library.rate, 1.0)

            def sink(samples: NDArray[np.int16], _: Sequence[WordMark]) -> bool:
                heard.append(shaper.push(samples).pcm)
                return False

            self._library.synthesise(_CALIBRATION, voice, _CALIBRATION_RATE, sink)
            level = speech_level(np.concatenate(heard))
            self._gains[voice] = TARGET_LEVEL / level
        return self._gains[voice]

    _ON: Mapping[str, Callable[[EspeakService, _Stream, Message], None]] = {"more": _more, "cancel": _cancel}
