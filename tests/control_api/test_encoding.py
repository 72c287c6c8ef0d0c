"""What is encoded is read back by FFmpeg's decoder: as long as it was, the two sides still apart."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from control_api.encoding import RecordingUnreadable, encoded

RATE = 8000
SECONDS = 3


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    t = np.arange(RATE * SECONDS) / RATE
    left = (8000 * np.sin(2 * np.pi * 440 * t)).astype("<i2")
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    path = tmp_path / "call.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(stereo.tobytes())
    return path


def _decoded(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16p", "stereo", RATE)
        parts = [out.to_ndarray() for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(parts, axis=1), RATE


@pytest.mark.parametrize("name", ["mp3", "ogg", "wav"])
def test_length_and_sides_are_kept(wav: Path, name: str) -> None:
    pcm, rate = _decoded(encoded(wav, name))
    assert pcm.shape[1] / rate == pytest.approx(SECONDS, abs=0.15)
    loud, quiet = np.abs(pcm.astype(float)).mean(axis=1)
    assert loud > 3000
    assert quiet < 300


def test_it_is_made_once(wav: Path) -> None:
    first = encoded(wav, "mp3")
    stamp = first.stat().st_mtime_ns
    assert encoded(wav, "mp3").stat().st_mtime_ns == stamp
    assert sorted(path.name for path in wav.parent.iterdir()) == ["call.mp3", "call.wav"]


def test_no_recording(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        encoded(tmp_path / "call.wav", "mp3")


def test_a_damaged_recording_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"not a recording")
    with pytest.raises(RecordingUnreadable):
        encoded(path, "mp3")
    assert [file.name for file in tmp_path.iterdir()] == ["call.wav"]
