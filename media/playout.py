"""What leaves of the agent's voice: its level, without clicks, and a quiet noise where nothing is said.

A change of level is a ramp of 5 ms at the start of a frame, so a pause is silent within the frame in which it was decided, and a
voice of which no more has come in time is gone within the next. A line that is dead silent sounds cut off, so where nobody
speaks a noise of about -72 dB below full scale goes out (RFC 3389 calls it comfort noise; here it is sent as ordinary audio).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.frames import LINE_SAMPLES, Pcm

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

FULL = 1.0
DUCKED = 10 ** (-12 / 20)
SILENT = 0.0
RAMP_SAMPLES = 40
NOISE_RMS = 8.0

_NOISE_FRAMES = 509
"""10 s, and a prime, so that rows and ticks step through all of it."""


class Playout:
    """The level of every row's voice, and the noise under it."""

    def __init__(self, rows: int, seed: int, samples: int = LINE_SAMPLES) -> None:
        """`seed` makes the noise, which is then always the same. samples: of a frame, 160 at 8 kHz or 320 at 16 kHz."""
        self._gain = np.zeros(rows, np.float32)
        noise = np.random.default_rng(seed).normal(0, NOISE_RMS, (_NOISE_FRAMES, samples))
        self._noise = np.asarray(np.rint(noise), np.int16)
        self._start = np.arange(rows) * 31
        self._rise = np.minimum(np.arange(1, samples + 1, dtype=np.float32) * LINE_SAMPLES / samples / RAMP_SAMPLES, 1)

    def reset(self, row: int) -> None:
        """A new call: what is played first comes in by a ramp."""
        self._gain[row] = SILENT

    def apply(self, pcm: Pcm, queued: Bools, gain: Floats, now: int) -> Pcm:
        """Give every row's frame its level, in place. pcm: int16, (rows, 160), 8 kHz, the agent's voice where `queued` (rows,).

        gain: float32, (rows,), where the level is to go: FULL, DUCKED or SILENT; to silence a voice without a click, give its
        next frame once more as queued, with SILENT. now: the tick. Where nothing is queued or the level is SILENT, noise goes
        out. Returns `pcm`.
        """
        target = np.where(queued, gain, SILENT).astype(np.float32)
        shaped = np.flatnonzero(queued & ((target != FULL) | (self._gain != FULL)))
        if shaped.size:
            self._shape(pcm, shaped, target)
        self._gain[:] = target
        quiet = np.flatnonzero(target == SILENT)
        if quiet.size:
            self._add_noise(pcm, quiet, queued[quiet], now)
        return pcm

    def apply_to(self, rows: NDArray[np.intp], pcm: Pcm, queued: Bools, gain: Floats, now: int) -> Pcm:
        """The same for some rows only, by themselves: line j of pcm, queued and gain is of row `rows[j]`. Returns `pcm`."""
        for line, row in enumerate(rows.tolist()):
            start, end = self._gain[row], gain[line] if queued[line] else np.float32(SILENT)
            if queued[line] and (start != FULL or end != FULL):
                pcm[line] = np.rint(pcm[line] * (start + (end - start) * self._rise))
            self._gain[row] = end
            if end == SILENT:
                noise = self._noise[(self._start[row] + now) % _NOISE_FRAMES]
                pcm[line] = np.clip(pcm[line].astype(np.int32) + noise, -32768, 32767) if queued[line] else noise
        return pcm

    def _shape(self, pcm: Pcm, rows: NDArray[np.intp], target: Floats) -> None:
        start, end = self._gain[rows][:, None], target[rows][:, None]
        curve = start + (end - start) * self._rise
        pcm[rows] = np.rint(pcm[rows] * curve)

    def _add_noise(self, pcm: Pcm, rows: NDArray[np.intp], queued: Bools, now: int) -> None:
        noise = self._noise[(self._start[rows] + now) % _NOISE_FRAMES]
        fading = np.flatnonzero(queued)
        if fading.size:
            wide = noise[fading].astype(np.int32) + pcm[rows[fading]]
            noise[fading] = np.clip(wide, -32768, 32767)
        pcm[rows] = noise
