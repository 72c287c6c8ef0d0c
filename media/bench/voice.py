"""A voice made of arithmetic, for callers and agents whose words do not matter."""

from __future__ import annotations

import numpy as np

from media.frames import Pcm

VOICE_SECONDS = 5.0
"""Two sentences of 1.2 s with their pauses: a caller who speaks 48 % of the time, which is much."""


def voice(seconds: float, pitch: float = 120.0) -> Pcm:
    """Something like speech: harmonics under a formant, in syllables, with pauses. int16 (8000 * seconds,)."""
    time_line = np.arange(int(seconds * 8000)) / 8000
    harmonics = np.arange(1, 25)
    strength = 1 / harmonics + 2 * np.exp(-(((harmonics * pitch - 650) / 250) ** 2))
    tone = (np.sin(2 * np.pi * pitch * harmonics[:, None] * time_line) * strength[:, None]).sum(axis=0)
    syllables = np.clip(np.sin(2 * np.pi * 4 * time_line), 0, 1) * (time_line % 2.5 < 1.2)
    noise = np.random.default_rng(1).normal(0, 30, len(time_line))
    return np.asarray(tone * syllables * 2500 + noise, np.int16)
