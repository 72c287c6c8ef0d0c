"""When the voice detector by itself finds a caller: without packets, without the tick, and wherever its frames happen to begin.

Each recording lies behind two seconds of a line's faint noise, through G.711 and brought to 16 kHz as on a call. Eight detectors hear it,
whose frames of 32 ms begin 4 ms after each other's. What a call takes longer is the tick's, or the wire's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.frames import EAR_RATE, LINE_RATE, LINE_SAMPLES, BargeIn, Pcm
from media.resample import Up8to16
from media.silero import CONTEXT, FRAME, Silero, SileroWeights, find_model, load_weights
from sipserver.bench.recordings import Sound, over_the_line, spoken

FAINT = 5.0
"""Root mean square of the noise on a line."""
PLACES = 8
_BEFORE = 2 * LINE_RATE
_LONGEST = LINE_RATE
"""What is not found in so many samples is not found."""
_LOUD = 10**-1.5
"""15 dB below the loudest."""
THRESHOLD = BargeIn().threshold
Found = NDArray[np.float64]
"""Milliseconds from the onset, one of each place at which a detector found it: (n,)."""


def onset_of(sound: Sound) -> int:
    """The sample at which the first 20 ms begin that are within 30 dB of the loudest."""
    return int(np.argmax(spoken(sound))) * LINE_SAMPLES


def loud_after(sound: Sound) -> int:
    """How many milliseconds after its onset a sound comes within 15 dB of its loudest."""
    return (int(np.argmax(spoken(sound, _LOUD))) * LINE_SAMPLES - onset_of(sound)) * 1000 // LINE_RATE


def detector_alone(sound: Sound, threshold: float = THRESHOLD) -> dict[str, Any]:
    """From the onset to the end of the first frame with speech, and of the second in a row: mean, earliest and latest, in ms."""
    first, second = detected(sound, threshold)
    return {"first_ms": spread(first), "second_ms": spread(second)}


def detected(sound: Sound, threshold: float) -> tuple[Found, Found]:
    """When frames are speech: the first one, and the second in a row; where no detector found it, nothing."""
    onset = onset_of(sound)
    line, model = _line(sound[: onset + _LONGEST]), Silero(_weights(), PLACES)
    starts = np.arange(PLACES) * FRAME // PLACES + CONTEXT
    rows, ends, speech = np.arange(PLACES), [], []
    while starts[-1] + FRAME <= len(line):
        frames = line[starts[:, None] + np.arange(-CONTEXT, FRAME)]
        speech.append(model.forward(rows, frames) > threshold)
        starts = starts + FRAME
        ends.append((starts * 1000 / EAR_RATE) - (_BEFORE + onset) * 1000 / LINE_RATE)
    after = np.array(ends) > 0
    one = np.array(speech) & after
    two = one.copy()
    two[1:] &= one[:-1]
    two[0] = False
    return _firsts(one, np.array(ends)), _firsts(two, np.array(ends))


@cache
def _weights() -> SileroWeights:
    return load_weights(find_model())


def _firsts(is_it: NDArray[np.bool_], ends: Found) -> Found:
    found = np.flatnonzero(is_it.any(axis=0))
    firsts: Found = ends[is_it[:, found].argmax(axis=0), found]
    return firsts


def spread(found: Found) -> dict[str, int] | None:
    """None where there is nothing."""
    if not found.size:
        return None
    return {"mean": round(found.mean()), "earliest": round(found.min()), "latest": round(found.max())}


def _line(sound: Sound) -> Pcm:
    """int16, (n,), 16 kHz."""
    heard = np.random.default_rng(3).normal(0, FAINT, _BEFORE + len(sound))
    heard[_BEFORE:] += sound
    up = Up8to16(1)
    return np.concatenate([up.step(frame[None])[0].copy() for frame in over_the_line(heard)])
