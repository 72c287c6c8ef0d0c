"""Noise suppression for all calls at once: what the recogniser and the voice activity detection hear, with steady noise taken down.

Every 10 ms a window of 20 ms is taken apart into frequencies, each is weighed by how likely it is speech, and what is left is put
together again, 10 ms later than it came:

    noise    the power of each frequency, followed while speech is unlikely there (Gerkmann and Hendriks, "Unbiased
             MMSE-based noise power estimation with low complexity and low tracking delay", 2012), and never less than its
             least of the last two to four seconds: nobody speaks so long without a gap (Martin's minimum statistics)
    weight   the log-spectral amplitude estimator with decision-directed signal-to-noise ratio (Ephraim and Malah, 1985),
             never below FLOOR, so that what is left is the same noise, lower, and no chirping

It follows hiss, hum and fans. Voices in the background are speech to it and stay. What it brings, and where it does not help, is
measured by `antiphon bench noise`.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.special
from numpy.typing import NDArray

from media.frames import LINE_SAMPLES, Pcm

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

DELAY_MS = 10
"""How much later than the input the output is."""
FLOOR = 10 ** (-15 / 20)
"""The least that is left of a frequency: 15 dB below what came."""
CHUNK = 64
"""Rows computed together at most, so that what is worked on stays in the cache."""

_HOPS = 2
_MEMORY = 0.95
"""How much of the last window's estimate is in the signal-to-noise ratio (decision-directed)."""
_LEAST_RATIO = 10 ** (-25 / 10)
_SPOKEN = 10 ** (15 / 10)
"""The signal-to-noise ratio that speech would have, where there is some."""
_NOISE_MEMORY = 0.87
_LIKELY_MEMORY = 0.936
_STUCK = 0.99
"""What is speech for so long that it cannot be: some of it is taken for noise, or a noise that jumps up would never be followed."""
_SMOOTHED = 0.7
_SPAN = 100
"""Ticks after which the least power is looked for anew; that of the span before still counts."""
_FIRST_SPAN = 25
_QUIETEST = 3.0
"""Root mean square, 16-bit samples, of the least noise that a line is believed to have: the steps of G.711 are about that."""
_LOUDEST_FIRST = 300.0
"""Of the most that a call's first window is believed to be noise: it may begin with speech."""


class Suppressor:
    """What every row's noise is. samples: of a frame, 160 at 8 kHz or 320 at 16 kHz."""

    def __init__(self, rows: int, samples: int = LINE_SAMPLES) -> None:
        hop, bins = samples // _HOPS, samples // 2 + 1
        self._hop = hop
        # The root of a Hann window, before and after: the two halves that overlap add up to 1.
        self._window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(samples) + 0.5) / samples)).astype(np.float32)
        energy = float((self._window**2).sum())
        self._quietest = np.float32(energy * _QUIETEST**2)
        self._loudest_first = np.float32(energy * _LOUDEST_FIRST**2)
        self._came = np.zeros((rows, hop), np.float32)
        self._left = np.zeros((rows, hop), np.float32)
        self._fresh = np.ones(rows, np.bool_)
        # Of every frequency: the power of noise, that of speech in the last window, and how often it was speech of late.
        self._noise = np.zeros((rows, bins), np.float32)
        self._speech = np.zeros((rows, bins), np.float32)
        self._likely = np.zeros((rows, bins), np.float32)
        # The power, smoothed, and its least in this span and in the one before.
        self._smooth = np.zeros((rows, bins), np.float32)
        self._least = np.zeros((rows, bins), np.float32)
        self._before = np.zeros((rows, bins), np.float32)
        self._age = np.zeros(rows, np.int64)
        self._out = np.zeros((rows, samples), np.int16)

    def reset(self, row: int) -> None:
        """The row hears somebody new: silence came before, and nothing is known of the noise."""
        self._came[row] = self._left[row] = 0
        self._fresh[row] = True

    def step(self, pcm: Pcm, rows: Rows) -> Pcm:
        """20 ms more. pcm: int16, (n, samples), line j of row `rows[j]` (distinct).

        Returns int16, (n, samples), overwritten by the next step.
        """
        out = self._out[: len(rows)]
        for start in range(0, len(rows), CHUNK):
            lines = slice(start, start + CHUNK)
            self._suppress(pcm[lines], rows[lines], out[lines])
        return out

    def _suppress(self, pcm: Pcm, rows: Rows, out: Pcm) -> None:
        hop = self._hop
        heard = np.concatenate([self._came[rows], pcm], axis=1, dtype=np.float32)
        self._came[rows] = heard[:, -hop:]
        spectra = self._spectra(heard)
        power = np.square(spectra.real) + np.square(spectra.imag)
        weights = self._weights(power, rows)
        spectra *= weights
        made = scipy.fft.irfft(spectra, 2 * hop, axis=2, overwrite_x=True)
        made *= self._window
        made[:, 0, :hop] += self._left[rows]
        made[:, 1, :hop] += made[:, 0, hop:]
        self._left[rows] = made[:, 1, hop:]
        whole = made[:, :, :hop].reshape(len(rows), -1)
        np.rint(whole, out=whole)
        np.clip(whole, -32768, 32767, out=out, casting="unsafe")

    def _spectra(self, heard: Floats) -> NDArray[np.complex64]:
        """heard: (n, 3 hops). Returns (n, 2, bins)."""
        step, size = heard.strides
        shape = (len(heard), _HOPS, 2 * self._hop)
        windows = np.lib.stride_tricks.as_strided(heard, shape, (step, self._hop * size, size)) * self._window
        spectra: NDArray[np.complex64] = scipy.fft.rfft(windows, axis=2, overwrite_x=True)
        return spectra

    def _weights(self, power: Floats, rows: Rows) -> Floats:
        """How much is left of each frequency. power: (n, 2, bins); returns the same shape."""
        noise, speech, likely = self._noise[rows], self._speech[rows], self._likely[rows]
        fresh = self._fresh[rows]
        if fresh.any():
            noise[fresh] = np.minimum(power[fresh, 0], self._loudest_first)
            speech[fresh] = likely[fresh] = 0
            self._begin(rows[fresh])
        least = self._follow_least(power, rows)
        weights = np.empty_like(power)
        for hop in range(_HOPS):
            _follow(noise, likely, power[:, hop])
            np.maximum(noise, least, out=noise)
            weights[:, hop] = _weigh(noise, speech, power[:, hop])
        self._noise[rows], self._speech[rows], self._likely[rows] = noise, speech, likely
        return weights

    def _begin(self, rows: Rows) -> None:
        self._fresh[rows] = False
        self._age[rows] = _SPAN - _FIRST_SPAN
        self._smooth[rows] = self._before[rows] = 0
        self._least[rows] = np.inf

    def _follow_least(self, power: Floats, rows: Rows) -> Floats:
        """The least that the noise is believed to be. power: (n, 2, bins); returns (n, bins)."""
        smooth = self._smooth[rows]
        smooth *= np.float32(_SMOOTHED)
        smooth += np.float32((1 - _SMOOTHED) / _HOPS) * power[:, 0]
        smooth += np.float32((1 - _SMOOTHED) / _HOPS) * power[:, 1]
        self._smooth[rows] = smooth
        self._age[rows] += 1
        over = rows[self._age[rows] % _SPAN == 0]
        if over.size:
            self._before[over] = self._least[over]
            self._least[over] = self._smooth[over]
        least = np.minimum(smooth, self._least[rows])
        self._least[rows] = least
        np.minimum(least, self._before[rows], out=least)
        return np.maximum(least, self._quietest, out=least)


def _follow(noise: Floats, likely: Floats, power: Floats) -> None:
    """Move the noise, in place, to what came, by how unlikely that was speech."""
    share = np.float32(_SPOKEN / (1 + _SPOKEN))
    speech = power / np.maximum(noise, 1e-3)
    speech *= -share
    np.exp(speech, out=speech)
    speech *= np.float32(1 + _SPOKEN)
    speech += 1
    np.reciprocal(speech, out=speech)
    likely *= np.float32(_LIKELY_MEMORY)
    likely += np.float32(1 - _LIKELY_MEMORY) * speech
    np.minimum(speech, _STUCK, out=speech, where=likely > _STUCK)
    step = power - noise
    step *= np.float32(1 - _NOISE_MEMORY) * (1 - speech)
    noise += step


def _weigh(noise: Floats, speech: Floats, power: Floats) -> Floats:
    """The weights of one window; `speech` becomes, in place, the power that they leave of it."""
    after = power / noise
    before = np.maximum(after - 1, 0)
    before *= np.float32(1 - _MEMORY)
    before += np.float32(_MEMORY) * (speech / noise)
    np.maximum(before, np.float32(_LEAST_RATIO), out=before)
    weight: Floats = before / (before + 1)
    after *= weight
    weight *= _boost(after)
    np.clip(weight, np.float32(FLOOR), 1, out=weight)
    np.multiply(power, weight, out=speech)
    np.multiply(speech, weight, out=speech)
    return weight


# The factor exp(E1(v) / 2) of the log-spectral amplitude estimator, for v from 2^-20 to 2^5 in 16 steps an octave: the
# upper bits of a float's own representation number the steps.
_OCTAVES = (-20, 5)
_SHIFT = 19
_BASE = int(np.float32(2.0 ** _OCTAVES[0]).view(np.int32)) >> _SHIFT


def _table() -> Floats:
    count = (_OCTAVES[1] - _OCTAVES[0]) * 16
    edges = ((np.arange(count + 1) + _BASE) << _SHIFT).astype(np.int32).view(np.float32).astype(np.float64)
    middle = np.sqrt(edges[:-1] * edges[1:])
    return np.asarray(np.exp(scipy.special.exp1(middle) / 2), np.float32)


_TABLE = _table()


def _boost(v: Floats) -> Floats:
    index = v.view(np.int32) >> _SHIFT
    index -= _BASE
    boost: Floats = _TABLE.take(index, mode="clip")
    return boost
