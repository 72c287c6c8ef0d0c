"""Figures of a bench as a table: one line each, and where an alternative or other networks were measured, a column for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

_BESIDE = "compared"
_COLUMNS = "networks"


def table(figures: Mapping[str, Any]) -> Table:
    """`compared`, if it is there, lists other ways: their name is `way`, their relation to ours by figure `ratio`.

    `networks`, if they are there, are figures of each by its name.
    """
    if _COLUMNS in figures:
        return _side_by_side({name: dict(flat(found)) for name, found in figures[_COLUMNS].items()}, figures)
    ways = figures.get(_BESIDE, ())
    found = Table(box=None, pad_edge=False, show_header=bool(ways))
    for heading in ("", "ours", *(way["way"] for way in ways)):
        found.add_column(heading, overflow="fold")
    lines = {name: value for name, value in figures.items() if name != _BESIDE}
    theirs = [dict(flat(way)) for way in ways]
    for name, value in flat(lines):
        found.add_row(name, str(value), *(_cell(way, other, name) for way, other in zip(ways, theirs, strict=True)))
    return found


def _side_by_side(columns: Mapping[str, Mapping[str, Any]], figures: Mapping[str, Any]) -> Table:
    """What all have in common stands in the first column."""
    found = Table(box=None, pad_edge=False)
    for heading in ("", *columns):
        found.add_column(heading, overflow="fold")
    for name, value in flat({name: value for name, value in figures.items() if name != _COLUMNS}):
        found.add_row(name, str(value))
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        found.add_row(name, *(str(column.get(name, "")) for column in columns.values()))
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
