"""Figures of a bench as pictures: what each part takes, how times are spread, and what the alternative makes of the same core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PARTS = {"stages_us": "µs per call and tick", "core_per_call": "core per call"}
_SIZE = (8.0, 4.5)


class NoPlots(Exception):
    """matplotlib is not installed."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Horizontal bars, one for each label and each of the `series`, by name."""

    name: str
    unit: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]


def need_plots() -> None:
    """Before anything is measured. Raises NoPlots."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise NoPlots("Plots need matplotlib: pip install 'antiphon[demo]'.") from None


def plot(figures: Mapping[str, Any], folder: Path, bench: str) -> list[Path]:
    """Draw what there is to draw, as PNG files in `folder`, which is made if need be. Raises NoPlots, OSError."""
    need_plots()
    folder.mkdir(parents=True, exist_ok=True)
    return [_draw(picture, folder / f"{bench}_{picture.name}.png") for picture in pictures(figures)]


def pictures(figures: Mapping[str, Any]) -> Iterator[Picture]:
    """Parts of a whole, spreads in milliseconds, and ours beside the alternatives."""
    for name, unit in _PARTS.items():
        if isinstance(parts := figures.get(name), Mapping):
            yield Picture(name, unit, list(parts), {unit: list(parts.values())})
    spreads = dict(_spreads(figures))
    if spreads:
        series = {name: [spread.get(name, 0.0) for spread in spreads.values()] for name in ("p50", "p95", "p99")}
        shown = {name: values for name, values in series.items() if any(values)}
        yield Picture("times", "ms", list(spreads), shown)
    if networks := figures.get("networks"):
        scores = {
            part: [found[part]["mos"] or 0.0 for found in networks.values()] for part in ("wire", "report", "far")
        }
        yield Picture("mos", "MOS", list(networks), scores)
    if ways := figures.get("compared"):
        labels = ["ours", *(way["way"] for way in ways)]
        for name in ("calls_per_core", "us_per_call_tick"):
            yield Picture(f"compared_{name}", name, labels, {name: [one[name] for one in (figures, *ways)]})


def _spreads(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Mapping[str, float]]]:
    """Whatever has a median and is in milliseconds."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            if name.endswith("_ms") and "p50" in value:
                yield f"{before}{name}", value
            else:
                yield from _spreads(value, f"{before}{name}.")


def _draw(picture: Picture, path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(picture.series)
    for number, (name, values) in enumerate(picture.series.items()):
        places = [place + number * height for place in range(len(picture.labels))]
        axes.barh(places, values, height=height, label=name)
    middle = (len(picture.series) - 1) * height / 2
    axes.set_yticks([place + middle for place in range(len(picture.labels))], picture.labels)
    axes.invert_yaxis()
    axes.set_xlabel(picture.unit)
    if len(picture.series) > 1:
        axes.legend()
    figure.savefig(path)
    return path
