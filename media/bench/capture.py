"""What a caller has received, packet by packet, and what that says about who sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.bench.spread import spread
from media.frames import FRAME_MS
from media.rtp import FRAME_SAMPLES

_FRAME_NS = FRAME_MS * 1_000_000


@dataclass(slots=True)
class Capture:
    """The audio packets of one stream in the order they came. times: nanoseconds of any clock."""

    times: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)

    def add(self, time: int, sequence: int, timestamp: int) -> None:
        """One packet more."""
        self.times.append(time)
        self.sequences.append(sequence)
        self.timestamps.append(timestamp)

    def forget(self) -> None:
        """What came so far was the warm-up."""
        self.times.clear()
        self.sequences.clear()
        self.timestamps.clear()


def summary(captures: Sequence[Capture]) -> dict[str, Any]:
    """Deviation of each packet from its call's best 20 ms grid, RFC 3550 jitter, and what was missing.

    A gap in the sequence is any step that is not one; the timestamps have jumped where they went on by another number of
    samples than the packets between hold.
    """
    deviations, jitters = [], []
    gaps = jumps = packets = 0
    for capture in captures:
        times = np.array(capture.times, np.int64)
        steps = _steps(np.array(capture.sequences, np.uint16))
        gaps += int((steps != 1).sum())
        jumps += int((_steps(np.array(capture.timestamps, np.uint32)) != FRAME_SAMPLES * steps).sum())
        packets += len(times)
        if not len(times):
            continue
        offset = times - np.concatenate(([0], np.cumsum(steps))) * _FRAME_NS
        deviations.append(np.abs(offset - np.median(offset)) / 1e6)
        jitters.append(rfc3550_jitter(np.abs(np.diff(offset)) / 1e6))
    deviation = np.concatenate([np.zeros(0), *deviations])
    return {
        "packets_seen": packets,
        "sequence_gaps": gaps,
        "timestamp_jumps": jumps,
        "deviation_ms": spread(deviation),
        "jitter_ms": round(float(np.median(jitters)), 3) if jitters else None,
    }


def _steps(counter: NDArray[np.uint16] | NDArray[np.uint32]) -> NDArray[np.int64]:
    """From one number to the next, of a counter that wraps round."""
    return np.asarray(counter[1:] - counter[:-1], np.int64)


def rfc3550_jitter(differences: NDArray[np.float64]) -> float:
    """RFC 3550 section 6.4.1. differences: of the transit times of one packet and the next, absolute."""
    jitter = 0.0
    for difference in differences:
        jitter += (float(difference) - jitter) / 16
    return jitter
