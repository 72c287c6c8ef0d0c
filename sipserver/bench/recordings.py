"""Recorded speech for benches, the noises that are laid over it, and the telephone line in between."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from media.bench.said import Said
from media.codecs.g711 import decode, encode
from media.frames import LINE_RATE, LINE_SAMPLES, Codec, Pcm

Sound = NDArray[np.float64]
"""(n,), samples at 8 kHz, full scale 32768."""

LEVEL = 1500.0
"""Root mean square of the frames with speech in every recording: 27 dB below full scale."""
QUIET = 1e-3
"""Frames 30 dB below the loudest are pauses."""
PAUSE_FRAMES = 125
"""2.5 s, for an agent to go on speaking."""
NOISES = ("white", "hum", "babble")
_RAW_RATE = 16_000
_VOICES = 8


class NoRecordings(Exception):
    """The folder holds no recorded speech."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One person's speech, by the name of its file."""

    name: str
    sound: Sound


def recordings(folder: Path) -> list[Recording]:
    """Every .wav of a folder (16 bits, its first channel) and every .raw (16 bits, 16 kHz). Raises NoRecordings."""
    found = []
    for path in sorted(folder.glob("*")):
        if path.suffix == ".wav":
            with wave.open(str(path)) as file:
                pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")[:: file.getnchannels()]
                found.append(Recording(path.name, _at_line_rate(pcm, file.getframerate())))
        elif path.suffix == ".raw":
            found.append(Recording(path.name, _at_line_rate(np.fromfile(path, "<i2"), _RAW_RATE)))
    if not found:
        raise NoRecordings(f"There is no .wav or .raw in {folder}.")
    return found


def _at_line_rate(pcm: Pcm, rate: int) -> Sound:
    common = gcd(rate, LINE_RATE)
    sound = resample_poly(pcm.astype(np.float64), LINE_RATE // common, rate // common)
    return np.asarray(sound * LEVEL / np.sqrt((_frames(sound)[spoken(sound)] ** 2).mean()), np.float64)


def spoken(sound: Sound, below: float = QUIET) -> NDArray[np.bool_]:
    """Which frames of 20 ms hold speech: (n // 160,). `below`: the power, beside the loudest frame's, under which there is none."""
    power: Sound = (_frames(sound) ** 2).mean(axis=1)
    return np.asarray(power > below * power.max(), np.bool_)


def _frames(sound: Sound) -> Sound:
    return sound[: len(sound) // LINE_SAMPLES * LINE_SAMPLES].reshape(-1, LINE_SAMPLES)


def in_turns(voices: Sequence[Recording]) -> Said:
    """One recording after the other, each behind a pause."""
    frames, turns = 0, []
    parts = []
    for voice in voices:
        pcm, speech = over_the_line(voice.sound), np.flatnonzero(spoken(voice.sound))
        parts += [np.zeros((PAUSE_FRAMES, LINE_SAMPLES), np.int16), pcm]
        turns.append((frames + PAUSE_FRAMES + int(speech[0]), frames + PAUSE_FRAMES + int(speech[-1]) + 1))
        frames += PAUSE_FRAMES + len(pcm)
    return Said(np.concatenate(parts), tuple(turns))


def noise(kind: str, samples: int, chance: np.random.Generator, others: list[Recording]) -> Sound:
    """Noise of one of NOISES with a root mean square of 1: (samples,). Babble is eight of the `others` at once."""
    if kind == "white":
        made = chance.normal(size=samples)
    elif kind == "hum":
        time_line = np.arange(samples) / LINE_RATE
        tones = [
            np.sin(2 * np.pi * 50 * k * time_line + chance.uniform(0, 6)) / k for k in (1, 2, 3, 4, 5, 6, 7, 9, 11)
        ]
        made = np.sum(tones, axis=0) + chance.normal(0, 0.02, samples)
    else:
        voices = [others[chance.integers(len(others))].sound for _ in range(_VOICES)]
        made = np.sum(
            [np.take(one, np.arange(samples) + chance.integers(len(one)), mode="wrap") for one in voices], axis=0
        )
    return np.asarray(made / np.sqrt((made**2).mean()), np.float64)


def over_the_line(sound: Sound) -> Pcm:
    """Through G.711, in whole frames: int16, (n, 160)."""
    whole = np.clip(np.rint(_frames(sound)), -32768, 32767).astype(np.int16)
    return decode(encode(whole, Codec.PCMU), Codec.PCMU)


def segmental(clean: Sound, heard: Sound) -> float:
    """The signal-to-noise ratio of frames with speech, each between -10 and 35 dB, in the mean. Both (n,), aligned."""
    whole = min(len(clean), len(heard))
    speech, error = _frames(clean[:whole]), _frames(heard[:whole] - clean[:whole])
    lines = spoken(clean[:whole])
    ratio = 10 * np.log10((speech[lines] ** 2).sum(axis=1) / ((error[lines] ** 2).sum(axis=1) + 1e-9))
    return float(np.clip(ratio, -10, 35).mean())
