"""Bridged calls: what is heard of one is played to the other, both ways, on the tick.

A recogniser takes frames as they come, none in one tick and several in the next; a person does not. So what a row hears over a
bridge goes through `media.evenly`, by what `media.arrivals` knows of the other side's packets. The ear that puts those in order
waits on a gap for as long as there is something to play, and no longer.

The voice comes in and goes out by a ramp. Rows without a bridge pay nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.evenly import RAMP_SAMPLES, EvenPlayout
from media.frames import LINE_SAMPLES, Pcm
from media.played import ALL, PATIENT, PlayedRows

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]
Rows = NDArray[np.intp]

NOBODY = -1


class Bridges:
    """Who is bridged to whom, and what waits to be played to each. `played` is of the rows that speak over a bridge."""

    def __init__(self, rows: int) -> None:
        self.any = False
        """Whether there is any bridge: while there is none, the tick passes by here."""
        self.partner = np.full(rows, NOBODY, np.intp)
        self.played = PlayedRows(rows)
        self.playout = EvenPlayout(rows)
        self._relaying = np.zeros(rows, np.bool_)
        self._rows = np.zeros(0, np.intp)
        self._leaving: dict[int, int] = {}
        self._ticks = 0
        self._rise = np.minimum(np.arange(1, LINE_SAMPLES + 1, dtype=np.float32) / RAMP_SAMPLES, 1)

    def join(self, row: int, other: int, relay: bool) -> None:
        """Bridge two rows that have no bridge. relay: whether keys heard of one are sent to the other."""
        for side, far in ((row, other), (other, row)):
            self.partner[side], self._relaying[side] = far, relay
            self.playout.open_row(side)
            self.played.follow(side)
            self._leaving.pop(side, None)
        self._count()

    def set_relay(self, row: int, relay: bool) -> None:
        """Whether keys are sent on over the row's bridge, both ways."""
        self._relaying[row] = self._relaying[self.partner[row]] = relay

    def part(self, row: int) -> int:
        """End the row's bridge. Returns the other side, NOBODY where there was no bridge."""
        other = int(self.partner[row])
        if other == NOBODY:
            return NOBODY
        for side, far in ((row, other), (other, row)):
            self.partner[side] = NOBODY
            self.played.leave(side)
            if self.playout.flowing[side]:
                self._leaving[side] = far
        self._count()
        return other

    def keys_to(self, row: int) -> int:
        """The row to which a key heard on `row` is sent on; NOBODY."""
        return int(self.partner[row]) if self._relaying[row] else NOBODY

    def heard(self, rows: Rows, pcm: Pcm, lost: Bools) -> None:
        """Frames the ear has taken. rows: (k,), distinct; pcm: int16, (k, 160), 8 kHz; lost: (k,), made up by the ear."""
        to = self.partner[rows]
        lines = np.flatnonzero(to != NOBODY)
        if lines.size:
            self.playout.put(to[lines], pcm[lines], lost[lines])

    def mix(self, pcm: Pcm) -> None:
        """Add to what leaves in this tick what the other sides say, in place, with saturation. pcm: int16, (rows, 160)."""
        self._ticks += 1
        if self._leaving:
            self._fade_out(pcm)
        playout, played = self.playout, self.played
        played.arrivals.learn(self._ticks)
        rows = self._rows[playout.flowing[self._rows]]
        if rows.size:
            _add(pcm, rows, playout.take(rows, played.arrivals, self.partner[rows]))
        waits = playout.flowing[self._rows] & (playout.waiting(self._rows) >= LINE_SAMPLES)
        speaking = self.partner[self._rows]
        played.patience[speaking] = np.where(waits, PATIENT, 0)
        played.stood[speaking] = np.where(playout.flowing[self._rows], playout.misses[self._rows], ALL)

    def _fade_out(self, pcm: Pcm) -> None:
        """Sides whose bridge has ended: the voice goes on for the length of a ramp, so that it ends without a click."""
        rows, far = (np.array(part, np.intp) for part in zip(*sorted(self._leaving.items()), strict=True))
        self._leaving.clear()
        frames = self.playout.take(rows, self.played.arrivals, far)
        _add(pcm, rows, np.asarray(np.rint(frames * (1 - self._rise)), np.int16))
        for row in rows.tolist():
            self.playout.rest(row)
        self._count()

    def _count(self) -> None:
        self._rows = np.flatnonzero(self.partner != NOBODY)
        self.any = bool(self._rows.size or self._leaving)


def _add(pcm: Pcm, rows: Rows, frames: Pcm) -> None:
    pcm[rows] = np.clip(pcm[rows].astype(np.int32) + frames, -32768, 32767)
