"""Is what a caller's line brings only our own voice come back? Judged for all suspect calls at once.

A telephone returns what we send: electrically at a hybrid (ITU-T G.168) or through the air from a loudspeaker, later by up to some
hundred milliseconds and weaker. It is speech to any detector of speech, and must not stop the agent. We know what we sent, so a window
of what is heard is compared with it: at the delay where both are most alike, how much of the window's energy is explained by
a few taps of what was sent? An echo is explained nearly whole; a caller who speaks, over an echo or without one, is not.

All of it is done at 4 kHz, where speech has its energy, on first differences, which make vowels less alike. A delay that has once
explained a window is tried first in the next one; only where it does not is the whole stretch searched.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from media.frames import LINE_SAMPLES, Pcm
from media.rows import NEVER, Bools, Longs, Rows

Floats = NDArray[np.float32]

REACH = 44
"""Ticks (880 ms) of what was sent in which an echo is looked for: 500 ms of delay, two jitter buffers, a clock's drift, and the window."""
EXPLAINED = 0.6
"""The share of a window's energy that makes it an echo."""
KNOWN = 0.45
"""The same at a delay that has explained a window before, less so much of the window's noise."""
EXPECTED = 1.5
"""By how much an echo's energy at a known delay and level may exceed what it was to be."""
TRACE = 0.1
"""At that delay, what the window must have of our voice at the least, however noisy it is."""
NOISE = 2.0
"""By how much a window's noise may exceed the quietest stretch of late."""
SEARCHES = 12
"""Windows searched in one step: what a tick spends on this is bounded. Those beyond it count as speech, and
go first in the next: one frame only ducks the agent, and no caller waits for the judge."""
WINDOW = 256
"""Samples at 4 kHz that are compared: 64 ms, the judged frame of 32 ms and what came before it."""

_FRAME = LINE_SAMPLES // 2
_SENT = REACH * _FRAME
_SIDE = 4
_TAPS = 2 * _SIDE + 1
_SIZE = 4096
"""Of the transforms: no shift of the window over what was sent wraps around."""
_LOUDEST = 1.5
"""An echo's amplitude to that of what was sent, as one tap sees it: what comes back louder is no echo."""
_FAINT = WINDOW * 4.0
"""Energy of a window below which nothing was sent in it but noise."""
_FOLLOW = 0.2
_RIDGE = 1e-3
_NO_DELAY = -(2**40)


class EchoRows:
    """What was sent on every row, and the delay at which each row's echo was last found."""

    def __init__(self, rows: int) -> None:
        self._sent = np.zeros((REACH, rows, _FRAME), np.int16)
        self._tick = -1
        # From what was sent to what was heard, in samples at 4 kHz.
        self._delay = np.full(rows, _NO_DELAY, np.int64)
        # Energy of what was heard to that of what was sent, as far as it was explained.
        self._gain = np.zeros(rows, np.float32)
        # The tick in which each row was last searched.
        self._searched_at = np.full(rows, NEVER, np.int64)
        # For the measurement: windows that were looked at, and of those the ones that were searched.
        self.judged = 0
        self.searched = 0

    def open_row(self, row: int) -> None:
        """A new call: nothing was sent, and nothing is known of its echo."""
        self._sent[:, row] = 0
        self._delay[row] = _NO_DELAY
        self._gain[row] = 0
        self._searched_at[row] = NEVER

    def said(self, tick: int, pcm: Pcm) -> None:
        """What leaves in this tick. pcm: int16, (rows, 160), 8 kHz, zero where nothing leaves. Ticks that were left out are silence."""
        for missed in range(max(self._tick + 1, tick - REACH), tick):
            self._sent[missed % REACH] = 0
        half = pcm >> 1
        np.add(half[:, 0::2], half[:, 1::2], out=self._sent[tick % REACH])
        self._tick = tick

    def judge(self, rows: Rows, heard: Floats, end: Longs, floor: Floats) -> Bools:
        """Which windows are nothing but echo: bool, (n,).

        rows: (n,), distinct. heard: float32, (n, WINDOW + 1), 4 kHz, line j of row `rows[j]`. end: (n,), when the window ended,
        in samples at 4 kHz since tick 0. floor: (n,), energy of the line's noise in a window, of first differences.
        """
        window = np.diff(heard, axis=1)
        energy = np.einsum("ij,ij->i", window, window)
        sent = self._reference(rows)
        # Where in `sent` the window lies that has the known delay.
        behind = (self._tick + 1) * _FRAME - end
        at = len(sent[0]) - WINDOW - behind - self._delay[rows]
        share, power = self._explained(window, energy, sent, at)
        noise = NOISE * floor
        alike = (share >= TRACE) & ((1 - share) * energy <= (1 - KNOWN) * energy + noise)
        # Also where nothing was sent: a detector of speech believes in it for some frames more than there was any.
        known = self._delay[rows] != _NO_DELAY
        echo: Bools = alike | (known & (energy <= EXPECTED * self._gain[rows] * power + noise))
        self._learn(rows, share * energy, power, share >= KNOWN)
        self.judged += len(rows)
        unknown = self._turns(rows, np.flatnonzero(~echo))
        if unknown.size:
            at, share, power = self._search(window[unknown], energy[unknown], sent[unknown])
            found = np.flatnonzero(share >= EXPLAINED)
            lines = unknown[found]
            echo[lines] = True
            self._delay[rows[lines]] = len(sent[0]) - WINDOW - behind[lines] - at[found]
            self._gain[rows[lines]] = share[found] * energy[lines] / power[found]
            self.searched += unknown.size
        return echo

    def _turns(self, rows: Rows, lines: Longs) -> Longs:
        """Those of the lines that are searched now: who begins to speak goes before those who were searched just before."""
        first = lines[np.argsort(self._searched_at[rows[lines]], kind="stable")][:SEARCHES]
        self._searched_at[rows[first]] = self._tick
        return first

    def _learn(self, rows: Rows, explained: Floats, power: Floats, sure: Bools) -> None:
        """Follow the level of the echo where a window was one."""
        known = rows[sure]
        self._gain[known] += _FOLLOW * (explained[sure] / power[sure] - self._gain[known])

    def _reference(self, rows: Rows) -> Floats:
        """First differences of what was sent, oldest first: float32, (n, _SENT - 1)."""
        order = np.arange(self._tick + 1, self._tick + 1 + REACH) % REACH
        sent = self._sent[order[None, :], rows[:, None]].reshape(len(rows), _SENT).astype(np.float32)
        return np.diff(sent, axis=1)

    def _search(self, window: Floats, energy: Floats, sent: Floats) -> tuple[Longs, Floats, Floats]:
        """The place of each window in what was sent, and what `_explained` says of it."""
        spectrum = np.fft.rfft(sent, _SIZE) * np.conj(np.fft.rfft(window, _SIZE))
        product = np.fft.irfft(spectrum, _SIZE)[:, : sent.shape[1] - WINDOW + 1]
        total = np.pad(np.cumsum(sent.astype(np.float64) ** 2, axis=1), ((0, 0), (1, 0)))
        level = np.maximum(total[:, WINDOW:] - total[:, :-WINDOW], _FAINT)
        likeness = product**2 / level
        likeness[np.abs(product) > _LOUDEST * level] = 0
        at = likeness.argmax(axis=1)
        return at, *self._explained(window, energy, sent, at)

    def _explained(self, window: Floats, energy: Floats, sent: Floats, at: Longs) -> tuple[Floats, Floats]:
        """The share of each window's energy that taps around the place `at` in what was sent explain, and the energy there: (n,)."""
        within = (at >= _SIDE) & (at <= sent.shape[1] - WINDOW - _SIDE)
        first = np.where(within, at - _SIDE, 0)
        span = np.arange(WINDOW + _TAPS - 1)
        shifted = sliding_window_view(np.take_along_axis(sent, first[:, None] + span, axis=1), WINDOW, axis=1)
        shifted = np.ascontiguousarray(shifted)
        gram = shifted @ shifted.transpose(0, 2, 1)
        power = np.einsum("iqq->i", gram) / _TAPS
        gram += (_RIDGE * power + 1)[:, None, None] * np.eye(_TAPS, dtype=np.float32)
        product = shifted @ window[:, :, None]
        taps = np.linalg.solve(gram, product)
        share = (taps * product).sum(axis=(1, 2)) / np.maximum(energy, 1)
        heard = within & (power >= _FAINT)
        return np.where(heard, share, 0).astype(np.float32), np.where(heard, power, 0)
