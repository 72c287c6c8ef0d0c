"""The bench of noise suppression on a voice of our own: the figures are there, and say what they should."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from sipserver.bench.noise import bench_noise
from sipserver.bench.recordings import LEVEL, NOISES, NoRecordings, noise, over_the_line, recordings, segmental, spoken
from tests.media.voices import RATE, voice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(voice(1.0).astype("<i2").tobytes())
    return tmp_path


def test_a_voice_in_noise_is_measured_in_each_noise(folder: Path) -> None:
    figures = bench_noise(folder, recogniser=False, ratios=(10,))
    assert set(figures) == {f"{kind}_10_db" for kind in NOISES} | {"cost_us"}
    for kind in ("white", "hum"):
        off, on = figures[f"{kind}_10_db"]["snr_db"]
        assert on > off + 1
        assert figures[f"{kind}_10_db"]["pause_db"] < -9
    assert all(figures["cost_us"].values())


def test_a_recording_comes_at_the_level_of_all_and_through_g711(folder: Path) -> None:
    [found] = recordings(folder)
    frames = found.sound[: len(found.sound) // 160 * 160].reshape(-1, 160)
    assert np.sqrt((frames[spoken(found.sound)] ** 2).mean()) == pytest.approx(LEVEL)
    assert segmental(found.sound, over_the_line(found.sound).reshape(-1).astype(float)) > 30


@pytest.mark.parametrize("kind", NOISES)
def test_a_noise_has_the_power_that_it_is_to_have(folder: Path, kind: str) -> None:
    made = noise(kind, 8000, np.random.default_rng(1), recordings(folder))
    assert len(made) == 8000
    assert (made**2).mean() == pytest.approx(1)


def test_a_folder_without_recordings_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(NoRecordings, match="There is no"):
        bench_noise(tmp_path)
