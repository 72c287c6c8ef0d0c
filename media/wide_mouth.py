"""The voice at 16 kHz, of the rows that have or had a wideband codec: beside what the mouth makes of all rows at 8 kHz.

What is queued may have either rate, whatever the call's codec is by now: each frame is brought to both, for the line and for the
recording. While no call is wideband, the tick looks at one flag.
"""

from __future__ import annotations

import numpy as np

from media.background import BackgroundRows
from media.frames import EAR_SAMPLES, LINE_SAMPLES, Pcm
from media.playout import Floats, Playout
from media.resample import Down16to8, Up8to16
from media.rings import OUT_FRAMES, SharedRings
from media.rows import Bools, Rows
from media.tones_out import TonesOut


class WideMouth:
    """What leaves of each such row in this tick. `any` says whether there is one."""

    def __init__(self, rings: SharedRings, seed: int) -> None:
        rows = rings.rows
        self.any = False
        self._ring = rings.out_wide.reshape(rows * OUT_FRAMES, EAR_SAMPLES)
        self._is_wide = rings.out_is_wide.reshape(-1)
        self._rows = np.zeros(0, np.intp)
        self._playout = Playout(rows, seed, EAR_SAMPLES)
        self._down, self._up, self._bridge_up = Down16to8(rows), Up8to16(rows), Up8to16(rows)
        self._frames = np.zeros((rows, EAR_SAMPLES), np.int16)
        self._before = np.zeros((rows, LINE_SAMPLES), np.int16)

    def add_row(self, row: int) -> None:
        """The row has a wideband codec; until it is closed its frames may have either rate."""
        if row in self._rows:
            return
        self._rows = np.append(self._rows, row)
        self.any = True
        self._playout.reset(row)
        for resampler in (self._down, self._up, self._bridge_up):
            resampler.reset(row)

    def close_row(self, row: int) -> None:
        """The row is a narrowband one again."""
        self._rows = self._rows[self._rows != row]
        self.any = bool(self._rows.size)

    def load(self, queued: Bools, cells: Rows, backwards: Rows, pcm: Pcm) -> None:
        """Take the frames that are to be heard. queued: (rows,); cells: (rows,), where they lie; backwards: (n,), rows whose frame
        is played from its end; pcm: int16, (rows, 160), the same from the ring of 8 kHz, which is set right in place where the
        frame is in the other."""
        rows = self._rows[queued[self._rows]]
        wide = self._is_wide[cells[rows]]
        if (narrow := rows[~wide]).size:
            self._frames[narrow] = self._up.step(pcm[narrow], rows=narrow)
        if (rows := rows[wide]).size:
            self._frames[rows] = self._ring[cells[rows]]
            back = np.intersect1d(rows, backwards)
            self._frames[back] = self._frames[back, ::-1]
            pcm[rows] = self._down.step(self._frames[rows], rows)

    def level(self, queued: Bools, gain: Floats, tick: int) -> None:
        """As `Playout.apply`. queued, gain: (rows,)."""
        rows = self._rows
        self._frames[rows] = self._playout.apply_to(rows, self._frames[rows], queued[rows], gain[rows], tick)

    def mix(self, background: BackgroundRows) -> None:
        """Add this tick's background sounds."""
        background.mix(self._frames, self._rows)

    def before_bridge(self, pcm: Pcm) -> None:
        """Remember the frames, int16, (rows, 160), to which the bridges are about to add."""
        self._before[self._rows] = pcm[self._rows]

    def after_bridge(self, pcm: Pcm) -> None:
        """Add to each frame what the bridges have added to that of 8 kHz."""
        rows = self._rows
        added = np.clip(pcm[rows].astype(np.int32) - self._before[rows], -32768, 32767).astype(np.int16)
        wide = self._frames[rows].astype(np.int32) + self._bridge_up.step(added, rows=rows)
        self._frames[rows] = np.clip(wide, -32768, 32767)

    def lay(self, tones: TonesOut) -> None:
        """Put keys in place of what is said."""
        tones.lay(self._frames)

    def frame(self, row: int) -> Pcm:
        """What leaves of a row: int16, (320,), 16 kHz."""
        frame: Pcm = self._frames[row]
        return frame
