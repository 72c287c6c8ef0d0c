"""Silero VAD for many calls at once: the forward pass of its 16 kHz model in numpy, on the weights of its ONNX file.

Two published forms of the model are read by the structure of their graphs: `silero_vad.onnx` of the package silero-vad, and
`silero_vad_v6.onnx` inside faster-whisper (other weights, same shapes). Both are MIT licensed. onnxruntime's loop over one call
costs 4 to 10 times what the batch costs here (MEDIA.md section 3).

A frame is 512 samples at 16 kHz (32 ms), preceded by the 64 samples before it:

    576 samples, 64 more by reflection → 4 windows of 256 (Hann) → magnitudes of 129 frequencies
    → convolutions over time, 3 taps each: 128, 64 (stride 2), 64 (stride 2), 128 channels → LSTM of 128 → a probability

Of audio that came as 8 kHz every second sample is one that came, and what `media.resample` made between them is known of its
filter: the magnitude at a frequency above 4 kHz is that at its mirror image below, as far as the filter lets it through. So windows
of 128 of the samples that came give all magnitudes, the first convolution takes each with its image in one weight, and a fifth
of the work is saved (`forward_narrow`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from media.resample import response

FRAME = 512
CONTEXT = 64
WINDOW = 256
WINDOWS = 4
BINS = WINDOW // 2 + 1
NARROW_BINS = WINDOW // 4 + 1
HIDDEN = 128
CHUNK = 256
"""Calls computed together at most. The weights (0.9 MB) come from the cache once for each chunk, and the scratch must not push them out."""

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

_FILES = (("silero_vad", "data/silero_vad.onnx"), ("faster_whisper", "assets/silero_vad_v6.onnx"))
_FULL_SCALE = 32768


class SileroError(ValueError):
    """There is no model file, or it is not the model that this module computes; the text says why."""


@dataclass(frozen=True, slots=True)
class SileroWeights:
    """float32. Convolutions: (3 taps, inputs, outputs), biases (outputs,). LSTM: gates i, f, g, o; (128 + 128 inputs, 512)."""

    name: str
    convolutions: tuple[tuple[Floats, Floats], ...]
    lstm: Floats
    lstm_bias: Floats
    output: Floats
    output_bias: float


def find_model() -> Path:
    """The model file of silero-vad where that is installed, else that of faster-whisper. Raises SileroError.

    The packages are looked up, not imported: importing silero_vad needs torch.
    """
    for package, file in _FILES:
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            path = Path(folder) / file
            if path.is_file():
                return path
    raise SileroError("no Silero VAD model: install faster-whisper, or silero-vad with pip install --no-deps")


# -- reading the file -----------------------------------------------------------------------------------------------------


def load_weights(path: Path) -> SileroWeights:
    """Read the 16 kHz model of an ONNX file. Raises SileroError, OSError."""
    import onnx  # Needed once per process, and heavier than all the rest of this module.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        graph = onnx.load(str(path)).graph
    except DecodeError as error:
        raise SileroError(f"{path.name} is no ONNX file") from error
    try:
        return _Reader(graph).weights(path.name)
    except (KeyError, IndexError, ValueError) as error:
        raise SileroError(f"{path.name} is not the Silero VAD model at 16 kHz: {error}") from error


class _Reader:
    """Walks the nodes of the graph, or of its 16 kHz branch, in order."""

    def __init__(self, graph: Any) -> None:
        self._tensors: dict[str, NDArray[Any]] = {}
        self._producers: dict[str, Any] = {}
        self._nodes: list[Any] = list(self._walk(graph))

    def weights(self, name: str) -> SileroWeights:
        stft, *encoder, output = [node for node in self._nodes if node.op_type == "Conv"]
        _check_stft(self._tensors[stft.input[1]])
        convolutions = tuple(self._convolution(node) for node in encoder)
        shapes = [kernel.shape for kernel, _ in convolutions]
        if shapes != [(3, BINS, 128), (3, 128, 64), (3, 64, 64), (3, 64, 128)]:
            raise ValueError(f"its convolutions are {shapes}")
        lstm = next(node for node in self._nodes if node.op_type == "LSTM")
        gates, bias = self._lstm(lstm.input)
        kernel, offset = (self._tensors[input_] for input_ in output.input[1:3])
        return SileroWeights(name, convolutions, gates, bias, kernel.reshape(HIDDEN), float(offset[0]))

    def _walk(self, graph: Any) -> Iterator[Any]:
        from onnx import numpy_helper

        for tensor in graph.initializer:
            self._tensors[tensor.name] = numpy_helper.to_array(tensor)
        for node in graph.node:
            self._producers.update(dict.fromkeys(node.output, node))
            if node.op_type == "Constant":
                self._tensors[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            yield node
            for branch in self._branches(node):
                yield from self._walk(branch)

    def _branches(self, node: Any) -> list[Any]:
        branches = {attribute.name: attribute.g for attribute in node.attribute if attribute.HasField("g")}
        # The outermost If asks for the rate, and only its 16 kHz branch has a transform of 256 samples.
        wide = [graph for graph in branches.values() if _holds_shape(graph, (2 * BINS, 1, WINDOW))]
        return wide or list(branches.values())

    def _convolution(self, node: Any) -> tuple[Floats, Floats]:
        kernel, bias = (self._tensors[name] for name in node.input[1:3])
        return np.ascontiguousarray(kernel.transpose(2, 1, 0)), bias

    def _lstm(self, inputs: Mapping[int, str]) -> tuple[Floats, Floats]:
        if inputs[1] in self._tensors:
            # The operator's own layout: gates i, o, f, c; both biases in one vector.
            to_torch = np.r_[0:128, 256:384, 384:512, 128:256]
            wide, recurrent = (self._tensors[inputs[k]][0][to_torch] for k in (1, 2))
            bias = self._tensors[inputs[3]].reshape(2, -1).sum(axis=0)[to_torch]
        else:
            # Exported from torch: gates i, f, g, o; the graph cuts and joins the tensors on their way to the operator.
            wide, recurrent = (self._origin(inputs[k], (4 * HIDDEN, HIDDEN))[0] for k in (1, 2))
            bias = np.sum(self._origin(inputs[3], (4 * HIDDEN,)), axis=0)
        return np.ascontiguousarray(np.concatenate([wide.T, recurrent.T])), bias

    def _origin(self, name: str, shape: tuple[int, ...]) -> list[NDArray[Any]]:
        """The distinct tensors of this shape from which the graph makes `name`."""
        found: dict[str, NDArray[Any]] = {}
        todo = [name]
        while todo:
            name = todo.pop()
            if name in self._tensors:
                found.update({name: self._tensors[name]} if self._tensors[name].shape == shape else {})
            elif name in self._producers:
                todo.extend(self._producers[name].input)
        if not found:
            raise KeyError(f"no tensor of shape {shape} leads to its LSTM")
        return list(found.values())


def _holds_shape(graph: Any, shape: tuple[int, ...]) -> bool:
    constants = (node.attribute[0].t for node in graph.node if node.op_type == "Constant")
    return any(tuple(tensor.dims) == shape for tensor in constants)


def _check_stft(basis: NDArray[Any]) -> None:
    # The transform is computed by FFT, so the file's matrix must be that of a Hann window and a Fourier transform.
    phase = 2 * np.pi * np.outer(np.arange(BINS), np.arange(WINDOW)) / WINDOW
    expected = np.concatenate([np.cos(phase), -np.sin(phase)]) * _hann()
    if basis.shape != (2 * BINS, 1, WINDOW) or not np.allclose(basis[:, 0], expected, atol=1e-6):
        raise ValueError("its transform is not the one of a Hann window of 256")


def _hann() -> NDArray[np.float64]:
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return window


# -- computing ------------------------------------------------------------------------------------------------------------


class Silero:
    """The model, its state for every row, and one scratch for all."""

    def __init__(self, weights: SileroWeights, rows: int, chunk: int = CHUNK) -> None:
        self._chunk = chunk
        self._hidden = np.zeros((rows, HIDDEN), np.float32)
        self._cell = np.zeros((rows, HIDDEN), np.float32)
        # The frames come as 16-bit samples; the model knows full scale as 1.
        self._window = (_hann() / _FULL_SCALE).astype(np.float32)
        # Of half the samples the sums are half as large.
        self._narrow_window = np.ascontiguousarray(2 * self._window[1::2])
        (k0, self._b0), (k1, self._b1), (k2, self._b2), (k3, self._b3) = weights.convolutions
        # Windows lie side by side in a line, so the taps of a kernel that fall onto neighbours are one matrix.
        self._k0 = np.ascontiguousarray(k0.reshape(3 * BINS, -1))
        self._narrow_k0 = np.ascontiguousarray(_with_images(k0).reshape(3 * NARROW_BINS, -1))
        self._k1 = np.ascontiguousarray(k1.reshape(3 * 128, -1))
        # One window is left after two strides: the outer taps meet padding only.
        self._k2 = np.ascontiguousarray(k2[1:].reshape(2 * 64, -1))
        self._k3 = np.ascontiguousarray(k3[1])
        # tanh x is twice the logistic function of 2x, less 1, so one function serves all four gates; and because that
        # is 1 / (1 + exp(-x)), the weights carry its sign.
        scale = np.repeat(np.array([-1, -1, -2, -1], np.float32), HIDDEN)
        self._lstm, self._lstm_bias = weights.lstm * scale, weights.lstm_bias * scale
        self._output, self._output_bias = -weights.output, np.float32(-weights.output_bias)
        self._allocate(chunk)

    def _allocate(self, chunk: int) -> None:
        def scratch(*shape: int) -> Floats:
            return np.zeros((chunk, *shape), np.float32)

        self._samples = scratch(CONTEXT + FRAME + CONTEXT).reshape(-1)
        self._windows = scratch(WINDOWS * WINDOW).reshape(-1)
        self._magnitude = scratch(WINDOWS * BINS).reshape(-1)
        self._e0, self._e1, self._e2 = scratch(4 * 128), scratch(2 * 64), scratch(64)
        self._into, self._gates, self._state = scratch(2 * HIDDEN), scratch(4 * HIDDEN), scratch(HIDDEN)

    def reset(self, row: int) -> None:
        """The row hears somebody new."""
        self._hidden[row] = self._cell[row] = 0

    def forward(self, rows: Rows, frames: NDArray[np.int16]) -> Floats:
        """One frame of each of `rows`: (k,), distinct. frames: (k, 576), int16, 16 kHz: 64 samples of context, then the frame.

        Returns the probability of speech: float32, (k,).
        """
        return self.advance(rows, self.features(frames))

    def forward_narrow(self, rows: Rows, frames: NDArray[np.int16]) -> Floats:
        """The same of audio that came as 8 kHz. frames: (k, 288), int16, the samples that came."""
        return self.advance(rows, self.features_narrow(frames))

    def features(self, frames: NDArray[np.int16]) -> Floats:
        """What the model sees in frames, without memory: float32, (k, 128). Small batches cost nearly as much as large ones."""
        return self._in_parts(frames, self._window, self._k0)

    def features_narrow(self, frames: NDArray[np.int16]) -> Floats:
        """The same of audio that came as 8 kHz, frames as in `forward_narrow`."""
        return self._in_parts(frames, self._narrow_window, self._narrow_k0)

    def _in_parts(self, frames: NDArray[np.int16], window: Floats, k0: Floats) -> Floats:
        features = np.empty((len(frames), HIDDEN), np.float32)
        for lines in self._parts(len(frames)):
            self._encode(self._spectrum(frames[lines], window), k0, out=features[lines])
        return features

    def _parts(self, count: int) -> Iterator[slice]:
        """As many chunks as needed, of the same size."""
        parts = -(-count // self._chunk)
        return (slice(count * part // parts, count * (part + 1) // parts) for part in range(parts))

    def advance(self, rows: Rows, features: Floats) -> Floats:
        """One step of each of `rows`: (k,), distinct, with what was seen in its frame. Returns the probability: float32, (k,)."""
        probability = np.empty(len(rows), np.float32)
        # exp() of a large number is infinite, and 1 / (1 + inf) the 0 that is meant.
        with np.errstate(over="ignore"):
            for lines in self._parts(len(rows)):
                probability[lines] = self._advance(rows[lines], features[lines])
        return probability

    def _advance(self, rows: Rows, features: Floats) -> Floats:
        into = self._into[: len(rows)]
        into[:, :HIDDEN] = features
        np.take(self._hidden, rows, axis=0, out=into[:, HIDDEN:], mode="clip")
        gates = self._gates[: len(rows)]
        np.matmul(into, self._lstm, out=gates)
        gates += self._lstm_bias
        hidden = self._recur(rows, _logistic_of_negative(gates))
        self._hidden[rows] = hidden
        return _logistic_of_negative(np.maximum(hidden, 0, out=hidden) @ self._output + self._output_bias)

    def _recur(self, rows: Rows, gates: Floats) -> Floats:
        admit, forget, new, show = (gates[:, part : part + HIDDEN] for part in range(0, 4 * HIDDEN, HIDDEN))
        cell = np.take(self._cell, rows, axis=0, out=self._state[: len(rows)], mode="clip")
        cell *= forget
        # Twice the logistic function less 1, times `admit`.
        new += new
        new *= admit
        new -= admit
        cell += new
        self._cell[rows] = cell
        cell *= -2
        hidden = _logistic_of_negative(cell)
        hidden += hidden
        hidden -= 1
        hidden *= show
        return hidden

    def _spectrum(self, frames: NDArray[np.int16], window: Floats) -> Floats:
        """Magnitudes: float32, (k, 4 * (len(window) // 2 + 1)); the windows overlap by half."""
        k, width, end = len(frames), len(window), frames.shape[1]
        context, bins = width // 4, width // 2 + 1
        samples = self._samples[: k * (end + context)].reshape(k, end + context)
        samples[:, :end] = frames
        samples[:, end:] = samples[:, end - 2 : end - 2 - context : -1]
        step, size = samples.strides
        hops = np.lib.stride_tricks.as_strided(samples, (k, WINDOWS, width), (step, width // 2 * size, size))
        windows = self._windows[: k * WINDOWS * width].reshape(k, WINDOWS, width)
        np.multiply(hops, window, out=windows)
        parts = scipy.fft.rfft(windows, axis=2, overwrite_x=True).view(np.float32)
        np.multiply(parts, parts, out=parts)
        magnitude = self._magnitude[: k * WINDOWS * bins].reshape(k, WINDOWS * bins)
        np.add(parts[:, :, ::2], parts[:, :, 1::2], out=magnitude.reshape(k, WINDOWS, bins))
        return np.sqrt(magnitude, out=magnitude)

    def _encode(self, spectrum: Floats, k0: Floats, out: Floats) -> None:
        k, bins = len(spectrum), len(k0) // 3
        e0, e1, e2 = self._e0[:k], self._e1[:k], self._e2[:k]
        np.matmul(spectrum[:, : 2 * bins], k0[bins:], out=e0[:, :128])
        np.matmul(spectrum[:, : 3 * bins], k0, out=e0[:, 128:256])
        np.matmul(spectrum[:, bins:], k0, out=e0[:, 256:384])
        np.matmul(spectrum[:, 2 * bins :], k0[: 2 * bins], out=e0[:, 384:])
        _bias_and_relu(e0.reshape(4 * k, 128), self._b0)
        np.matmul(e0[:, :256], self._k1[128:], out=e1[:, :64])
        np.matmul(e0[:, 128:], self._k1, out=e1[:, 64:])
        _bias_and_relu(e1.reshape(2 * k, 64), self._b1)
        _bias_and_relu(np.matmul(e1, self._k2, out=e2), self._b2)
        np.matmul(e2, self._k3, out=out)
        _bias_and_relu(out, self._b3)


def _with_images(kernel: Floats) -> Floats:
    """The kernel (3, 129, n) for magnitudes below 4 kHz (3, 65, n): each weight with that of the frequency's image above."""
    passed = (kernel * response(WINDOW)[:, None]).astype(np.float32)
    narrow = passed[:, :NARROW_BINS].copy()
    narrow[:, :-1] += passed[:, : NARROW_BINS - 1 : -1]
    return narrow


def _logistic_of_negative(values: Floats) -> Floats:
    """1 / (1 + exp(values)), in place: three quick passes, where a tanh costs twice as much."""
    np.exp(values, out=values)
    values += 1
    return np.reciprocal(values, out=values)


def _bias_and_relu(values: Floats, bias: Floats) -> None:
    values += bias
    np.maximum(values, 0, out=values)
