"""Takes echoes of our own voice out of what the detector calls speech, before the tick reacts to it."""

from __future__ import annotations

import numpy as np

from media.ear import Judged
from media.echo import WINDOW, EchoRows, Floats
from media.frames import EAR_SAMPLES, LINE_SAMPLES, Pcm
from media.rings import IN_FRAMES, SharedRings
from media.rows import Bools, CallRows, Longs, Rows

_FRAMES = 64
"""Of 20 ms, in which the line's noise is looked for: nobody speaks 1.28 s without a gap."""
_ENOUGH = 8
"""Of 20 ms that have to be there before the quietest of them says anything of the line's noise."""
_STEP = 4
"""Samples at 16 kHz for each one at 4 kHz."""
_FRAME = EAR_SAMPLES // _STEP


class EchoGuard:
    """`echo` holds what was sent; what was heard lies in the rings already, and is only read where somebody may be speaking."""

    def __init__(self, rings: SharedRings, calls: CallRows) -> None:
        self.echo = EchoRows(rings.rows)
        self._rings = rings
        self._calls = calls

    def clear(self, judged: Judged, rows: Rows) -> Judged:
        """The detector's word, less what is an echo. rows: those that may have one, of which frames were judged, distinct."""
        rings, count = self._rings, len(rows)
        head = rings.row.in_head[rows]
        cells = (head[:, None] + np.arange(-_FRAMES, 0)) % IN_FRAMES
        heard = _slower(rings.in_pcm[rows[:, None], cells].reshape(count, -1))
        end = judged.end[rows]
        after = (rings.in_at[rows, (head - 1) % IN_FRAMES] + LINE_SAMPLES - end) // 2
        first = heard.shape[1] - WINDOW - 1 - after
        window = np.take_along_axis(heard, first[:, None] + np.arange(WINDOW + 1), axis=1)
        at: Longs = self._calls.origin[rows] * (LINE_SAMPLES // 2) + end // 2
        # A call's first cells hold nothing of it yet, and what was made up for lost packets fades to nothing.
        there = (np.arange(_FRAMES, 0, -1) <= head[:, None]) & ~rings.in_concealed[rows[:, None], cells]
        echo = rows[self.echo.judge(rows, window, at, line_noise(heard, there))]
        if not echo.size:
            return judged
        probability = judged.probability.copy()
        probability[echo] = 0
        return Judged(probability, judged.judged, judged.end)


def _slower(pcm: Pcm) -> Floats:
    """Means of four: float32, (n, m / 4)."""
    pairs = pcm[:, 0::2].astype(np.float32) + pcm[:, 1::2]
    return np.asarray((pairs[:, 0::2] + pairs[:, 1::2]) / _STEP, np.float32)


def line_noise(heard: Floats, there: Bools) -> Floats:
    """The energy of first differences in a window of WINDOW samples, as it was in the quietest 20 ms: float32, (n,).

    heard: float32, (n, m * 80), 4 kHz. there: (n, m), which of the frames came from the line; 0 where they are too few to tell.
    """
    steps = np.diff(heard.reshape(len(heard), -1, _FRAME), axis=2)
    energy = np.where(there, np.einsum("ijk,ijk->ij", steps, steps), np.inf).min(axis=1)
    quietest = np.where(there.sum(axis=1) >= _ENOUGH, energy, 0)
    return np.asarray(quietest * (WINDOW / (_FRAME - 1)), np.float32)
