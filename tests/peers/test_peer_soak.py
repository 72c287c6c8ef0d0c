"""A small soak: two hundred short calls leave no place, port, process or file behind (`python -m tests.peers.soak` for ten thousand)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipserver.bench.sipp import Tally
from tests.peers.sipp import needs_sipp
from tests.peers.soak import LISTENS, State, settled, soak, state
from tests.peers.switchboard import Switchboard

pytestmark = [pytest.mark.peer, needs_sipp]
CALLS, RATE = 200, 30


def test_two_hundred_short_calls_leave_nothing_behind(switchboard: Switchboard, tmp_path: Path) -> None:
    async def test() -> tuple[list[Tally], State, State, set[str]]:
        line = await switchboard.line(LISTENS, firstSpeaker="user", recording={"enabled": False})
        tallies = [await soak(switchboard, 10, RATE, line.number, tmp_path / "warm")]
        before = await settled(switchboard, await state(switchboard), 5)
        tallies.append(await soak(switchboard, CALLS, RATE, line.number, tmp_path / "soak"))
        after = await settled(switchboard, before, 20)
        return tallies, before, after, {call["status"] for call in await switchboard.calls(line)}

    tallies, before, after, statuses = switchboard.run(test())
    assert [(tally.successful, tally.failed) for tally in tallies] == [(10, 0), (CALLS, 0)]
    assert (after.live, after.room, after.processes) == (0, before.room, before.processes)
    assert after.files <= before.files
    assert statuses == {"completed"}
