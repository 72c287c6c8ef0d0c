"""From what a synthesiser says to what the line carries: silence trimmed, level set, rate and word marks at the line's rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from inference.tts.base import TtsChunk, WordMark
from inference.tts.resample import Samples, StreamResampler
from media.frames import LINE_RATE, Pcm

QUIET = 40
"""Below this (of 32768) a synthesiser is silent."""

TARGET_LEVEL = 0.1
"""RMS of speech, of full scale: -20 dB, where telephone speech is loud and clear."""

_LEAD_SECONDS = 0.005
_KNEE = 0.6


class Shaper:
    """One utterance. Feed it samples and words as they come; what it returns joins without a click.

    `gain` brings the voice to TARGET_LEVEL. Silence at the beginning is cut to 5 ms and at the end altogether: it is held
    back until something follows it.
    """

    def __init__(self, rate: int, gain: float, line_rate: int = LINE_RATE) -> None:
        self._rate = rate
        self._line_rate = line_rate
        self._gain = gain / 32768
        self._resampler = StreamResampler(rate, line_rate)
        self._words: deque[WordMark] = deque()
        self._held: list[NDArray[np.int16]] = []
        self._cut: int | None = None
        self._came = 0
        self._sent = 0

    def push(self, samples: NDArray[np.int16], words: Iterable[WordMark] = ()) -> TtsChunk:
        """samples: int16, (n,), source rate. Words carry their sample at the source rate, counted over all that was pushed."""
        self._words.extend(words)
        self._came += len(samples)
        return self._chunk(self._resampler.push(self._sounding(samples).astype(np.float64)))

    def finish(self) -> TtsChunk:
        """The last samples. Words that the voice placed in the silence after it begin at its last sample."""
        chunk = self._chunk(self._resampler.finish(), last=True)
        self._held.clear()
        return chunk

    def _sounding(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """What is known not to be silence at either end."""
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > QUIET)
        if not len(loud):
            return self._hold(samples)
        if self._cut is None:
            samples, loud = self._trim_lead(samples, loud)
        sounding = np.concatenate((*self._held, samples[: loud[-1] + 1]))
        self._held = [samples[loud[-1] + 1 :]]
        return sounding

    def _hold(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        if self._cut is not None:
            self._held.append(samples)
        return samples[:0]

    def _trim_lead(
        self, samples: NDArray[np.int16], loud: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        start = max(0, int(loud[0]) - int(_LEAD_SECONDS * self._rate))
        self._cut = self._came - len(samples) + start
        return samples[start:], loud - start

    def _chunk(self, samples: Samples, *, last: bool = False) -> TtsChunk:
        end = self._sent + len(samples)
        marks = tuple(self._due(end, last=last))
        self._sent = end
        return TtsChunk(_to_pcm(samples * self._gain), marks)

    def _due(self, end: int, *, last: bool) -> Iterable[WordMark]:
        """The marks up to output sample `end`. Not known before the first sound is; none at all of an utterance without."""
        while self._words and self._cut is not None:
            sample = max(0, (self._words[0].sample - self._cut) * self._line_rate // self._rate)
            if sample >= end and not last:
                return
            yield WordMark(min(sample, max(0, end - 1)), self._words.popleft().start)


def _to_pcm(samples: Samples) -> Pcm:
    """Peaks are bent, not cut: above the knee the curve flattens towards full scale."""
    size = np.abs(samples)
    bent = _KNEE + (1 - _KNEE) * np.tanh((size - _KNEE) / (1 - _KNEE))
    limited = np.where(size > _KNEE, np.copysign(bent, samples), samples)
    return np.round(limited * 32767).astype(np.int16)


def speech_level(samples: NDArray[np.int16]) -> float:
    """RMS of the parts that are not pauses, of full scale. samples: int16, (n,)."""
    x = samples.astype(np.float64) / 32768
    active = x[np.abs(x) > 0.01 * np.abs(x).max(initial=0.0)]
    return float(np.sqrt(np.mean(active**2))) if len(active) else 0.0
