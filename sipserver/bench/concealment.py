"""What packet loss concealment is worth: recorded speech with lost packets, filled with silence, with repetition, and as we do.

The measure is a distance of spectra, as an ear may see them: windows of 32 ms every 10 ms, 18 critical bands (Bark) from
0 to 4 kHz, the level of each in dB down to 50 dB below the loudest of the recording; the mean of the differences, over all windows
of the call, lost or not. 0 is the same sound, and less is better. It knows nothing of phase, so what is made up need not be the very
samples that were lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.conceal import Concealer
from media.frames import LINE_RATE, LINE_SAMPLES, Pcm
from sipserver.bench.recordings import over_the_line, recordings

RATES = (1, 3, 5, 10, 20)
"""Percent of packets."""
BURST = 3.0
"""Packets in the mean, where losses come in bursts."""

Bools = NDArray[np.bool_]
Method = Callable[[Pcm, Bools], Pcm]
"""What is heard of a call: int16, (n, 160), of which the frames with a flag are lost."""

_WINDOW, _HOP = 256, 80
_BANDS = (0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700)
_DEEPEST = 1e-5
_STARTED = 2
"""The first frames are never lost: nothing could be made of them."""


def bench_concealment(folder: Path, rounds: int = 3, rates: tuple[int, ...] = RATES) -> dict[str, Any]:
    """Lose packets of every recording of `folder`, `rounds` times at each of `rates`, one by one and in bursts of three.

    Returned: for each pattern the distance in dB by method; `cost_us`, the processor time for each lost frame, alone and with 50 in a tick.
    Raises NoRecordings.
    """
    voices = [over_the_line(voice.sound) for voice in recordings(folder)]
    figures: dict[str, Any] = {}
    for name, losses in (("random", lost_at_random), ("bursts", lost_in_bursts)):
        for rate in rates:
            found = {method: [0.0] for method in METHODS}
            for turn in range(rounds):
                for number, frames in enumerate(voices):
                    lost = losses(len(frames), rate / 100, np.random.default_rng([turn, number, rate]))
                    lost[:_STARTED] = False
                    for method, fill in METHODS.items():
                        found[method].append(distance(frames, fill(frames, lost)))
            figures[f"{name}_{rate}_percent"] = {
                method: round(sum(values) / (len(values) - 1), 3) for method, values in found.items()
            }
    return figures | {"cost_us": {str(rows): cost(rows) for rows in (1, 50)}}


def lost_at_random(frames: int, rate: float, chance: np.random.Generator) -> Bools:
    """(frames,), each lost for itself."""
    return chance.random(frames) < rate


def lost_in_bursts(frames: int, rate: float, chance: np.random.Generator) -> Bools:
    """(frames,), by Gilbert's model: a loss is followed by another until the burst is over."""
    over = 1 / BURST
    begins = rate * over / (1 - rate)
    lost, losing = np.zeros(frames, np.bool_), False
    for frame, die in enumerate(chance.random(frames).tolist()):
        losing = die >= over if losing else die < begins
        lost[frame] = losing
    return lost


def silence(frames: Pcm, lost: Bools) -> Pcm:
    """Nothing, where nothing came."""
    return np.where(lost[:, None], 0, frames).astype(np.int16)


def repetition(frames: Pcm, lost: Bools) -> Pcm:
    """The last frame that came, again and again."""
    last = np.maximum.accumulate(np.where(lost, 0, np.arange(len(frames))))
    return frames[last]


def ours(frames: Pcm, lost: Bools) -> Pcm:
    """As a call hears it."""
    concealer = Concealer(1)
    flags = zip(frames[:, None], ~lost[:, None], lost[:, None], strict=True)
    return np.concatenate([concealer.conceal(frame.copy(), have, gone) for frame, have, gone in flags])


METHODS: dict[str, Method] = {"silence": silence, "repetition": repetition, "ours": ours}


def distance(came: Pcm, heard: Pcm) -> float:
    """In dB, of two calls of the same length: int16, (n, 160)."""
    one, other = _bands(came), _bands(heard)
    least = one.max() * _DEEPEST
    return float(np.abs(10 * np.log10((one + least) / (other + least))).mean())


def _bands(frames: Pcm) -> NDArray[np.float64]:
    """The power of every window and band: (windows, 18)."""
    windows = np.lib.stride_tricks.sliding_window_view(frames.reshape(-1).astype(np.float64), _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), axis=1)) ** 2
    starts = np.searchsorted(np.fft.rfftfreq(_WINDOW, 1 / LINE_RATE), _BANDS)
    return np.asarray(np.add.reduceat(power, starts, axis=1), np.float64)


def cost(rows: int, ticks: int = 40) -> float:
    """Microseconds of processor time for each lost frame, where so many calls lose one in a tick; every second tick is lost."""
    concealer, all_, none = Concealer(rows), np.ones(rows, np.bool_), np.zeros(rows, np.bool_)
    frames = np.random.default_rng(1).normal(0, 400, (rows, LINE_SAMPLES)).astype(np.int16)
    best = float("inf")
    for _ in range(5):
        spent = 0.0
        for _ in range(ticks):
            concealer.conceal(frames, all_, none)
            begun = time.thread_time()
            concealer.conceal(frames, none, all_)
            spent += time.thread_time() - begun
        best = min(best, spent)
    return round(best / ticks / rows * 1e6, 1)
