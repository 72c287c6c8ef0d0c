"""Keys as tones, read by a Fourier transform that has nothing in common with the server's own listener."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from media.frames import Pcm

PAD = ("123A", "456B", "789C", "*0#D")
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)


def dialled(pcm: Pcm, rate: int = 8000) -> list[str]:
    """The keys in it (ITU-T Q.23): sounds of at least 40 ms whose two loudest frequencies are a row's and a column's. int16, (n,)."""
    frame = rate // 50
    keys = [key_of(part, rate) for part in pcm[: len(pcm) // frame * frame].reshape(-1, frame).astype(float)]
    runs = [(key, len(list(frames))) for key, frames in groupby(keys)]
    return [key for key, length in runs if key and length >= 2]


def key_of(frame: NDArray[np.float64], rate: int) -> str:
    """The key that 20 ms hold, or nothing: frequencies by their peaks in a transform to 1 Hz, 14 dB above all else (Q.24: 15)."""
    spectrum = np.abs(np.fft.rfft(frame * np.hanning(len(frame)), rate)) * 160 / len(frame)
    low, high = 600 + int(spectrum[600:1050].argmax()), 1100 + int(spectrum[1100:1750].argmax())
    rest = spectrum.copy()
    for peak in (low, high):
        rest[max(0, peak - 150) : peak + 150] = 0
    if min(spectrum[low], spectrum[high]) < 5 * rest.max() or spectrum[low] < 1000:
        return ""
    row = next((place for place, tone in enumerate(LOW) if abs(low - tone) < 20), None)
    column = next((place for place, tone in enumerate(HIGH) if abs(high - tone) < 20), None)
    return "" if row is None or column is None else PAD[row][column]
