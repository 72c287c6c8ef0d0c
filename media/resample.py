"""Sample rates: the line's 8 kHz to the ear's 16 kHz for all calls at once, and back for those of a wideband codec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.frames import EAR_SAMPLES, LINE_SAMPLES, Pcm

Rows = NDArray[np.intp]
Floats = NDArray[np.float32]

TAPS = 47
DELAY_MS = TAPS // 2 / 16
"""How much later than the input the output is."""

_WANTED = (TAPS + 1) // 2
_HISTORY = _WANTED - 1
_BLOCK = 32
_WHOLE = _WANTED // 2 - 1


def _between() -> Floats:
    # Of a half-band filter every second tap is 0 but the middle one: the samples that are there pass as they are, and
    # 24 taps make the sample between two (100 dB at 1 kHz, 76 dB at 3 kHz against images).
    n = np.arange(0, TAPS, 2) - TAPS // 2
    taps = np.sinc(n / 2) * np.kaiser(TAPS, 7.0)[::2]
    return np.asarray(taps / taps.sum(), np.float32)


def _toeplitz() -> Floats:
    """One matrix makes 32 samples from the 55 they depend on: (55, 32)."""
    matrix = np.zeros((_BLOCK + _HISTORY, _BLOCK), np.float32)
    for column in range(_BLOCK):
        matrix[column : column + _WANTED, column] = _between()[::-1]
    return matrix


def response(samples: int) -> Floats:
    """What the filter leaves of each frequency of a transform of so many samples at 16 kHz: float32, (samples // 2 + 1,)."""
    taps = np.zeros(TAPS)
    taps[::2] = _between()
    taps[TAPS // 2] = 1
    return np.abs(np.fft.rfft(taps, samples) / 2).astype(np.float32)


class Up8to16:
    """8 kHz to 16 kHz, 20 ms a step, every row with the end of its last frame as history."""

    def __init__(self, rows: int) -> None:
        self._matrix = _toeplitz()
        self._last = np.zeros((rows, _HISTORY), np.float32)
        self._line = np.zeros((rows, _HISTORY + LINE_SAMPLES), np.float32)
        self._made = np.zeros((rows, LINE_SAMPLES), np.float32)
        self._out = np.zeros((rows, 2 * LINE_SAMPLES), np.int16)

    def reset(self, row: int) -> None:
        """The row hears somebody new: silence came before."""
        self._last[row] = 0

    def step(self, pcm: Pcm, heard: NDArray[np.bool_] | None = None, rows: Rows | None = None) -> Pcm:
        """pcm: int16, (n, 160), 8 kHz, line j of row `rows[j]` (distinct; None: of every row). Returns int16, (n, 320), 16 kHz.

        Where `heard` (n,) is false the row does not move on, and its line of the output means nothing. What is returned
        is overwritten by the next step.
        """
        n = len(pcm)
        line = self._line[:n]
        line[:, :_HISTORY] = self._last if rows is None else self._last[rows]
        line[:, _HISTORY:] = pcm
        out = self._out[:n]
        # The filter's middle stands between two taps of the other half: the sample that is there now is 11 older.
        out[:, 1::2] = line[:, _HISTORY - _WHOLE : _HISTORY - _WHOLE + LINE_SAMPLES]
        self._interpolate(line, out[:, ::2])
        self._remember(line[:, LINE_SAMPLES:], heard, rows)
        return out

    def _interpolate(self, line: Floats, out: Pcm) -> None:
        """The samples between those of `line`, int16, into `out`."""
        made = self._made[: len(line)]
        for start in range(0, LINE_SAMPLES, _BLOCK):
            part = line[:, start : start + _BLOCK + _HISTORY]
            np.matmul(part, self._matrix, out=made[:, start : start + _BLOCK])
        np.rint(made, out=made)
        # Between loud samples the curve may pass full scale.
        np.clip(made, -32768, 32767, out=out, casting="unsafe")

    def _remember(self, last: Floats, heard: NDArray[np.bool_] | None, rows: Rows | None) -> None:
        if rows is None:
            np.copyto(self._last, last, where=True if heard is None else heard[:, None])
        elif heard is None:
            self._last[rows] = last
        else:
            self._last[rows[heard]] = last[heard]


class Down16to8:
    """16 kHz to 8 kHz, 20 ms a step, of few rows: what a wideband call has beyond 4 kHz is left out of its recording."""

    def __init__(self, rows: int) -> None:
        # The same half-band filter: its middle tap is a half, every second one beside it is 0, and 24 are left.
        self._matrix = _toeplitz() / 2
        self._last = np.zeros((rows, TAPS - 1), np.float32)

    def reset(self, row: int) -> None:
        """Another stream: silence came before."""
        self._last[row] = 0

    def step(self, pcm: Pcm, rows: Rows) -> Pcm:
        """pcm: int16, (n, 320), 16 kHz, line j of row `rows[j]` (distinct). Returns int16, (n, 160), 8 kHz."""
        line = np.empty((len(pcm), TAPS - 1 + EAR_SAMPLES), np.float32)
        line[:, : TAPS - 1] = self._last[rows]
        line[:, TAPS - 1 :] = pcm
        self._last[rows] = line[:, EAR_SAMPLES:]
        even = np.ascontiguousarray(line[:, ::2])
        stride, size = even.strides
        shape = (len(pcm), LINE_SAMPLES // _BLOCK, _BLOCK + _HISTORY)
        blocks = np.lib.stride_tricks.as_strided(even, shape, (stride, _BLOCK * size, size))
        made = (blocks.reshape(-1, _BLOCK + _HISTORY) @ self._matrix).reshape(len(pcm), LINE_SAMPLES)
        made += line[:, TAPS // 2 :: 2][:, :LINE_SAMPLES] / 2
        return np.asarray(np.rint(np.clip(made, -32768, 32767)), np.int16)
