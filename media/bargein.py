"""Barge-in, decided on the tick: when a caller's speech lowers, stops and gives back the agent's voice.

The agent's voice of a row is in one of three modes, and what the caller does moves it (CONTRACT, "when the agent stops"):

    PLAYING   first frame of speech over the agent's voice        → DUCKED    duck
    DUCKED    the next frame is speech too                        → PAUSED    pause
    DUCKED    it is not                                           → PLAYING   resume
    PAUSED    JUDGE_TICKS are over, the caller is silent,
              and nobody has judged                               → PLAYING   resume
    any       `settle`: the conversation resumed or flushed       → PLAYING

A frame is one of the VAD's, 32 ms. Speech begins above the threshold and ends below it less HYSTERESIS, or below half of it
where that is more, so that it ends at all; what begins within the cooldown after the agent's own voice may be its echo, and has
to be COOLDOWN_RISE more probable. A duck ends when the agent's voice does. After `settle` the speech that was judged moves
nothing any more until it has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.echo import REACH
from media.frames import FRAME_MS, BargeIn

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]

PLAYING, DUCKED, PAUSED = 0, 1, 2

HYSTERESIS = 0.15
COOLDOWN_RISE = 0.2
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.05, 0.95
"""A lower one than this would take the quietest line for speech, and a higher one would never hear anybody."""
JUDGE_TICKS = 100
"""2 s: how long a pause waits for the conversation's verdict."""
FRAME_SAMPLES = 256
"""A frame of the VAD, in samples at 8 kHz."""

_LONG_AGO = -(2**40)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What happened in this tick, bool, (rows,) each; overwritten by the next step.

    resume: the voice is at full strength again, after a duck or a pause. onset: int64, (rows,), where `started`: the position
    of the first frame with speech. offset: where `stopped`: the end of the last one.
    """

    duck: Bools
    pause: Bools
    resume: Bools
    started: Bools
    stopped: Bools
    onset: Longs
    offset: Longs


class BargeInRows:
    """Mode of the agent's voice and speech of the caller, for every row."""

    def __init__(self, rows: int) -> None:
        def flags() -> Bools:
            return np.zeros(rows, np.bool_)

        self.mode = np.zeros(rows, np.int8)
        """PLAYING, DUCKED or PAUSED, of every row."""
        self.speech = flags()
        """Whether the caller speaks, of every row."""
        # `_enabled` is what was set, less the rows that are held.
        self._enabled = flags()
        self._wanted = flags()
        self._held = flags()
        self._threshold = np.ones(rows, np.float32)
        self._lower = np.ones(rows, np.float32)
        self._cooldown = np.zeros(rows, np.int64)
        self._excused = flags()
        self._agent_spoke = np.full(rows, _LONG_AGO, np.int64)
        self._paused_at = np.zeros(rows, np.int64)
        self._reaction = Reaction(
            flags(), flags(), flags(), flags(), flags(), np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        )

    def open_row(self, row: int, settings: BargeIn) -> None:
        """A new call: the caller is silent, the agent's voice is as it is played."""
        self.mode[row] = PLAYING
        self.speech[row] = self._excused[row] = self._held[row] = False
        self._agent_spoke[row] = _LONG_AGO
        self.set(row, settings)

    def set(self, row: int, settings: BargeIn) -> None:
        """How the row reacts from now on. Without `enabled` speech is told and nothing else happens."""
        self._wanted[row] = settings.enabled
        self._enabled[row] = settings.enabled and not self._held[row]
        self._threshold[row] = threshold = min(max(settings.threshold, LOWEST_THRESHOLD), HIGHEST_THRESHOLD)
        self._lower[row] = max(threshold - HYSTERESIS, threshold / 2)
        self._cooldown[row] = -(-settings.cooldown_ms // FRAME_MS)

    def hold(self, row: int) -> bool:
        """Until `release` the caller's speech moves nothing, whatever is set. Returns whether a pause has ended by this."""
        paused = bool(self.mode[row] == PAUSED)
        self._held[row], self._enabled[row] = True, False
        self.mode[row] = PLAYING
        return paused

    def release(self, row: int) -> None:
        """From now on it does again, as it was set; speech that is under way is excused."""
        self._held[row] = False
        self._enabled[row] = self._wanted[row]
        self._excused[row] = self.speech[row]

    def close_row(self, row: int) -> None:
        """Nothing is told of the row until it is opened again."""
        self._enabled[row] = self._wanted[row] = self._held[row] = self.speech[row] = False
        self._threshold[row] = self._lower[row] = 1
        self.mode[row] = PLAYING

    def settle(self, row: int) -> None:
        """The conversation has judged: the voice plays on, or was flushed, and this speech is done with."""
        self.mode[row] = PLAYING
        self._excused[row] = self.speech[row]

    def suspects(self, now: int, probability: NDArray[np.float32], judged: Bools) -> NDArray[np.intp]:
        """Rows where speech is heard that may be an echo: the agent speaks, or has just spoken. Arguments as those of `step`."""
        recent = judged & (now - self._agent_spoke <= REACH)
        return np.flatnonzero(recent & (probability > self._lower))

    def step(self, now: int, probability: NDArray[np.float32], judged: Bools, end: Longs, speaking: Bools) -> Reaction:
        """React to what the VAD found. Every array is (rows,).

        now: the tick. probability: of speech, where `judged`. end: the position of the judged frame's end, samples at 8 kHz.
        speaking: the agent's voice was on the wire in the last packet.
        """
        reaction = self._reaction
        speech = self._hear(now, probability, judged, end, speaking)
        over = judged & speech & speaking & self._enabled & ~self._excused
        np.logical_and(over, self.mode == DUCKED, out=reaction.pause)
        np.logical_and(over, self.mode == PLAYING, out=reaction.duck)
        np.logical_and(self.mode == DUCKED, reaction.stopped | ~speaking | ~self._enabled, out=reaction.resume)
        waited = (self.mode == PAUSED) & (now - self._paused_at >= JUDGE_TICKS)
        np.logical_or(reaction.resume, waited & ~self.speech, out=reaction.resume)
        self._move(now, reaction)
        self._agent_spoke[speaking] = now
        self._excused &= self.speech
        return reaction

    def _hear(self, now: int, probability: NDArray[np.float32], judged: Bools, end: Longs, speaking: Bools) -> Bools:
        reaction = self._reaction
        echo = (now - self._agent_spoke <= self._cooldown) & ~speaking
        first = np.where(echo, np.minimum(self._threshold + COOLDOWN_RISE, HIGHEST_THRESHOLD), self._threshold)
        speech: Bools = probability > np.where(self.speech, self._lower, first)
        np.logical_and(judged & speech, ~self.speech, out=reaction.started)
        np.logical_and(judged & ~speech, self.speech, out=reaction.stopped)
        np.subtract(end, FRAME_SAMPLES, out=reaction.onset)
        np.subtract(end, FRAME_SAMPLES, out=reaction.offset)
        self.speech ^= reaction.started | reaction.stopped
        return speech

    def _move(self, now: int, reaction: Reaction) -> None:
        self.mode[reaction.duck] = DUCKED
        self.mode[reaction.pause] = PAUSED
        self.mode[reaction.resume] = PLAYING
        self._paused_at[reaction.pause] = now
