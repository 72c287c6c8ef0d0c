"""The picture of a call is a PNG of known size; words are broken to fit their time."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from sipserver.demo.picture import DPI, HEIGHT_INCHES, WIDTH_INCHES, Turn, broken, draw, samples
from tests.sipserver.demo.png import size


def record(path: Path, seconds: float) -> Path:
    time = np.arange(round(seconds * 8000)) / 8000
    pcm = np.stack([8000 * np.sin(time * 900), 4000 * np.sin(time * 500)], axis=1).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm.tobytes())
    return path


def test_samples_are_caller_and_agent(tmp_path: Path) -> None:
    pcm, rate = samples(record(tmp_path / "call.wav", 1.0))
    assert (pcm.shape, pcm.dtype, rate) == ((8000, 2), np.int16, 8000)
    assert abs(pcm[:, 0]).max() > abs(pcm[:, 1]).max()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 6.0])
def test_a_call_of_any_length_is_drawn(seconds: float, tmp_path: Path) -> None:
    turns = [
        Turn("assistant", 0, 2500, "Hello, this is the front desk.", True),
        Turn("user", 2400, 4000, "[key 1] $x$ <&", False),
        Turn("assistant", 4100, 9000, "Goodbye. " * 40, False),
    ]
    target = tmp_path / "call.png"
    draw(record(tmp_path / "call.wav", seconds), turns, [(2500, "barge-in"), (2600, "key 1")], target)
    assert size(target) == (WIDTH_INCHES * DPI, HEIGHT_INCHES * DPI)


def test_words_are_broken_and_too_many_are_cut() -> None:
    assert broken("I can come on Friday.", 12) == "I can come\non Friday."
    assert broken("yes", 0) == "yes"
    lines = broken("and so on " * 50, 20).split("\n")
    assert len(lines) == 6
    assert lines[-1].endswith(" …")
    assert max(map(len, lines)) <= 20
