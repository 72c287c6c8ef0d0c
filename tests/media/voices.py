"""A voice of our own for tests of codecs: harmonics of a gliding pitch up to 7 kHz, in syllables."""

from __future__ import annotations

import numpy as np

from media.frames import Pcm

RATE = 16000


def voice(seconds: float = 2.0) -> Pcm:
    """int16, (seconds * 16000,), 16 kHz."""
    time_line = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.7 * time_line)) / RATE
    wave = sum(np.sin(k * phase + k * k) / (1 + (k / 6) ** 1.2) for k in range(1, 40))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * time_line - 1)
    return np.asarray(np.rint(2200 * wave * syllables), np.int16)


def likeness(made: Pcm, original: Pcm) -> float:
    """The correlation of two signals at the lag at which they are most alike: 1 for the same."""
    a, b = made.astype(float), original.astype(float)
    size = len(a) + len(b)
    whole = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    return float(whole.max() / np.sqrt((a**2).sum() * (b**2).sum() + 1e-9))
