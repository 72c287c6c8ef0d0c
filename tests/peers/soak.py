"""`python -m tests.peers.soak --calls 10000 --rate 50`: short calls by SIPp against a whole server, with rows and media.

Afterwards everything has to be as it was: no call live, all the room free, no file descriptor and no process more, each call a
row that is completed. Memory is measured after a first tenth of the calls, and at the end, when 64*T1 have passed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sipserver.bench.sipp import Load, Tally, ring
from tests.peers.switchboard import Switchboard

HOLD_MS = 200
LISTENS = {"start": "ear", "steps": {"ear": {"listen": [{"dtmf": "1", "go": "ear"}]}}}
"""An agent that waits for a key and says nothing: what is measured is the call, not its voice."""
AFTERWARDS = 36.0
"""64*T1 and a little."""


@dataclass(frozen=True, slots=True)
class State:
    """What a server holds, all its processes together; `resident` in bytes."""

    live: float
    room: float
    files: int
    processes: int
    resident: int


async def soak(board: Switchboard, calls: int, rate: int, number: str, folder: Path) -> Tally:
    """Place the calls, each held for `HOLD_MS`."""
    folder.mkdir()
    return await ring(board.node.sip[1], Load(rate, calls / rate, HOLD_MS), folder, number)


async def state(board: Switchboard) -> State:
    """What the server holds now."""
    assert board.node.http is not None
    text = (await board.node.http.get("/metrics")).text
    family = _family(board.node.pid)
    return State(
        _metric(text, "antiphon_calls_live"),
        _metric(text, "antiphon_calls_room"),
        sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in family),
        len(family),
        sum(_resident(pid) for pid in family),
    )


async def settled(board: Switchboard, before: State, seconds: float) -> State:
    """The state as soon as it holds no more than before, or after this time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        now = await state(board)
        is_free = now.live == 0 and now.room >= before.room and now.files <= before.files
        if is_free or asyncio.get_running_loop().time() > deadline:
            return now
        await asyncio.sleep(0.2)


def _metric(text: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def _family(pid: int) -> Sequence[int]:
    """The process and what it has started."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    return [pid, *(member for child in children for member in _family(child))]


def _children(task: Path) -> list[str]:
    return (task / "children").read_text("ascii").split()


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    """Soak, and say what was held before and after; 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as text, Switchboard(Path(text)) as board:
        return board.run(_soaked(board, arguments.calls, arguments.rate, Path(text)))


async def _soaked(board: Switchboard, calls: int, rate: int, folder: Path) -> int:
    line = await board.line(LISTENS, firstSpeaker="user", recording={"enabled": False})
    warm = await soak(board, calls // 10, rate, line.number, folder / "warm")
    await asyncio.sleep(AFTERWARDS)
    before = await state(board)
    tally = await soak(board, calls - calls // 10, rate, line.number, folder / "soak")
    await asyncio.sleep(AFTERWARDS)
    after = await settled(board, before, 30)
    print(f"before {before}\nafter  {after}")
    print(
        f"calls  {warm.successful + tally.successful} well, {warm.failed + tally.failed} not, {tally.retransmissions} repeated"
    )
    grown = (after.live, after.room, after.files, after.processes) != (0, before.room, before.files, before.processes)
    return int(grown or warm.failed + tally.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
