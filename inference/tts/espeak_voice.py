"""espeak-ng by ctypes. Only a worker process may load this library: it is GPL-3, and its state is one per process.

The library comes from the package `espeakng_loader` (with its data). Names and numbers are those of espeak-ng's `speak_lib.h`.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.tts.base import WordMark

Sink = Callable[[NDArray[np.int16], Sequence[WordMark]], bool]
"""Takes 60 ms of audio and the words that begin (at a sample of this synthesis; `start` is the character). True stops the voice."""

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_BUFFER_MS = 60
_RATE, _VOLUME = 1, 2
_CHARS_UTF8 = 1
_ENDPAUSE = 0x1000
_PHONEMES_IPA = 0x02
_EVENT_END, _EVENT_WORD = 0, 1
_OK = 0

VOLUME = 60
"""Per cent: at 100 some voices clip inside the library. The level is set afterwards."""


class EspeakMissing(Exception):
    """espeak-ng cannot be loaded; the message says what is missing."""


class NoSuchVoice(Exception):
    """The library has no voice of this name."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class EspeakLibrary:
    """The library, initialised. One per process; one call at a time."""

    def __init__(self) -> None:
        self._library, data = _load()
        self._callback = _Callback(self._on_audio)
        self._sink: Sink = lambda samples, words: True
        self._error: BaseException | None = None
        self._voice = ""
        self.rate = self._initialize(data)

    def synthesise(self, text: str, voice: str, words_per_minute: int, sink: Sink) -> None:
        """Say `text`; returns when all is said or the sink stopped it. What the sink raises is raised here."""
        self._select(voice)
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_VOLUME, VOLUME, 0)
        self._sink, self._error = sink, None
        raw = plain(text).encode()
        self._library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _CHARS_UTF8 | _ENDPAUSE, None, None)
        if self._error is not None:
            raise self._error

    def ipa(self, word: str) -> str:
        """How American English pronounces a word, as espeak-ng writes IPA."""
        self._select("en-us")
        pointer = ctypes.c_char_p(plain(word).encode())
        text = self._library.espeak_TextToPhonemes(ctypes.byref(pointer), _CHARS_UTF8, _PHONEMES_IPA)
        return (text or b"").decode(errors="replace")

    def _initialize(self, data: bytes) -> int:
        rate = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data, _INITIALIZE_DONT_EXIT)
        if rate <= 0:
            raise EspeakMissing(f"espeak-ng does not find its data in {data.decode()}")
        self._library.espeak_SetSynthCallback(self._callback)
        return int(rate)

    def _select(self, voice: str) -> None:
        if voice == self._voice:
            return
        if self._library.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise NoSuchVoice(f"espeak-ng has no voice {voice!r}")
        self._voice = voice

    def _on_audio(self, samples: Any, count: int, events: Any) -> int:
        """Called by the library. An exception must not cross C: it is kept, and the voice stopped."""
        try:
            audio = np.ctypeslib.as_array(samples, shape=(count,)).copy() if samples and count > 0 else _NOTHING
            return int(self._sink(audio, _words(events)))
        except BaseException as error:  # noqa: BLE001 - the edge of C: ctypes would print it and go on
            self._error = error
            return 1


_NOTHING = np.zeros(0, np.int16)


def plain(text: str) -> str:
    """The text with nothing in it that espeak-ng would obey: control characters (Ctrl-A begins its commands) become blanks.

    Character for character, so that positions stay. SSML and phoneme brackets are plain text by the flags that are not set.
    """
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in text)


def _words(events: Any) -> list[WordMark]:
    words = []
    for event in events:
        if event.type == _EVENT_END:
            break
        if event.type == _EVENT_WORD:
            words.append(WordMark(event.sample, event.text_position - 1))
    return words


def _load() -> tuple[ctypes.CDLL, bytes]:
    try:
        import espeakng_loader
    except ModuleNotFoundError as error:
        raise EspeakMissing("the Python package 'espeakng_loader' is not installed") from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise EspeakMissing(f"espeak-ng cannot be loaded: {error}") from error
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    return library, str(espeakng_loader.get_data_path()).encode()
