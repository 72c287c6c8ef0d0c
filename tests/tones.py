"""Tones, and whether they are heard: how tests know who hears whom.

A tone of its own for every side survives G.711, resampling, lost packets and mixing, and Goertzel's algorithm finds it again:

    peer.say(tone(700, 2.0))
    assert hears(recorded[:, 1], 700)
    assert not hears(recorded[:, 1], 1100)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 8000
AMPLITUDE = 6000
BLOCK_SECONDS = 0.05
"""One look of the ear: 20 Hz wide, and short enough that a lost packet or a drifting clock spoils one look only."""
HEARD = 150.0
"""The amplitude from which on a tone counts as heard: 32 dB below that of `tone`, far above comfort noise."""

Pcm = NDArray[np.int16]


def tone(frequency: float, seconds: float, amplitude: float = AMPLITUDE, rate: int = RATE) -> Pcm:
    """A sine, int16 (seconds * rate,)."""
    time_line = np.arange(round(seconds * rate)) / rate
    return np.asarray(np.rint(amplitude * np.sin(2 * np.pi * frequency * time_line)), np.int16)


def strength(pcm: Pcm, frequency: float, rate: int = RATE) -> float:
    """The amplitude with which a tone is in the median look at these samples, int16 (samples,); 0.0 where there are too few.

    The median: the tone is there for more than half of the time, or it does not count.
    """
    looks = _looks(pcm, frequency, rate)
    return float(np.median(looks)) if looks.size else 0.0


def hears(pcm: Pcm, frequency: float, rate: int = RATE, above: float = HEARD) -> bool:
    """Whether the tone is there for more than half of these samples, int16 (samples,)."""
    return strength(pcm, frequency, rate) > above


def heard_at(pcm: Pcm, frequency: float, rate: int = RATE, above: float = HEARD) -> list[bool]:
    """Whether the tone is there, look by look, BLOCK_SECONDS each."""
    return [bool(look > above) for look in _looks(pcm, frequency, rate)]


def _looks(pcm: Pcm, frequency: float, rate: int) -> NDArray[np.float64]:
    """Goertzel's filter, whose sum is this product, under a Hann window: a loud tone beside this one does not count for it."""
    size = round(BLOCK_SECONDS * rate)
    blocks = np.asarray(pcm[: len(pcm) // size * size], np.float64).reshape(-1, size)
    window = np.hanning(size)
    wave = np.exp(-2j * np.pi * frequency / rate * np.arange(size)) * window
    return np.asarray(np.abs(blocks @ wave) * 2 / window.sum())
