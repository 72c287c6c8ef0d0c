"""The picture of a call: both voices over time, with turns, keys and the interruption marked."""

from __future__ import annotations

import textwrap
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDES = (("user", "caller", "#1f77b4"), ("assistant", "agent", "#2ca02c"))
MARK_COLOUR = "#d62728"
WIDTH_INCHES, HEIGHT_INCHES, DPI = 16, 6, 110
INCHES_PER_LETTER = 0.072
"""Of the words' font, a little more than the mean: words are broken to fit the time until the same side speaks again."""
CLOSE_MS = 1500
MIN_LETTERS, MAX_LETTERS, MAX_LINES = 6, 34, 6


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
    """Write a PNG. `marks` are (milliseconds, text): keys and where the agent was interrupted. Needs matplotlib (the extra `demo`)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pcm, rate = samples(recording)
    length, peak = max(1.0, len(pcm) / rate), max(1000.0, float(np.abs(pcm.astype(np.int32)).max(initial=0)))
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES))
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, side, (role, name, colour) in zip((upper, lower), (0, 1), SIDES, strict=True):
        _draw_voice(axes, pcm[:, side] / peak, rate, colour)
        axes.set_ylabel(name, color=colour, fontsize=12)
        for index, turn in enumerate(own := [turn for turn in turns if turn.role == role]):
            until = own[index + 1].start_ms / 1000 if index + 1 < len(own) else length
            _draw_turn(axes, turn, until, length, colour)
    _draw_marks(upper, lower, marks)
    upper.set_xlim(0, length)
    upper.tick_params(labelbottom=False)
    lower.set_xlabel("seconds since the answer")
    figure.subplots_adjust(left=0.025, right=0.995, top=0.93, bottom=0.09, hspace=0.05)
    figure.savefig(target, dpi=DPI)


def broken(text: str, letters: int) -> str:
    """Words in lines of so many letters; what is more than `MAX_LINES` lines becomes …"""
    return "\n".join(textwrap.wrap(text, max(MIN_LETTERS, letters), max_lines=MAX_LINES, placeholder=" …"))


def _draw_voice(axes: Axes, side: NDArray[np.float64], rate: int, colour: str) -> None:
    """The voice (−1 to 1) in the upper part, room for words below."""
    envelope = _envelope(side)
    seconds = np.arange(len(envelope)) / rate
    axes.fill_between(seconds, -envelope, envelope, color=colour, linewidth=0)
    axes.set_ylim(-2.1, 1.1)
    axes.set_yticks([])


def _draw_turn(axes: Axes, turn: Turn, until: float, length: float, colour: str) -> None:
    """Shade the stretch, and write what was said below it; `until`: where the side's next words begin."""
    start, end = turn.start_ms / 1000, turn.end_ms / 1000
    axes.axvspan(start, end, color=colour, alpha=0.12, linewidth=0)
    letters = int((until - start) * WIDTH_INCHES * 0.93 / length / INCHES_PER_LETTER)
    text = broken(turn.text + (" ✂" if turn.interrupted else ""), min(letters, MAX_LETTERS))
    axes.annotate(text, (start, -1.1), (3, 0), textcoords="offset points", fontsize=8, va="top", annotation_clip=False)


def _draw_marks(upper: Axes, lower: Axes, marks: Sequence[tuple[int, str]]) -> None:
    """A line through both voices, named above them; close neighbours are named at different heights."""
    height, before = 0, -CLOSE_MS
    for at, text in sorted(marks):
        height = 1 - height if at - before < CLOSE_MS else 0
        before = at
        for axes in (upper, lower):
            axes.axvline(at / 1000, color=MARK_COLOUR, linewidth=1, linestyle="--")
        upper.annotate(
            text,
            (at / 1000, 1),
            (0, 3 + 11 * height),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=MARK_COLOUR,
        )


def _envelope(side: NDArray[np.float64]) -> NDArray[np.float64]:
    width = 80
    padded = np.abs(np.pad(side, (0, -len(side) % width))).reshape(-1, width)
    return np.repeat(padded.max(axis=1), width)[: len(side)]
