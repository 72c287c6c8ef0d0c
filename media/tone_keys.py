"""Keys heard as tones: DTMF within the audio (ITU-T Q.23), for peers that send no telephone-events.

Every 10 ms a window of 20 ms is compared with the eight tones, of all calls in one product (Goertzel's filters are rows of a Fourier
transform, and so are these). Each tone has three filters, at its frequency and 1.2 % beside it: what is 1.5 % off is heard, and what
is 3.5 % off is not (ITU-T Q.24). Two tones are a key when they are nearly all that there is, for 40 ms: speech seldom is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.frames import LINE_RATE, LINE_SAMPLES, Pcm
from media.rows import Bools, Longs, Rows

_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_CODES = np.array([[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]], np.int8)
"""Of a low and a high tone: the event's code in RFC 4733."""
_BESIDE = (1 - 0.012, 1.0, 1 + 0.012)
_HOP = LINE_SAMPLES // 2
_HOP_MS = 10
_QUIETEST = 810.0**2 / 2
"""The least power of each tone: -29 dBm0."""
_SHARE = 0.72
"""How much of the power the two tones have."""
_NORMAL_TWIST, _REVERSE_TWIST = 10**0.9, 10**0.65
"""By how much the low tone, and the high one, may be louder: a decibel or two more than exchanges have to allow (Q.24)."""
_CLEAR = 10**0.6
"""By how much a tone is above the others of its group together."""
_BEGINS = 3
_ENDS = 3
"""In windows: a key of 40 ms has three that are full enough, a pause of 40 ms four without it."""
_NONE = -1


class ToneKey(NamedTuple):
    """A key that has been released. `code` as in RFC 4733, `ms` how long it was heard."""

    row: int
    code: int
    ms: int


def _filters() -> NDArray[np.float32]:
    """Float32 (20 ms of samples, 48): the cosines and the sines of all filters. The square of a product with a sine is its power."""
    frequencies = np.outer(_BESIDE, (*_LOW, *_HIGH)).ravel()
    angles = 2 * np.pi / LINE_RATE * np.outer(np.arange(LINE_SAMPLES), frequencies)
    waves = np.concatenate((np.cos(angles), np.sin(angles)), axis=1)
    return np.asarray(waves * (np.sqrt(2) / LINE_SAMPLES), np.float32)


def keys_in(windows: NDArray[np.float32]) -> NDArray[np.int8]:
    """Which key each window of 20 ms holds: int8 (n,) of codes, -1 for none. windows: (n, 160) samples at 8 kHz."""
    parts = windows @ _FILTERS
    power = parts[:, :24] ** 2 + parts[:, 24:] ** 2
    tones = np.maximum(np.maximum(power[:, :8], power[:, 8:16]), power[:, 16:]).reshape(-1, 2, 4)
    best = tones.argmax(axis=2)
    loudest = np.take_along_axis(tones, best[:, :, None], axis=2)[:, :, 0]
    others = np.einsum("ijk->ij", tones) - loudest
    low, high = loudest[:, 0], loudest[:, 1]
    total = np.einsum("ij,ij->i", windows, windows) / LINE_SAMPLES
    is_key = (loudest > _QUIETEST).all(axis=1) & (loudest > _CLEAR * others).all(axis=1)
    is_key &= (low < _NORMAL_TWIST * high) & (high < _REVERSE_TWIST * low)
    is_key &= low + high > _SHARE * total
    return np.where(is_key, _CODES[best[:, 0], best[:, 1]], np.int8(_NONE))


_FILTERS = _filters()


class ToneKeys:
    """The keys of those rows that are to be listened to; the others cost nothing. `heard` is for the tick to take.

    What a key sounds like is nobody's speech: `hear` says in which frames one is held, so that no detector and no
    recogniser need judge them.
    """

    def __init__(self, rows: int) -> None:
        self.any = False
        self.heard: list[ToneKey] = []
        self._listens = np.zeros(rows, np.bool_)
        self._before = np.zeros((rows, _HOP), np.float32)
        self._key = np.full(rows, _NONE, np.int8)
        self._windows = np.zeros(rows, np.int64)
        self._missed = np.zeros(rows, np.int64)

    def set_row(self, row: int, *, listens: bool) -> None:
        """Whether the row's keys may come as tones."""
        if self._listens[row] == listens:
            return
        self._listens[row] = listens
        self._before[row] = 0
        self._key[row] = _NONE
        self.any = bool(self._listens.any())

    def hear(self, rows: Rows, pcm: Pcm) -> Longs:
        """The next 20 ms of these rows, which are distinct; pcm: int16 (len(rows), 160).

        Returns the lines of `pcm` in which a key is held or may begin: int64 (n,). Speech is seldom taken for such a line.
        """
        listening = np.flatnonzero(self._listens[rows])
        if not listening.size:
            return listening
        rows, pcm = rows[listening], pcm[listening]
        samples = np.concatenate((self._before[rows], pcm), axis=1, dtype=np.float32)
        self._before[rows] = samples[:, LINE_SAMPLES:]
        lively = self._is_lively(rows, samples)
        if not lively.any():
            return listening[:0]
        rows, samples, listening = rows[lively], samples[lively], listening[lively]
        found = keys_in(np.concatenate((samples[:, :LINE_SAMPLES], samples[:, _HOP:])))
        for window in found.reshape(2, -1):
            self._follow(rows, window)
        held: Longs = listening[self._key[rows] != _NONE]
        return held

    def _is_lively(self, rows: Rows, samples: NDArray[np.float32]) -> Bools:
        """Whether there is enough sound for a key, or one is held."""
        power = np.einsum("ij,ij->i", samples, samples) / samples.shape[1]
        lively: Bools = (power > _QUIETEST) | (self._key[rows] != _NONE)
        return lively

    def _follow(self, rows: Rows, found: NDArray[np.int8]) -> None:
        """One window of each row: keys begin, go on and end."""
        same = (found == self._key[rows]) & (found != _NONE)
        self._windows[rows[same]] += 1 + self._missed[rows[same]]
        self._missed[rows[same]] = 0
        missed = rows[~same & (self._key[rows] != _NONE)]
        self._missed[missed] += 1
        # One that is not yet a key has to come without a gap; one that is may have a gap of 10 ms (Q.24).
        ends = missed[(self._missed[missed] >= _ENDS) | (self._windows[missed] < _BEGINS)]
        for row in ends[self._windows[ends] >= _BEGINS].tolist():
            self.heard.append(ToneKey(row, int(self._key[row]), (int(self._windows[row]) + 1) * _HOP_MS))
        self._key[ends] = _NONE
        fresh = (self._key[rows] == _NONE) & (found != _NONE)
        begun = rows[fresh]
        self._key[begun] = found[fresh]
        self._windows[begun], self._missed[begun] = 1, 0
