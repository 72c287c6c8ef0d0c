"""From a voice's sample rate to the line's, in a stream: what comes out does not depend on how the input was cut."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

_ZERO_CROSSINGS = 16
"""Of the sinc, on each side: with Kaiser's β = 8 the stop band is 80 dB down. From 22 050 to 8000 Hz that is 90 taps."""
_BETA = 8.0
_PASS = 0.9


class StreamResampler:
    """A polyphase low-pass filter with a memory. It has no delay: output sample n is input time n / target_rate."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        divisor = gcd(source_rate, target_rate)
        self._up, self._down = target_rate // divisor, source_rate // divisor
        self._taps, self._half = _filter_bank(self._up, self._down)
        self._history = np.zeros(self._half - 1)
        self._origin = 0
        self._read = 0
        self._written = 0

    def push(self, samples: Samples) -> Samples:
        """samples: float, (n,), source rate. Returns what can be computed by now: float, (m,), target rate."""
        self._history = np.concatenate((self._history, samples))
        self._read += len(samples)
        return self._compute(self._outputs(self._read - self._half))

    def finish(self) -> Samples:
        """The rest, up to the last input sample."""
        self._history = np.concatenate((self._history, np.zeros(self._half)))
        return self._compute(self._outputs(self._read))

    def _outputs(self, inputs: int) -> int:
        """How many outputs lie before input number `inputs`."""
        return -(-inputs * self._up // self._down)

    def _compute(self, end: int) -> Samples:
        """Outputs `written` to `end`. The history begins with input number `origin - half + 1`."""
        if end <= self._written:
            return np.zeros(0)
        position = np.arange(self._written, end, dtype=np.int64) * self._down
        windows = np.lib.stride_tricks.sliding_window_view(self._history, self._taps.shape[1])
        output: Samples = np.einsum(
            "ij,ij->i", windows[position // self._up - self._origin], self._taps[position % self._up]
        )
        self._written = end
        self._forget(end * self._down // self._up - self._origin)
        return output

    def _forget(self, count: int) -> None:
        """Drop the inputs that the next output no longer needs; it may need one that has not come yet."""
        count = min(count, len(self._history))
        self._history = self._history[count:]
        self._origin += count


@lru_cache(maxsize=8)
def _filter_bank(up: int, down: int) -> tuple[Samples, int]:
    """One row of taps per phase: row p, tap k weighs input `whole - half + 1 + k` for the output at `whole + p / up`."""
    narrowing = min(1.0, up / down)
    half = ceil(_ZERO_CROSSINGS / narrowing)
    offsets = np.arange(1 - half, half + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (offsets / half) ** 2, 0, None)))
    taps = np.sinc(_PASS * narrowing * offsets) * window
    return taps / taps.sum(axis=1, keepdims=True), half
