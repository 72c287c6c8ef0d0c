"""Figures of a bench as a table: one line each, and where an alternative was measured beside ours, a column for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

_BESIDE = "compared"
_NOT_A_LINE = ("way", "ratio")


def table(figures: Mapping[str, Any]) -> Table:
    """`compared`, if it is there, lists other ways: their name is `way`, their relation to ours by figure `ratio`."""
    ways = figures.get(_BESIDE, ())
    found = Table(box=None, pad_edge=False, show_header=bool(ways))
    for heading in ("", "ours", *(way["way"] for way in ways)):
        found.add_column(heading, overflow="fold")
    lines = {name: value for name, value in figures.items() if name != _BESIDE}
    theirs = [dict(flat(way)) for way in ways]
    for name, value in flat(lines):
        found.add_row(name, str(value), *(_cell(way, other, name) for way, other in zip(ways, theirs, strict=True)))
    return found


def _cell(way: Mapping[str, Any], flattened: Mapping[str, Any], name: str) -> str:
    if name not in flattened:
        return ""
    ratio = way["ratio"].get(name)
    return str(flattened[name]) if ratio is None else f"{flattened[name]} ({ratio} ×)"


def flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """`{"answer_ms": {"p50": 3}}` as `answer_ms.p50`, 3."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
