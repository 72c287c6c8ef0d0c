"""The bench of loss concealment: its patterns lose what they say, its measure tells what is near, and ours is nearer."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from sipserver.bench.concealment import METHODS, bench_concealment, distance, lost_at_random, lost_in_bursts
from tests.media.voices import RATE, voice


def bursts(lost: np.ndarray) -> np.ndarray:
    """How long each was."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def test_losses_are_as_many_and_as_long_as_they_are_said_to_be() -> None:
    single, many = (losses(20_000, 0.1, np.random.default_rng(1)) for losses in (lost_at_random, lost_in_bursts))
    assert single.mean() == pytest.approx(0.1, abs=0.01)
    assert many.mean() == pytest.approx(0.1, abs=0.015)
    assert bursts(single).mean() == pytest.approx(1.11, abs=0.05)
    assert bursts(many).mean() == pytest.approx(3, abs=0.3)


def test_the_measure_is_nothing_for_the_same_and_grows_with_what_is_missing() -> None:
    frames = voice(2)[::2].reshape(-1, 160)
    one, two = np.arange(len(frames)) == 40, np.isin(np.arange(len(frames)), (40, 60))
    assert distance(frames, frames) == 0
    assert 0 < distance(frames, METHODS["silence"](frames, one)) < distance(frames, METHODS["silence"](frames, two))


def test_repetition_repeats_the_last_frame_that_came() -> None:
    frames = np.arange(6, dtype=np.int16)[:, None].repeat(160, axis=1)
    lost = np.array([False, False, True, True, False, True])
    assert METHODS["repetition"](frames, lost)[:, 0].tolist() == [0, 1, 1, 1, 4, 4]
    assert METHODS["silence"](frames, lost)[:, 0].tolist() == [0, 1, 0, 0, 4, 0]


def test_ours_is_nearer_than_silence_and_repetition(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(voice(4.0).astype("<i2").tobytes())
    figures = bench_concealment(tmp_path, rounds=2, rates=(10,))
    assert figures.pop("cost_us").keys() == {"1", "50"}
    assert figures.keys() == {"random_10_percent", "bursts_10_percent"}
    for found in figures.values():
        assert found["ours"] < found["repetition"]
        assert found["ours"] < found["silence"]
