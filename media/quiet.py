"""What the recogniser hears where noise suppression is on: the rows' frames with their noise taken down, at 16 kHz.

Telephone audio is worked on at 8 kHz, where it costs half, and brought to 16 kHz after it. What came is left as it is, for the
recording, for bridges and, unless it is asked to hear the same, for the voice activity detection.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from media.frames import EAR_SAMPLES, Pcm
from media.resample import Up8to16
from media.rows import Rows
from media.suppress import Suppressor


class NoiseSuppression(StrEnum):
    """For whom noise is taken down."""

    OFF = "off"
    RECOGNISER = "recogniser"
    ALL = "all"
    """For the voice activity detection too, which then hears 10 ms later."""


class Quiet:
    """The suppressors of the rows, of telephone audio and of wideband."""

    def __init__(self, rows: int) -> None:
        self._narrow = Suppressor(rows)
        self._wide = Suppressor(rows, EAR_SAMPLES)
        self._up = Up8to16(rows)
        self._is_wide = np.zeros(rows, np.bool_)

    def set_row(self, row: int, *, wide: bool) -> None:
        """The row hears somebody new, or the same by another codec: silence came before."""
        self._is_wide[row] = wide
        for stage in (self._narrow, self._wide, self._up):
            stage.reset(row)

    def step(self, pcm: Pcm, wide: Pcm, rows: Rows) -> Pcm:
        """20 ms more of `rows`: (n,), distinct. pcm: int16, (n, 160), 8 kHz; wide: int16, (n, 320), 16 kHz, the same sound.

        Returns int16, (n, 320), overwritten by the next step.
        """
        is_wide = self._is_wide[rows]
        if not is_wide.any():
            return self._up.step(self._narrow.step(pcm, rows), rows=rows)
        narrow, lines = np.flatnonzero(~is_wide), np.flatnonzero(is_wide)
        quiet: Pcm = np.empty_like(wide)
        quiet[lines] = self._wide.step(wide[lines], rows[lines])
        if narrow.size:
            quiet[narrow] = self._up.step(self._narrow.step(pcm[narrow], rows[narrow]), rows=rows[narrow])
        return quiet
