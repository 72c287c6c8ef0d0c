"""`python -m tests.peers.soak --calls 10000 --rate 50`: short calls by SIPp against a whole server, with rows and media.

Afterwards everything has to be as it was: no call live, all the room free, no file descriptor and no process more, each call a
row that is completed. Memory is measured of each process after a first tenth of the calls, after each fifth of the others, and at
the end, each time when 64*T1 have passed: what the first calls touched is not given back, but nothing is to grow with their number.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from control_api.store.engine import READERS
from sipserver.bench.sipp import Load, Tally, ring
from tests.peers.switchboard import Switchboard

HOLD_MS = 200
LISTENS = {"start": "ear", "steps": {"ear": {"listen": [{"dtmf": "1", "go": "ear"}]}}}
"""An agent that waits for a key and says nothing: what is measured is the call, not its voice."""
ENCODER = "control_api.encoder_process"
AFTERWARDS = 36.0
"""64*T1 and a little."""

FILES_OF_DATABASE = 3 * (READERS + 1)
"""Each connection may have the database, its log and its index open."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in bytes: its own (RssAnon), and what it has touched of memory shared with others (RssShmem; proc(5))."""

    name: str
    own: int
    shared: int

    def __str__(self) -> str:
        return f"{self.name} {self.own / 1e6:.0f}+{self.shared / 1e6:.0f}"


@dataclass(frozen=True, slots=True)
class State:
    """What a server holds, all its processes together."""

    live: float
    room: float
    files: int
    memory: tuple[Memory, ...]

    @property
    def processes(self) -> int:
        """Those that carry calls; the one that encodes recordings comes with the first of them, whenever that is."""
        return sum(one.name != ENCODER for one in self.memory)

    def __str__(self) -> str:
        own = sum(one.own for one in self.memory) / 1e6
        counts = f"live {self.live:.0f}, room {self.room:.0f}, files {self.files}, processes {self.processes}"
        return f"{counts}, {own:.0f} MB: {', '.join(map(str, self.memory))}"


async def soak(board: Switchboard, calls: int, rate: int, number: str, folder: Path) -> Tally:
    """Place the calls, each held for `HOLD_MS`."""
    folder.mkdir()
    return await ring(board.node.sip[1], Load(rate, calls / rate, HOLD_MS), folder, number)


async def state(board: Switchboard) -> State:
    """What the server holds now."""
    assert board.node.http is not None
    text = (await board.node.http.get("/metrics")).text
    held = _metric(text, "antiphon_calls_live"), _metric(text, "antiphon_calls_room")
    while True:
        try:
            members = family(board.node.pid)
            files = sum(_open_files(pid) for pid in members)
            return State(*held, files, tuple(_memory(pid) for pid in members))
        except (FileNotFoundError, ProcessLookupError):
            continue  # A process or a thread ended while it was looked at.


async def settled(board: Switchboard, before: State, seconds: float) -> State:
    """The state as soon as it holds no more than before, or after this time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        now = await state(board)
        is_free = now.live == 0 and now.room >= before.room and now.files <= before.files
        if is_free or asyncio.get_running_loop().time() > deadline:
            return now
        await asyncio.sleep(0.2)


def _open_files(pid: int) -> int:
    """How many a process has open; of the database only those beyond what its connections may have, which come when there is much to do."""
    opened = [_target(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    database = sum(".db" in Path(target).name for target in opened)
    return len(opened) - database + max(0, database - FILES_OF_DATABASE)


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""  # Closed while it was looked at.


def family(pid: int) -> Sequence[int]:
    """The process and what it has started."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    return [pid, *(member for child in children for member in family(child))]


def reasons(why: Mapping[str, int]) -> str:
    """` (3 UnexpectedMessage)`, in SIPp's words; nothing for none."""
    return f" ({', '.join(f'{count} {reason}' for reason, count in sorted(why.items()))})" if why else ""


def _metric(text: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def _children(task: Path) -> list[str]:
    return (task / "children").read_text("ascii").split()


def _memory(pid: int) -> Memory:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines())
    own, shared = (int(lines.get(name, "0 kB").split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))
    return Memory(_name(pid), own, shared)


def _name(pid: int) -> str:
    """`media.process`, or what else it was started as; nothing is told of one that has ended and is still counted."""
    words = Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")
    if len(words) < 2:
        return "ended"
    return words[words.index("-m") + 1] if "-m" in words[:-1] else Path(words[1] or words[0]).name


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
    tallies, states = [], []
    for number, part in enumerate((calls // 10, *[(calls - calls // 10) // 5] * 5)):
        tallies.append(await soak(board, part, rate, line.number, folder / str(number)))
        await asyncio.sleep(AFTERWARDS)
        states.append(await settled(board, states[0], 30) if states else await state(board))
        print(f"{sum(tally.successful + tally.failed for tally in tallies):6} calls  {states[-1]}", flush=True)
    failed = sum(tally.failed for tally in tallies)
    why = sum((Counter(tally.why) for tally in tallies), Counter())
    well, repeated = sum(tally.successful for tally in tallies), sum(tally.retransmissions for tally in tallies)
    print(f"{well} well, {failed} not{reasons(why)}, {repeated} repeated")
    before, after = states[0], states[-1]
    grown = (after.live, after.room, after.files, after.processes) != (0, before.room, before.files, before.processes)
    return int(grown or failed > 0)


if __name__ == "__main__":
    sys.exit(main())
