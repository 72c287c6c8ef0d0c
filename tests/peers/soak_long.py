"""`python -m tests.peers.soak_long --minutes 60`: short calls at a steady rate and callers who talk, with all that a call is, for so long.

The memory of each process is looked at all the while; the exit status is 1 where one grows by more than `--growth` megabytes
an hour, where a call failed, or where something was left over.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sipserver.bench.sipp import Tally
from tests.load.plan import Gates, Plan
from tests.load.report import figures
from tests.load.run import ENVIRONMENT, Outcome, load
from tests.peers.soak import AFTERWARDS, LISTENS, State, reasons, settled, soak, state
from tests.peers.soak_watch import Look, slopes, watch
from tests.peers.switchboard import Switchboard

KEPT_OPEN = 4
"""Files that may be open afterwards and were not before: connections to the database, which come when there is much to write."""
TALK_SECONDS = 13.0
"""How long a call of somebody who talks takes, as a rule."""
PATIENT = Gates(longest_gap=float("inf"), answer_p95=float("inf"), turn_p95=float("inf"), misheard=1.0)
"""How fast it is and who is understood is for `make load`; here every call has to be seen through, with all that belongs to it."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of the short calls and of those who talked; what the server held before and after; its memory meanwhile."""

    short: Tally
    plan: Plan
    talked: Outcome
    before: State
    after: State
    looks: list[Look]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left over."""
        before, after = self.before, self.after
        same = (after.live, after.room, after.processes) == (0, before.room, before.processes)
        return same and after.files <= before.files + KEPT_OPEN

    def wrong(self, growth: float) -> list[str]:
        """What is not as it should be, a sentence each; `growth` is what a process may grow in an hour, in megabytes."""
        grown = [slope for slope in slopes(self.looks) if slope.an_hour > growth]
        talked = [figure for figure in figures(self.plan, PATIENT, self.talked) if figure.passed is False]
        return [
            *(f"{slope.name} grows by {slope.an_hour:.0f} MB an hour" for slope in grown),
            *(f"{figure.name}: {figure.found} instead of {figure.gate}" for figure in talked),
            *([f"{self.short.failed} short calls failed{reasons(self.short.why)}"] if self.short.failed else []),
            *([] if self.is_clean else ["something was left over"]),
        ]


async def long_soak(board: Switchboard, seconds: float, rate: int, talkers: int, folder: Path) -> Soaked:
    """Calls for so long, after a first round that brings what is made once: an encoder of recordings, connections."""
    line = await board.line(LISTENS, firstSpeaker="user")
    plan = Plan(max(1, round(talkers * seconds / TALK_SECONDS)), talkers, max(1.0, talkers / TALK_SECONDS))
    first, talks = folder / "first", folder / "talks"
    first.mkdir()
    talks.mkdir()
    await load(board, Plan(talkers, talkers, talkers), first)
    before = await settled(board, await state(board), AFTERWARDS)
    print(f"before  {before}", flush=True)
    looks: list[Look] = []
    watching = asyncio.create_task(watch(board, looks))
    try:
        short, talked = await asyncio.gather(
            soak(board, round(seconds * rate), rate, line.number, folder / "short"),
            load(board, plan, talks),
        )
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    await asyncio.sleep(AFTERWARDS)
    return Soaked(short, plan, talked, before, await settled(board, before, AFTERWARDS), looks)


def main() -> int:
    """Soak, and say what became of memory; 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.peers.soak_long", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=2, help="short calls a second")
    parser.add_argument("--talkers", type=int, default=2, help="callers who talk, at once")
    parser.add_argument("--growth", type=float, default=16, help="megabytes an hour that a process may grow by")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as text, Switchboard(Path(text), ENVIRONMENT) as board:
        folder = Path(text)
        soaked = board.run(long_soak(board, chosen.minutes * 60, chosen.rate, chosen.talkers, folder))
    print(f"after   {soaked.after}\n")
    print(f"{soaked.short.successful} short calls well, {soaked.short.failed} not; of those who talked:")
    print("\n".join(f"  {figure.name}: {figure.found}" for figure in figures(soaked.plan, PATIENT, soaked.talked)))
    print("\n".join(map(str, slopes(soaked.looks))))
    wrong = soaked.wrong(chosen.growth)
    print("\n".join(["", *wrong]) if wrong else "\nFlat, and nothing left over.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
