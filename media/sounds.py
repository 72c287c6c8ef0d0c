"""The background sounds that come with the server, made of numbers: rooms with people, keyboards, cups and rain in them.

Every sound is made over the whole loop at once, of spectra and of sparse beats convolved round the loop, so that its end goes on at
its beginning of itself. The people are no recordings, and say nothing: waves with the formants of vowels, at the pace
of syllables, far away and with the room's echo.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.frames import EAR_RATE, Pcm

SECONDS = 16
RMS = 32768 * 10 ** (-26 / 20)
"""A sound at volume 1 is as loud as speech on the line: 26 dB below full scale (ITU-T P.56)."""

_SAMPLES = SECONDS * EAR_RATE
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (530, 1840, 2480))
_HIGHEST = 3600.0
_PERIOD = 1024
_VOICES = 5

Wave = NDArray[np.float32]
Chance = np.random.Generator


def built_in() -> dict[str, Pcm]:
    """Every sound by its name: int16, (samples,), 16 kHz, RMS as that of speech."""
    chance = np.random.default_rng(1)
    voices = [_voice(chance) for _ in range(_VOICES)]
    room = _room(chance)
    made = {
        "office": room + 0.5 * _people(chance, voices, 5, 0.5) + 0.4 * _keyboards(chance, 3.0),
        "call-centre": 0.5 * room + _people(chance, voices, 12, 0.3) + 0.3 * _keyboards(chance, 6.0),
        "cafe": 0.4 * room + _people(chance, voices, 9, 0.7) + 0.3 * _cups(chance),
        "rain": _rain(chance),
        "room-tone": room,
    }
    return {name: level(wave) for name, wave in made.items()}


def level(wave: NDArray[Any]) -> Pcm:
    """A sound at the level of RMS, or as near to it as its peaks allow. Returns int16."""
    wave = wave.astype(np.float32)
    loud, peak = float(np.sqrt(np.mean(np.square(wave)))), float(np.abs(wave).max(initial=0))
    factor = min(RMS / loud, 32767 / peak) if loud > 0 else 0.0
    return np.asarray(np.rint(wave * np.float32(factor)), np.int16)


def _room(chance: Chance) -> Wave:
    """Air that is moved somewhere: a noise that falls by 6 dB an octave above 250 Hz."""
    return _noise(chance, 1 / (1 + (_frequencies() / 250) ** 2) ** 0.5)


def _rain(chance: Chance) -> Wave:
    """A hiss that swells, and drops."""
    hiss = _noise(chance, _frequencies() ** 0.25 / (1 + (_frequencies() / 3500) ** 2))
    drops = _beats(chance, 90.0, 1.0, _struck(0.004, (2600, 3900), 0.0006))
    return np.asarray(hiss * (1 + 0.25 * _slow(chance, 0.4)) + 0.4 * drops, np.float32)


def _keyboards(chance: Chance, rate: float) -> Wave:
    """Keys in bursts: each has a click, and the knock of the table."""
    typing = np.maximum(_slow(chance, 0.5), 0)
    keys = _beats(chance, 3 * rate, 0.6, _struck(0.02, (1900, 3100, 700), 0.003))
    return keys * typing


def _cups(chance: Chance) -> Wave:
    """Porcelain, now and then."""
    return _beats(chance, 0.7, 1.0, _struck(0.25, (2350, 3720, 5230), 0.05))


def _people(chance: Chance, voices: Sequence[Wave], count: int, nearness: float) -> Wave:
    """So many who talk, in the room's echo. nearness: 0–1, how much of them comes straight.

    A voice may be there more than once, at another place in the loop: nobody can tell, and it is made once.
    """
    talk = np.zeros(_SAMPLES, np.float32)
    for number in range(count):
        talk += np.roll(voices[number % len(voices)], int(chance.integers(_SAMPLES)))
    tail = np.zeros(_SAMPLES, np.float32)
    size = EAR_RATE * 2 // 5
    tail[:size] = chance.standard_normal(size) * np.exp(-np.arange(size) / (size / 6)) * (1 - nearness) * 0.05
    tail[0] = nearness
    heard = np.fft.rfft(talk) * np.fft.rfft(tail) / (1 + (_frequencies() / 1800) ** 2)
    return _even(np.fft.irfft(heard, _SAMPLES))


def _voice(chance: Chance) -> Wave:
    """One who talks in sentences: vowels that pass into each other, about four a second, with pauses."""
    pitch = chance.uniform(95, 215)
    cycles = np.cumsum(pitch * (1 + 0.1 * _slow(chance, 1.5))) / EAR_RATE
    cycles *= round(cycles[-1]) / cycles[-1]
    place = (cycles % 1 * _PERIOD).astype(np.intp)
    syllables = round(4.2 * SECONDS)
    said = chance.integers(0, len(_VOWELS), syllables)
    said[chance.random(syllables) < 0.2] = -1
    loud = chance.uniform(0.3, 1.0, syllables)
    wave = np.zeros(_SAMPLES, np.float32)
    for vowel in range(len(_VOWELS)):
        wave += _period(pitch, _VOWELS[vowel])[place] * _over_loop(np.where(said == vowel, loud, 0))
    return np.asarray(wave * np.clip(_slow(chance, 0.25) + 0.6, 0, 1), np.float32)


def _period(pitch: float, formants: tuple[int, ...]) -> Wave:
    """One period of a vowel: harmonics that fall by 6 dB an octave, and rise around the formants."""
    harmonics = np.arange(1, int(_HIGHEST / pitch))
    near = sum(1 / (1 + ((harmonics * pitch - formant) / 90) ** 2) for formant in formants)
    weights = (0.05 + near) / harmonics
    angle = 2 * np.pi * np.arange(_PERIOD)[:, None] / _PERIOD * harmonics
    return np.asarray(np.sin(angle + harmonics**2) @ weights, np.float32)


def _noise(chance: Chance, shape: NDArray[Any]) -> Wave:
    """Noise of this spectrum, (frequencies,), without what lies below 60 Hz."""
    spectrum = np.exp(2j * np.pi * chance.random(len(shape))) * shape * (_frequencies() > 60)
    return _even(np.fft.irfft(spectrum, _SAMPLES))


def _beats(chance: Chance, rate: float, spread: float, kernel: Wave) -> Wave:
    """What was struck, so often a second, at random times and with random force."""
    struck = np.zeros(_SAMPLES, np.float32)
    count = round(rate * SECONDS)
    struck[chance.integers(0, _SAMPLES, count)] = np.exp(spread * chance.standard_normal(count) / 2)
    return _even(np.fft.irfft(np.fft.rfft(struck) * np.fft.rfft(kernel, _SAMPLES), _SAMPLES))


def _struck(seconds: float, frequencies: tuple[int, ...], decay: float) -> Wave:
    """Something that rings at these frequencies, and dies away by e in `decay` seconds."""
    times = np.arange(round(seconds * EAR_RATE)) / EAR_RATE
    ring = sum(np.sin(2 * np.pi * frequency * times) for frequency in frequencies)
    return np.asarray(ring * np.exp(-times / decay), np.float32)


def _slow(chance: Chance, rate: float) -> Wave:
    """A curve that wanders between -1 and 1, so often a second."""
    return _over_loop(chance.uniform(-1, 1, max(4, round(rate * SECONDS))))


def _over_loop(points: NDArray[Any]) -> Wave:
    """Values at even distances over the loop, joined by lines, the last one to the first."""
    closed = np.append(points, points[0])
    places = np.linspace(0, len(points), _SAMPLES, endpoint=False)
    return np.asarray(np.interp(places, np.arange(len(closed)), closed), np.float32)


def _even(wave: NDArray[Any]) -> Wave:
    """The wave with a power of 1."""
    return np.asarray(wave / np.sqrt(np.mean(np.square(wave))), np.float32)


@cache
def _frequencies() -> NDArray[Any]:
    return np.fft.rfftfreq(_SAMPLES, 1 / EAR_RATE)
