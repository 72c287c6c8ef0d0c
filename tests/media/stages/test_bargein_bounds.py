"""The settings of barge-in at their bounds, on the timeline of the VAD's frames: `frameActivationThreshold` and `postSpeechCooldown`."""

from __future__ import annotations

import numpy as np
import pytest

from media.bargein import COOLDOWN_RISE, BargeInRows
from media.frames import BargeIn

QUIET_LINE = 0.02
"""What the detector says at most of a line on which nobody speaks."""
JUST = 0.001


class Row:
    """One row, whose frames are probabilities: one a tick."""

    def __init__(self, threshold: float, cooldown_ms: int = 0) -> None:
        self.rows = BargeInRows(1)
        self.rows.open_row(0, BargeIn(threshold=threshold, cooldown_ms=cooldown_ms))
        self.now = 0

    def hears(self, probability: float, speaking: bool = False) -> bool:
        """A frame. Whether the caller speaks, by it."""
        self.now += 1
        one = np.array([True])
        self.rows.step(
            self.now, np.array([probability], np.float32), one, np.array([256 * self.now]), np.array([speaking])
        )
        return bool(self.rows.speech[0])


@pytest.mark.parametrize(
    ("threshold", "begins", "ends"),
    [
        # The bounds of the contract are 0 and 1; a line that is always speech, or never, would be no telephone.
        (0.0, 0.05, 0.025),
        (0.05, 0.05, 0.025),
        (0.1, 0.1, 0.05),
        (0.35, 0.35, 0.2),
        (0.95, 0.95, 0.8),
        (1.0, 0.95, 0.8),
    ],
)
def test_speech_begins_above_the_threshold_and_always_ends(threshold: float, begins: float, ends: float) -> None:
    row = Row(threshold)
    assert not row.hears(QUIET_LINE)
    assert not row.hears(begins - JUST)
    assert row.hears(begins + JUST)
    assert row.hears(ends + JUST)
    assert not row.hears(ends - JUST)


@pytest.mark.parametrize("cooldown_ms", [0, 20, 400, 5000])
def test_the_echo_guard_lasts_as_long_as_it_is_set(cooldown_ms: int) -> None:
    weak, ticks = 0.5 + COOLDOWN_RISE - JUST, cooldown_ms // 20
    row = Row(0.5, cooldown_ms)
    row.hears(0.0, speaking=True)
    for _ in range(ticks):
        assert not row.hears(weak)
    assert row.hears(weak)
    row = Row(0.5, cooldown_ms)
    row.hears(0.0, speaking=True)
    assert row.hears(weak + 2 * JUST)


@pytest.mark.parametrize("threshold", [0.8, 0.95, 1.0])
def test_the_echo_guard_never_makes_it_easier_to_be_heard(threshold: float) -> None:
    """A threshold near the highest is not lowered by being raised."""
    row = Row(threshold, cooldown_ms=400)
    row.hears(0.0, speaking=True)
    assert not row.hears(0.95 - JUST)
    assert row.hears(0.95 + JUST)


def test_while_the_agent_speaks_the_threshold_is_the_one_that_is_set() -> None:
    """The guard is for what comes after the voice: over it, the echo judge decides."""
    row = Row(0.5, cooldown_ms=5000)
    row.hears(0.0, speaking=True)
    assert row.hears(0.5 + JUST, speaking=True)
