"""Noise suppression: steady noise goes down, speech stays, 10 ms late, and no row hears of another."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from media.frames import Pcm
from media.suppress import CHUNK, DELAY_MS, FLOOR, Suppressor
from tests.media.voices import voice

ONE = np.array([0])


def hiss(seconds: float, level: float, seed: int = 1, rate: int = 8000) -> Pcm:
    return np.random.default_rng(seed).normal(0, level, round(seconds * rate)).astype(np.int16)


def through(pcm: Pcm, samples: int = 160) -> Pcm:
    suppressor = Suppressor(1, samples)
    frames = pcm[: len(pcm) // samples * samples].reshape(-1, 1, samples)
    return np.concatenate([suppressor.step(frame, ONE)[0].copy() for frame in frames])


def decibels(pcm: np.ndarray) -> float:
    return float(10 * np.log10((pcm.astype(float) ** 2).mean() + 1e-9))


def spoken(name: str) -> np.ndarray:
    """A recording of the test data at 8 kHz, its root mean square 1500."""
    folder = os.environ.get("ANTIPHON_TEST_DATA")
    if not folder:
        pytest.skip("ANTIPHON_TEST_DATA is not set")
    with wave.open(str(Path(folder, "speech", name))) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    slower = pcm[: len(pcm) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return slower * 1500 / np.sqrt((slower**2).mean())


def distance(clean: np.ndarray, heard: np.ndarray) -> float:
    """Of the frames with speech, how far the speech is above what differs from it: dB, the mean of frames."""
    whole = min(len(clean), len(heard)) // 160 * 160
    speech, error = (part[:whole].reshape(-1, 160) for part in (clean, heard[:whole] - clean[:whole]))
    loud = (speech**2).mean(axis=1) > 1e-3 * (speech**2).mean(axis=1).max()
    ratio = 10 * np.log10((speech[loud] ** 2).sum(axis=1) / ((error[loud] ** 2).sum(axis=1) + 1e-9))
    return float(np.clip(ratio, -10, 35).mean())


@pytest.mark.parametrize("samples", [160, 320])
def test_a_hiss_goes_down_by_what_the_floor_allows_and_no_further(samples: int) -> None:
    pcm = hiss(4, 300, rate=50 * samples)
    quiet = through(pcm, samples)
    last = slice(3 * 50 * samples, None)
    least = 20 * np.log10(FLOOR)
    assert least - 0.5 < decibels(quiet[last]) - decibels(pcm[last]) < -11


def test_a_hum_goes_down() -> None:
    t = np.arange(8 * 8000) / 8000
    hum = sum(np.sin(2 * np.pi * 50 * k * t + k) / k for k in (1, 2, 3, 5, 7))
    pcm = np.rint(400 * hum).astype(np.int16) + hiss(8, 5)
    assert decibels(through(pcm)[-8000:]) < decibels(pcm[-8000:]) - 10


def test_silence_is_silence() -> None:
    assert not through(np.zeros(16000, np.int16)).any()


def test_a_noise_that_jumps_up_is_followed() -> None:
    pcm = np.concatenate([hiss(2, 10), hiss(6, 400, seed=2)])
    assert decibels(through(pcm)[-8000:]) < decibels(pcm[-8000:]) - 9


def test_a_voice_without_noise_passes_ten_milliseconds_late() -> None:
    clean = voice(2)[::2].astype(float)
    late = np.concatenate([np.zeros(8 * DELAY_MS), clean])
    assert distance(late, through(clean.astype(np.int16)).astype(float)) > 12


def test_a_loud_voice_does_not_overflow() -> None:
    square = np.where(np.arange(16000) // 40 % 2, 32767, -32768).astype(np.int16)
    made = through(square)
    wrong = made[800:-80].astype(int) * square[720:-160].astype(int) < 0
    assert wrong.mean() < 0.1


@pytest.mark.parametrize("level", [-10, 0])
def test_recorded_speech_stands_out_more_from_the_noise(level: int) -> None:
    for name in ("002.wav", "0870.wav"):
        speech = np.concatenate([np.zeros(8000), spoken(name)])
        noisy = np.clip(speech + hiss(len(speech) / 8000, 1500 * 10 ** (level / 20)), -32768, 32767).astype(np.int16)
        late = np.concatenate([np.zeros(8 * DELAY_MS), speech])
        assert distance(late, through(noisy).astype(float)) > distance(speech, noisy.astype(float)) + 2


def test_rows_are_heard_as_if_each_were_alone_and_rest_as_long_as_they_like() -> None:
    count = CHUNK + 6
    pcm = np.stack([hiss(1, 200 + 10 * row, seed=row) for row in range(count)])
    pcm[:, 4000:] += (3000 * np.sin(np.arange(4000) / 7)).astype(np.int16)
    among = Suppressor(count)
    made: list[list[np.ndarray]] = [[] for _ in range(count)]
    for tick in range(100):
        # Every row gets a frame every second tick, the even ones and the odd ones in turn.
        rows = np.arange(count)[tick % 2 :: 2]
        frame = pcm[rows, tick // 2 * 160 : tick // 2 * 160 + 160]
        for row, line in zip(rows, among.step(frame, rows), strict=True):
            made[row].append(line.copy())
    steady = Suppressor(count)
    frames = pcm.reshape(count, 50, 160).swapaxes(0, 1)
    together = [steady.step(frame, np.arange(count)).copy() for frame in frames]
    np.testing.assert_array_equal(np.stack([np.concatenate(row) for row in made]), np.concatenate(together, axis=1))
    np.testing.assert_array_equal(np.concatenate(made[CHUNK]), through(pcm[CHUNK]))


def test_a_reset_row_has_no_past() -> None:
    used, fresh = Suppressor(1), Suppressor(1)
    for frame in hiss(1, 2000, seed=3).reshape(-1, 1, 160):
        used.step(frame, ONE)
    used.reset(0)
    for frame in hiss(3, 100, seed=4).reshape(-1, 1, 160):
        np.testing.assert_array_equal(used.step(frame, ONE), fresh.step(frame, ONE))
