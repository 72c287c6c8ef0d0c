"""Our forward pass against onnxruntime's, for each published file, on noise and on recorded speech."""

from __future__ import annotations

import importlib.util
import os
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import scipy.signal

from media.resample import Up8to16
from media.silero import CONTEXT, FRAME, Silero, SileroError, find_model, load_weights

FILES = {
    "silero-vad": ("silero_vad", "data/silero_vad.onnx"),
    "faster-whisper": ("faster_whisper", "assets/silero_vad_v6.onnx"),
}


def model_path(name: str) -> Path:
    package, file = FILES[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0]) / file


def recordings() -> list[Path]:
    folder = os.environ.get("ANTIPHON_TEST_DATA")
    if not folder:
        pytest.skip("ANTIPHON_TEST_DATA is not set")
    return sorted(Path(folder, "speech").glob("*.wav"))


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def theirs(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """onnxruntime's model with its state: frames (B, 576) int16 to probabilities (B,)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    if {node.name for node in session.get_inputs()} == {"input", "h", "c"}:
        return _one_stream_each(session)
    state = {}

    def step(frames: np.ndarray) -> np.ndarray:
        wide = (frames / 32768).astype(np.float32)
        before = state.get("state", np.zeros((2, len(wide), 128), np.float32))
        out, state["state"] = session.run(None, {"input": wide, "state": before, "sr": np.array(16000, np.int64)})
        return out[:, 0]

    return step


def _one_stream_each(session: onnxruntime.InferenceSession) -> Callable[[np.ndarray], np.ndarray]:
    state: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def step(frames: np.ndarray) -> np.ndarray:
        probabilities = []
        for k, frame in enumerate((frames / 32768).astype(np.float32)):
            h, c = state.get(k, (np.zeros((1, 1, 128), np.float32),) * 2)
            out, *state[k] = session.run(None, {"input": frame[None], "h": h, "c": c})
            probabilities.append(out.ravel()[0])
        return np.array(probabilities)

    return step


def frames_of(streams: np.ndarray) -> list[np.ndarray]:
    """streams: (B, n) int16, to frames of 512 with the 64 samples before each."""
    padded = np.concatenate([np.zeros((len(streams), CONTEXT), np.int16), streams], axis=1)
    return [padded[:, at : at + CONTEXT + FRAME] for at in range(0, padded.shape[1] - CONTEXT - FRAME + 1, FRAME)]


@pytest.mark.parametrize("name", FILES)
def test_equals_onnxruntime_on_noise(name: str) -> None:
    random = np.random.default_rng(4)
    loud = np.repeat(10 ** random.uniform(0, 4, (5, 20)), FRAME, axis=1)
    colour = np.sin(np.arange(loud.shape[1]) * random.uniform(0.02, 0.5, (5, 1)))
    streams = np.clip(loud * (colour + random.normal(0, 0.3, loud.shape)), -32768, 32767).astype(np.int16)
    # A chunk of two makes the five rows three batches, and no row's state may wander to another.
    model, other, rows = Silero(load_weights(model_path(name)), 5, chunk=2), theirs(model_path(name)), np.arange(5)
    for frames in frames_of(streams):
        np.testing.assert_allclose(model.forward(rows, frames), other(frames), atol=1e-5)


@pytest.mark.parametrize("name", FILES)
def test_equals_onnxruntime_on_recorded_speech(name: str) -> None:
    model, other = Silero(load_weights(model_path(name)), 1), theirs(model_path(name))
    highest = 0.0
    for path in recordings():
        for frames in frames_of(read(path)[None, : 6 * 16000]):
            mine, yours = model.forward(np.array([0]), frames), other(frames)
            np.testing.assert_allclose(mine, yours, atol=1e-5)
            highest = max(highest, float(mine[0]))
    assert highest > 0.9


def test_rows_keep_their_own_memory() -> None:
    weights = load_weights(find_model())
    streams = np.random.default_rng(6).normal(0, 3000, (3, 8 * FRAME)).astype(np.int16)
    together = Silero(weights, 3)
    expected = [together.forward(np.arange(3), frames) for frames in frames_of(streams)]
    apart = Silero(weights, 7)
    places = np.array([5, 0, 3])
    for frames, wanted in zip(frames_of(streams), expected, strict=True):
        for k in (2, 0, 1):
            np.testing.assert_allclose(apart.forward(places[[k]], frames[[k]]), wanted[[k]], atol=1e-6)


def test_a_reset_row_begins_anew() -> None:
    model = Silero(load_weights(find_model()), 1)
    frames = frames_of(np.random.default_rng(7).normal(0, 3000, (1, 4 * FRAME)).astype(np.int16))
    first = [float(model.forward(np.array([0]), frame)[0]) for frame in frames]
    model.reset(0)
    assert [float(model.forward(np.array([0]), frame)[0]) for frame in frames] == first


def test_another_file_is_refused_with_a_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\xff\xff\xffnothing")
    with pytest.raises(SileroError, match="no ONNX file"):
        load_weights(broken)
    empty = tmp_path / "empty.onnx"
    graph = onnx.helper.make_graph([], "nothing", [], [])
    empty.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(SileroError, match="not the Silero VAD model"):
        load_weights(empty)
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "missing.onnx")


def test_audio_of_the_telephone_is_judged_alike_with_less_work() -> None:
    """Recorded speech on a line of 8 kHz, 20 dB above noise: the windows of the samples that came against those of all."""
    weights = load_weights(find_model())
    wide, narrow = Silero(weights, 1), Silero(weights, 1)
    random, rows = np.random.default_rng(8), np.array([0])
    pairs: list[tuple[float, float]] = []
    for path in recordings():
        line = scipy.signal.resample_poly(read(path)[: 6 * 16000].astype(float), 1, 2)
        line += random.normal(0, np.sqrt(np.mean(line**2)) / 10, len(line))
        came = np.clip(line[: len(line) // 160 * 160], -32768, 32767).astype(np.int16).reshape(-1, 160)
        up = Up8to16(1)
        audio = np.concatenate([up.step(frame[None])[0].copy() for frame in came])[None]
        pairs += [
            (wide.forward(rows, frames)[0], narrow.forward_narrow(rows, frames[:, 1::2])[0])
            for frames in frames_of(audio)
        ]
    expected, found = np.array(pairs).T
    assert found.max() > 0.9
    assert np.abs(expected - found).max() < 0.1
    assert np.abs(expected - found).mean() < 0.02
    assert np.mean((expected > 0.5) == (found > 0.5)) > 0.99
