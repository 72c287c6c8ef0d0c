"""Figures of a bench as a table and as pictures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sipserver.bench.plots import pictures, plot
from sipserver.bench.table import table

FIGURES = {
    "calls": 4,
    "calls_per_core": 400,
    "us_per_call_tick": 50.0,
    "stages_us": {"silero": 10.0, "send": 7.5},
    "deviation_ms": {"p50": 0.1, "p99": 1.0, "max": 2.0},
    "media_path": {"clicks": 3, "in_ms": {"p50": 12.0, "p95": 20.0, "max": 21.0}, "out_ms": None},
    "compared": [
        {
            "way": "asyncio",
            "calls": 2,
            "calls_per_core": 200,
            "us_per_call_tick": 100.0,
            "ratio": {"us_per_call_tick": 2.0},
        }
    ],
}


def shown(figures: dict[str, object]) -> list[list[str]]:
    console = Console(width=120, no_color=True)
    with console.capture() as captured:
        console.print(table(figures))
    return [line.split() for line in captured.get().splitlines()]


def test_the_alternative_stands_in_a_column_beside_ours_with_its_ratio() -> None:
    lines = shown(FIGURES)
    assert lines[0] == ["ours", "asyncio"]
    assert ["us_per_call_tick", "50.0", "100.0", "(2.0", "×)"] in lines
    assert ["media_path.in_ms.p95", "20.0"] in lines


def test_without_an_alternative_there_are_names_and_figures_only() -> None:
    assert shown({"calls": 4, "answer_ms": {"p50": 3}}) == [["calls", "4"], ["answer_ms.p50", "3"]]


def test_pictures_are_of_parts_of_times_and_of_what_was_compared() -> None:
    found = {picture.name: picture for picture in pictures(FIGURES)}
    assert list(found) == ["stages_us", "times", "compared_calls_per_core", "compared_us_per_call_tick"]
    assert found["times"].labels == ["deviation_ms", "media_path.in_ms"]
    assert found["times"].series == {"p50": [0.1, 12.0], "p95": [0.0, 20.0], "p99": [1.0, 0.0]}
    assert found["compared_calls_per_core"].series["calls_per_core"] == [400, 200]


def test_pictures_are_files(tmp_path: Path) -> None:
    paths = plot(FIGURES, tmp_path / "plots", "media")
    assert paths[0].name == "media_stages_us.png"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
