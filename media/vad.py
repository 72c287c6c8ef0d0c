"""Voice activity of all calls at once: an energy gate, and behind it Silero on the frames that pass.

A tick brings 20 ms and the model wants 32 ms, so a row is due in 5 of 8 ticks. Rows begin in eight phases: every tick runs an even
share. The gate follows each row's noise floor and lets through what is GATE_DB above it, and 320 ms more; the frame before
the first is given to the model too, for its memory. On speech in noise this loses no onset and halves the work (MEDIA.md section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.frames import EAR_SAMPLES
from media.silero import CONTEXT, FRAME, HIDDEN, Silero, SileroWeights
from media.stopwatch import Lap, Stage, untimed

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

GATE_DB = 4.0
HANGOVER = 10
"""How many frames of 32 ms the gate stays open after the last loud one."""
FLOOR_RISE_DB = 0.03
FLOOR_FALL = 0.2
LOWEST_FLOOR_DB = -70.0
HIGHEST_FIRST_FLOOR_DB = -45.0
"""A call may begin with speech: its level is no floor."""

PHASES = 8
_STEP = 64
_FRAME_STEPS, _TICK_STEPS, _CONTEXT_STEPS = FRAME // _STEP, EAR_SAMPLES // _STEP, CONTEXT // _STEP
_RING = 32
"""Steps of 64 samples kept of each row: two frames, their context, and what waits; a power of 2."""
_FULL_SCALE_DB = 20 * np.log10(32768.0)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the rows' last frames were found to be; overwritten by the next step.

    probability: float32, (rows,), the latest of each row. judged: (rows,), where this step judged a frame. end: int64, (rows,),
    where judged: how many samples at 8 kHz the judged frame of 32 ms ended before the end of what the row has heard.
    """

    probability: Floats
    judged: Bools
    end: NDArray[np.int64]


class Vad:
    """The samples that wait for a full frame, the gate and the model's state, for every row."""

    def __init__(self, rows: int, weights: SileroWeights, lap: Lap = untimed) -> None:
        self._lap = lap
        self._model = Silero(weights, rows)
        self._samples = np.zeros((rows * _RING, _STEP), np.int16)
        # The sum of each step's squares: the level of a frame is known before the frame is gathered.
        self._energy = np.zeros(rows * _RING, np.float32)
        self._loud = np.zeros((rows * _TICK_STEPS, _STEP), np.float32)
        self._narrow = np.zeros(rows, np.bool_)
        self._first = np.arange(rows) * _RING
        # Counted in steps: where the next samples go, and how many wait to be judged.
        self._at = np.zeros(rows, np.intp)
        self._fill = np.zeros(rows, np.intp)
        self._floor = np.zeros(rows, np.float32)
        self._open = np.zeros(rows, np.int64)
        self.probability = np.zeros(rows, np.float32)
        """Of speech, the latest of every row."""
        self._heard = Heard(self.probability, np.zeros(rows, np.bool_), np.zeros(rows, np.int64))
        # For the measurement of the gate: frames that were due, and forward passes that they took.
        self.judged = 0
        self.computed = 0
        for row in range(rows):
            self.reset(row)

    def reset(self, row: int) -> None:
        """The row hears somebody new: silence came before."""
        self._samples[row * _RING : (row + 1) * _RING] = 0
        self._energy[row * _RING : (row + 1) * _RING] = 0
        self._fill[row] = row % PHASES
        self._floor[row] = np.inf
        self._open[row] = 0
        self._heard.probability[row] = 0
        self._model.reset(row)

    def set_narrow(self, row: int, narrow: bool) -> None:
        """Whether the row's audio comes as 8 kHz, in every second sample of what `step` gets: that is judged with less work."""
        self._narrow[row] = narrow

    def step(self, pcm: NDArray[np.int16], heard: Bools | None = None, rows: Rows | None = None) -> Heard:
        """Hear 20 ms more. pcm: int16, (n, 320), 16 kHz, line j of row `rows[j]` (distinct; None: of every row).

        Lines whose `heard` (n,) is false are not heard.
        """
        if heard is not None and not heard.all():
            lines = np.flatnonzero(heard)
            pcm, rows = pcm[lines], lines if rows is None else rows[lines]
        self._append(pcm, rows)
        self._heard.judged[:] = False
        due = np.flatnonzero(self._fill >= _FRAME_STEPS)
        if due.size:
            self._judge(due)
        return self._heard

    def _append(self, pcm: NDArray[np.int16], rows: Rows | None) -> None:
        every = slice(None) if rows is None else rows
        cells = self._cells(every, self._at[every], _TICK_STEPS)
        steps = pcm.reshape(-1, _STEP)
        self._samples[cells.ravel()] = steps
        loud = self._loud[: len(steps)]
        np.copyto(loud, steps)
        self._energy[cells.ravel()] = np.einsum("ij,ij->i", loud, loud)
        self._at[every] += _TICK_STEPS
        self._fill[every] += _TICK_STEPS

    def _cells(self, rows: Rows | slice, start: Rows, steps: int) -> Rows:
        cells: Rows = self._first[rows][:, None] + (start[:, None] + np.arange(steps)) % _RING
        return cells

    def _judge(self, due: Rows) -> None:
        start = self._at[due] - self._fill[due]
        opened, passing = self._gate(due, _level(self._energy.take(self._cells(due, start, _FRAME_STEPS), mode="clip")))
        self._lap(Stage.GATE)
        result = self._heard
        result.probability[due] = 0
        if passing.size:
            # The frames before the first ones are seen with all others, in one batch; only the memory is led through in turn.
            rows = due[np.concatenate([opened, passing])]
            begin = np.concatenate([start[opened] - _FRAME_STEPS, start[passing]])
            seen = self._see(rows, begin)
            if opened.size:
                self._model.advance(due[opened], seen[: opened.size])
            result.probability[due[passing]] = self._model.advance(due[passing], seen[opened.size :])
        self._fill[due] -= _FRAME_STEPS
        result.judged[due] = True
        result.end[due] = self._fill[due] * (_STEP // 2)
        self.judged += due.size
        self.computed += passing.size + opened.size
        self._lap(Stage.SILERO)

    def _see(self, rows: Rows, start: Rows) -> Floats:
        """What the model sees in the frames that begin at `start`. A row may come twice."""
        frames, narrow = self._frames(rows, start), self._narrow[rows]
        if narrow.all():
            return self._model.features_narrow(frames[:, 1::2])
        if not narrow.any():
            return self._model.features(frames)
        seen = np.empty((len(rows), HIDDEN), np.float32)
        seen[narrow] = self._model.features_narrow(frames[narrow, 1::2])
        seen[~narrow] = self._model.features(frames[~narrow])
        return seen

    def _frames(self, rows: Rows, start: Rows) -> NDArray[np.int16]:
        cells = self._cells(rows, start - _CONTEXT_STEPS, _CONTEXT_STEPS + _FRAME_STEPS)
        return self._samples.take(cells, axis=0, mode="clip").reshape(len(rows), CONTEXT + FRAME)

    def _gate(self, rows: Rows, level: Floats) -> tuple[Rows, Rows]:
        """Which lines open the gate now, and which pass it."""
        floor = self._floor[rows]
        floor = np.where(np.isinf(floor), np.minimum(level, HIGHEST_FIRST_FLOOR_DB), floor)
        floor = np.maximum(floor, LOWEST_FLOOR_DB)
        before = self._open[rows]
        after = np.where(level > floor + GATE_DB, HANGOVER, np.maximum(before - 1, 0))
        self._open[rows] = after
        self._floor[rows] = np.where(level < floor, floor + FLOOR_FALL * (level - floor), floor + FLOOR_RISE_DB)
        return np.flatnonzero((before == 0) & (after > 0)), np.flatnonzero(after > 0)


def _level(energy: Floats) -> Floats:
    """The mean power of frames in dB below full scale. energy: float32, (k, 8), of their steps; returns float32, (k,)."""
    power = energy.sum(axis=1) / FRAME
    return np.asarray(10 * np.log10(power + 1e-3) - _FULL_SCALE_DB, np.float32)
