"""What the demo prints after a call: transcript, latencies, files, webhook; and at the end the verdict."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sipserver.demo.receiver import Received
from sipserver.demo.scenario import Heard
from sipserver.demo.screen import AGENT, CALLER, COLOURS
from sipserver.demo.verdict import Check

HOOK_FIELDS = ("event", "callId", "direction", "status", "endedReason", "durationSeconds", "summary", "extractedData")


def show_transcript(console: Console, call: Mapping[str, Any]) -> None:
    """Seconds of the recording, who, and what was said; of the agent, what was heard of it."""
    _heading(console, "Transcript", "seconds of the recording; of the agent, what was heard")
    table = _grid(Column(justify="right", no_wrap=True), Column(no_wrap=True), Column())
    for item in call["transcript"]:
        who = CALLER if item["role"] == "user" else AGENT
        words = item["content"] + (" ✂ interrupted" if item["interrupted"] else "")
        span = f"{item['startMs'] / 1000:.2f} – {item['endMs'] / 1000:5.2f}"
        table.add_row(Text(span, "dim"), Text(who, COLOURS[who]), Text(words))
    console.print(table)


def show_latencies(console: Console, answer: str, heard: Heard) -> None:
    """`answer` says what `heard.answer` is."""
    _heading(console, "Latencies", "ms, measured at the telephone's end of the wire")
    table = _grid(Column(justify="right", no_wrap=True), Column(no_wrap=True))
    for seconds, what in _latencies(answer, heard):
        table.add_row(Text(f"{seconds * 1000:.0f}", "bold"), what)
    console.print(table)


def show_files(console: Console, files: Mapping[str, Path]) -> None:
    """Paths, whole, each on a line of its own."""
    _heading(console, "Files")
    for what, path in files.items():
        console.print(Text.assemble((f"{what:<11}", "dim"), str(path)), soft_wrap=True)


def show_hook(console: Console, hook: Received, file: Path) -> None:
    """The main fields of the payload. The whole of it is in `file`."""
    _heading(console, f"Webhook {hook.webhook_id}", f"signature {'verified' if hook.verified else 'WRONG'}")
    table = _grid(Column(no_wrap=True), Column())
    for name in HOOK_FIELDS:
        value = hook.payload.get(name)
        table.add_row(Text(name, "dim"), Text(value if isinstance(value, str) else json.dumps(value)))
    table.add_row(Text("transcript", "dim"), Text(f"{len(hook.payload.get('transcript') or ())} utterances"))
    console.print(table)
    console.print(Text.assemble(("the whole payload is ", "dim"), str(file)), soft_wrap=True)


def show_checks(console: Console, groups: Mapping[str, Sequence[Check]]) -> bool:
    """Every promise with what was found. True when all were kept."""
    for title, checks in groups.items():
        _heading(console, f"Verdict: {title}")
        table = _grid(Column(no_wrap=True), Column(no_wrap=True), Column(overflow="fold"), gap=1)
        for check in checks:
            mark = Text("✓", "green") if check.kept else Text("✗", "red")
            table.add_row(mark, Text(check.what, "" if check.kept else "red"), Text(check.found, "dim"))
        console.print(table)
    checks = [check for group in groups.values() for check in group]
    broken = sum(not check.kept for check in checks)
    console.print()
    if broken:
        console.print(f"[bold red]{broken} of {len(checks)} promises were not kept.[/]")
    else:
        console.print(f"[bold green]All {len(checks)} promises were kept.[/]")
    return bool(checks) and not broken


def _latencies(answer: str, heard: Heard) -> Iterator[tuple[float, str]]:
    yield heard.answer, answer
    for number, seconds in enumerate(heard.turns, 1):
        yield seconds, f"turn {number}: caller's last sample → agent's first"
    if heard.turns:
        yield statistics.median(heard.turns), "turns, p50"
    if heard.interruption is not None:
        yield heard.interruption, "barge-in: caller's first sample → agent silent"


def _heading(console: Console, title: str, note: str = "") -> None:
    console.print()
    console.print(Text.assemble((title, "bold"), (f"  {note}" if note else "", "dim")), soft_wrap=True)


def _grid(*columns: Column, gap: int = 2) -> Table:
    return Table.grid(*columns, padding=(0, gap, 0, 0))
