"""Sound under the agent's speech: loops that all calls share, mixed on the tick into the rows that have one.

A sound goes on whether the agent speaks or not, and neither barge-in nor a pause touches it: a room does not fall silent because
somebody does. It is in what is sent, so the echo judge knows it and the recording has it; nothing that is heard passes here. Where
a tick is in a loop follows from its number, so a row that was on hold comes back into the same room.

Its level moves by STEP a tick at most, evenly within the tick: it comes, goes and changes without a click.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.frames import EAR_SAMPLES, LINE_SAMPLES, Pcm

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]

NONE = -1
STEP = 0.05
"""Of full volume, in 20 ms: from nothing to the usual 0.15 in 60 ms."""
_APART = 37
"""Ticks by which two neighbouring rows are apart in a loop, so that two calls side by side do not hear the same keystroke."""


@dataclass(frozen=True, slots=True)
class Loops:
    """Loops one after the other. narrow: int16, (frames, 160), 8 kHz; wide: int16, (frames, 320), 16 kHz, the same.

    first, length: int64, (sounds,), in frames: where each begins, and how long it is.
    """

    narrow: Pcm
    wide: Pcm
    first: NDArray[np.int64]
    length: NDArray[np.int64]

    @classmethod
    def none(cls) -> Loops:
        """Nothing to play."""
        return cls.over((), np.zeros(0, np.int16))

    @classmethod
    def over(cls, lengths: Sequence[int], pcm: Pcm) -> Loops:
        """Views of one run of samples, int16, (frames * 480,): all of 16 kHz, then all of 8 kHz. lengths: of each sound, in frames."""
        length = np.array(lengths, np.int64)
        frames = int(length.sum())
        wide = pcm[: frames * EAR_SAMPLES].reshape(-1, EAR_SAMPLES)
        narrow = pcm[frames * EAR_SAMPLES :].reshape(-1, LINE_SAMPLES)
        return cls(narrow, wide, np.cumsum(length) - length, length)


class BackgroundRows:
    """Which sound each row has, and how loud it is. `any` says whether a row has one."""

    def __init__(self, rows: int, loops: Loops) -> None:
        self.any = False
        self._loops = loops
        self._rows = np.zeros(0, np.intp)
        self._sound = np.full(rows, NONE, np.int64)
        self._next = np.full(rows, NONE, np.int64)
        self._volume = np.zeros(rows, np.float32)
        self._from = np.zeros(rows, np.float32)
        self._to = np.zeros(rows, np.float32)
        self._cell = np.zeros(rows, np.int64)
        self._heard = np.zeros(0, np.intp)
        self._rise = {size: np.arange(1, size + 1, dtype=np.float32) / size for size in (LINE_SAMPLES, EAR_SAMPLES)}

    def set(self, row: int, sound: int, volume: float) -> None:
        """What the row has from the next tick on: the number of a sound, or NONE; volume: 0–1. One that it has fades away first."""
        known = 0 <= sound < len(self._loops.length)
        self._next[row] = sound if known else NONE
        self._volume[row] = volume if known else 0
        self._count()

    def close_row(self, row: int) -> None:
        """The row has nothing, from now on."""
        self._sound[row] = self._next[row] = NONE
        self._from[row] = self._to[row] = self._volume[row] = 0
        self._count()

    def step(self, tick: int, sends: Bools, bridged: Bools) -> None:
        """On to this tick. sends: (rows,), what is mixed leaves; bridged: (rows,), two people talk: no sound of ours is under that."""
        rows = self._rows
        start = np.where(sends[rows], self._to[rows], 0)
        changing = start == 0
        self._sound[rows[changing]] = self._next[rows[changing]]
        stays = sends[rows] & ~bridged[rows] & (self._sound[rows] == self._next[rows])
        goal = np.where(stays, self._volume[rows], 0)
        end = np.where(sends[rows], start + np.clip(goal - start, -STEP, STEP), 0)
        self._from[rows], self._to[rows] = start, end
        self._heard = rows[(start > 0) | (end > 0)]
        sound = self._sound[self._heard]
        loops = self._loops
        self._cell[self._heard] = loops.first[sound] + (tick + self._heard * _APART) % loops.length[sound]
        if (self._next[rows] == NONE).any():
            self._count()

    def mix(self, pcm: Pcm, among: Rows | None = None) -> None:
        """Add this tick's sounds, with saturation, in place. pcm: int16, (rows, 160) or (rows, 320). among: only to
        these rows."""
        rows = self._heard if among is None else self._heard[np.isin(self._heard, among)]
        if not rows.size:
            return
        samples = pcm.shape[1]
        loops = self._loops.narrow if samples == LINE_SAMPLES else self._loops.wide
        start, end = self._from[rows][:, None], self._to[rows][:, None]
        level = end if np.array_equal(start, end) else start + (end - start) * self._rise[samples]
        mixed = loops[self._cell[rows]] * level
        mixed += pcm[rows]
        np.rint(mixed, out=mixed)
        pcm[rows] = np.clip(mixed, -32768, 32767, out=mixed)

    def _count(self) -> None:
        """Rows that have a sound, or are to have one, or of which one has yet to fade away."""
        self._rows = np.flatnonzero((self._next != NONE) | (self._to > 0))
        self.any = bool(self._rows.size)
