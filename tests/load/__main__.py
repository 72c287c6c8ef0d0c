"""`python -m tests.load --calls 24 --at-once 6`, or `make load`: callers who talk, through everything that a call goes through.

SIPp's callers ring at the same time, are answered, speak two sentences, are understood, answered and rung off by the agent; each call has
its recording, its extraction and its webhook. Exit status 1 where a gate is not passed; `--json` writes the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.load.plan import Gates, Plan
from tests.load.report import Figure, figures
from tests.load.run import ENVIRONMENT, load
from tests.peers.sipp import SIPP
from tests.peers.switchboard import Switchboard


def main() -> int:
    """Carry the load, and say what came of it."""
    arguments = _arguments()
    if SIPP is None:
        print("SIPp is not installed (Debian: sip-tester).", file=sys.stderr)
        return 1
    plan = Plan(arguments.calls, arguments.at_once, arguments.rate)
    gates = Gates(arguments.answer_p95, arguments.turn_p95, arguments.longest_gap, arguments.misheard)
    with tempfile.TemporaryDirectory() as text, Switchboard(Path(text), ENVIRONMENT) as board:
        found = figures(plan, gates, board.run(load(board, plan, Path(text))))
    _show(plan, found)
    if arguments.json is not None:
        written = {"plan": asdict(plan), "gates": asdict(gates), "figures": [asdict(figure) for figure in found]}
        arguments.json.write_text(json.dumps(written, indent=2) + "\n")
    return int(any(figure.passed is False for figure in found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--calls", type=int, default=24, help="how many calls in all")
    parser.add_argument("--at-once", type=int, default=6, help="how many at the same time")
    parser.add_argument("--rate", type=float, default=1.0, help="new calls a second")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    usual = asdict(Gates())
    parser.add_argument("--answer-p95", type=float, default=usual["answer_p95"], help="ms from INVITE to 200")
    parser.add_argument(
        "--turn-p95", type=float, default=usual["turn_p95"], help="ms from the caller's last sound to the agent's first"
    )
    parser.add_argument(
        "--longest-gap", type=float, default=usual["longest_gap"], help="ms between two packets of ours"
    )
    parser.add_argument("--misheard", type=float, default=usual["misheard"], help="share of the calls")
    return parser.parse_args()


def _show(plan: Plan, found: list[Figure]) -> None:
    table = Table(title=f"{plan.calls} calls, {plan.at_once} at once, {plan.rate:g} a second")
    for column in ("", "found", "gate"):
        table.add_column(column)
    for figure in found:
        colour = {True: "green", False: "bold red", None: ""}[figure.passed]
        table.add_row(figure.name, f"[{colour}]{figure.found}[/]" if colour else figure.found, figure.gate)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
