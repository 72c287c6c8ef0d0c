"""Lays what is heard and what is said into the recording rings, each sample at its position.

The caller's samples come late and out of step, so a position stays open for a second (`SETTLE`) before the recorder may
have it; the agent's are laid when they leave. The caller's channel is cleared `AHEAD` of the present, because a peer
whose clock is fast is heard before its time.
"""

from __future__ import annotations

import numpy as np

from media.frames import LINE_SAMPLES, Pcm
from media.rings import RECORDING_FRAMES, SharedRings
from media.rows import CallRows, Longs, Rows

SETTLE = 8000
AHEAD = 64
_RING = RECORDING_FRAMES * LINE_SAMPLES


class Tape:
    """The recording rings of all rows, as the tick writes them."""

    def __init__(self, rings: SharedRings, calls: CallRows) -> None:
        self._calls = calls
        self._counters = rings.row
        self._caller = rings.recording[0]
        self._caller_frames = rings.recording[0].reshape(-1, LINE_SAMPLES)
        self._agent_frames = rings.recording[1].reshape(-1, LINE_SAMPLES)
        self._first = np.arange(rings.rows) * RECORDING_FRAMES

    def heard(self, rows: Rows, at: Longs, pcm: Pcm) -> None:
        """Frames of the caller. rows: (k,), distinct; at: (k,), positions; pcm: int16, (k, 160)."""
        lines = np.flatnonzero(at >= self._calls.heard_from[rows])
        if lines.size < len(rows):
            rows, at, pcm = rows[lines], at[lines], pcm[lines]
        if not lines.size:
            return
        slot, offset = np.divmod(at, LINE_SAMPLES)
        if not offset.any():
            self._caller_frames[self._first[rows] + slot % RECORDING_FRAMES] = pcm
        else:
            places = (at[:, None] + np.arange(LINE_SAMPLES)) % _RING
            self._caller[rows[:, None], places] = pcm

    def unheard(self, rows: Rows, at: Longs) -> None:
        """Silence in place of the caller's frames at these positions, and of the 20 ms before each. As `heard`, with which they came."""
        silence = np.zeros((len(rows), LINE_SAMPLES), np.int16)
        self.heard(rows, at, silence)
        self.heard(rows, np.maximum(at - LINE_SAMPLES, 0), silence)

    def said(self, rows: Rows, tick: int, pcm: Pcm) -> None:
        """The agent's frames of this tick, of every connected row. rows: (k,); pcm: int16, (k, 160)."""
        number = tick - self._calls.origin[rows]
        lines = np.flatnonzero(self._calls.taped[rows])
        if lines.size == len(rows):
            self._lay(rows, number, pcm)
        elif lines.size:
            self._lay(rows[lines], number[lines], pcm[lines])
        frontier = (number + 1) * LINE_SAMPLES
        self._counters.frontier[rows] = frontier
        self._counters.recorded[rows] = np.maximum(frontier - SETTLE, 0)

    def skipped(self, rows: Rows, first: int, tick: int) -> None:
        """The ticks from `first` to before `tick` were never run: there is silence in them."""
        silence = np.zeros((len(rows), LINE_SAMPLES), np.int16)
        for missed in range(max(first, tick - RECORDING_FRAMES), tick):
            self.said(rows, missed, silence)

    def _lay(self, rows: Rows, number: Longs, pcm: Pcm) -> None:
        on = self._calls.recording[rows]
        cell = self._first[rows]
        self._agent_frames[cell + number % RECORDING_FRAMES] = pcm if on.all() else pcm * on[:, None]
        self._caller_frames[cell + (number + AHEAD) % RECORDING_FRAMES] = 0
