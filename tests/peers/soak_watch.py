"""Whether memory stays flat: what each process holds, looked at again and again, and the slope of a line through it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.peers.soak import Memory, state
from tests.peers.switchboard import Switchboard

EVERY = 10.0
"""Seconds between two looks."""
WARM = 1 / 3
"""The share of the time that does not count: what the first calls touch is not given back."""
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Look:
    """What each process held at a time, in bytes of its own; processes of one name are numbered."""

    at: float
    own: dict[str, int]


@dataclass(frozen=True, slots=True)
class Slope:
    """Of one process: megabytes of its own at the first and the last look that count, and how many it grows in an hour."""

    name: str
    first: float
    last: float
    an_hour: float

    def __str__(self) -> str:
        return f"{self.name:32} {self.first:7.1f} → {self.last:7.1f} MB, {self.an_hour:+7.1f} MB an hour"


async def watch(board: Switchboard, looks: list[Look]) -> None:
    """Look until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        looks.append(Look(loop.time(), numbered((await state(board)).memory)))
        await asyncio.sleep(EVERY)


def numbered(memory: Sequence[Memory]) -> dict[str, int]:
    """Bytes of each process, by its name and a number."""
    seen: Counter[str] = Counter()
    found = {}
    for one in memory:
        seen[one.name] += 1
        found[f"{one.name} {seen[one.name]}"] = one.own
    return found


def slopes(looks: Sequence[Look]) -> list[Slope]:
    """One for each process that was there at the end and at two looks that count."""
    if not looks:
        return []
    start = looks[0].at + WARM * (looks[-1].at - looks[0].at)
    counted = [look for look in looks if look.at >= start]
    found = []
    for name in counted[-1].own:
        points = [(look.at, look.own[name] / 1e6) for look in counted if name in look.own]
        if len(points) > 1:
            found.append(Slope(name, points[0][1], points[-1][1], HOUR * _slope(points)))
    return found


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares, which one odd look does not tilt."""
    middle = sum(x for x, _ in points) / len(points)
    height = sum(y for _, y in points) / len(points)
    return sum((x - middle) * (y - height) for x, y in points) / sum((x - middle) ** 2 for x, _ in points)
