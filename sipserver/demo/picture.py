"""The picture of a call: both voices over time, with turns, digits and the interruption marked."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of the transcript to be drawn. Milliseconds of the recording."""

    role: str
    start_ms: int
    end_ms: int
    text: str
    interrupted: bool


def samples(path: Path) -> tuple[NDArray[np.int16], int]:
    """A recording's samples, int16, (n, 2): caller, agent; and its rate."""
    with wave.open(str(path), "rb") as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return pcm, file.getframerate()


def draw(recording: Path, turns: Sequence[Turn], marks: Sequence[tuple[int, str]], target: Path) -> None:
    """Write a PNG. `marks` are (milliseconds, text): digits and where the agent was interrupted. Needs matplotlib (the extra `demo`)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pcm, rate = samples(recording)
    figure = Figure(figsize=(16, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    seconds = np.arange(len(pcm)) / rate
    for axis, side, role, colour in zip(axes, (0, 1), ("user", "assistant"), ("#1f77b4", "#2ca02c"), strict=True):
        axis.fill_between(seconds, -_envelope(pcm[:, side]), _envelope(pcm[:, side]), color=colour, linewidth=0)
        axis.set_ylabel("caller" if role == "user" else "agent")
        axis.set_yticks([])
        for turn in turns:
            if turn.role == role:
                _mark_turn(axis, turn, colour)
    for at, text in marks:
        for axis in axes:
            axis.axvline(at / 1000, color="#d62728", linewidth=1, linestyle="--")
        axes[0].annotate(
            text,
            (at / 1000, 1),
            (2, -10),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=8,
            color="#d62728",
        )
    axes[1].set_xlabel("seconds since the answer")
    axes[0].set_xlim(0, max(1.0, len(pcm) / rate))
    figure.savefig(target, dpi=110)


def _envelope(side: NDArray[np.int16]) -> NDArray[np.float64]:
    width = 80
    padded = np.abs(np.pad(side.astype(np.float64), (0, -len(side) % width))).reshape(-1, width)
    return np.repeat(padded.max(axis=1), width)[: len(side)]


def _mark_turn(axis: object, turn: Turn, colour: str) -> None:
    axis.axvspan(turn.start_ms / 1000, turn.end_ms / 1000, color=colour, alpha=0.12)  # type: ignore[attr-defined]
    words = turn.text if len(turn.text) < 34 else turn.text[:32] + "…"
    axis.annotate(  # type: ignore[attr-defined]
        words + (" ✂" if turn.interrupted else ""),
        (turn.start_ms / 1000, 0),
        (2, 3),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=7,
    )
