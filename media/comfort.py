"""Comfort noise (RFC 3389): a peer that falls silent says how loud its silence is, and sends nothing until it speaks again.

Only the level is followed; the spectrum, which a packet may bring too, is for who listens long to noise. Peers send it unasked, too,
with the payload type that it has of old, so it is understood on every call and never asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.frames import EAR_SAMPLES, LINE_SAMPLES, Pcm

PAYLOAD_TYPE = 13
LOUDEST = 30
"""-dBov: noise that is louder is no comfort."""
_QUIETEST = 127
_FRAMES = 61

Bools = NDArray[np.bool_]


class ComfortNoise:
    """The rows whose peers have fallen silent. `any` says whether there is one."""

    def __init__(self, rows: int) -> None:
        self.any = False
        self._quiet = np.zeros(rows, np.bool_)
        self._level = np.zeros(rows, np.float32)
        noise = np.random.default_rng(rows).standard_normal((_FRAMES, EAR_SAMPLES))
        self._wide = noise.astype(np.float32)
        self._narrow = np.ascontiguousarray(self._wide[:, :LINE_SAMPLES])
        self._at = 0

    def fall_silent(self, row: int, payload: bytes) -> None:
        """The peer's silence has this level (section 3: the first octet, -dBov)."""
        level = max(LOUDEST, payload[0] & 0x7F) if payload else _QUIETEST
        self._level[row] = 32768 * 10 ** (-level / 20)
        self._quiet[row] = self.any = True

    def end(self, rows: NDArray[np.intp]) -> None:
        """Audio has come for these rows."""
        self._quiet[rows] = False
        self.any = bool(self._quiet.any())

    def fill(self, lost: Bools, pcm: Pcm, wide: Pcm) -> None:
        """Put noise where nothing came because nothing was sent, and take those rows out of `lost`, in place.

        lost: (rows,); pcm: int16, (rows, 160); wide: int16, (rows, 320).
        """
        rows = np.flatnonzero(lost & self._quiet)
        if not rows.size:
            return
        self._at += 1
        level, frame = self._level[rows][:, None], (self._at + rows) % _FRAMES
        pcm[rows] = np.rint(self._narrow[frame] * level)
        wide[rows] = np.rint(self._wide[frame] * level)
        lost[rows] = False
