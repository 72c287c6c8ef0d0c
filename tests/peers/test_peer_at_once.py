"""A hundred callers in the same moment: each is answered, or refused cleanly and told when to come again; afterwards nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.soak import LISTENS, State, settled, state
from tests.peers.switchboard import Switchboard

pytestmark = [pytest.mark.peer, needs_sipp]
CALLERS = 100


def at_once(callers: int) -> tuple[str, ...]:
    """All within 20 ms. SIPp ends with 0 when each call went one of the two ways of the scenario."""
    return ("-m", str(callers), "-l", str(callers), "-r", str(callers), "-rp", "20", "-buff_size", "4194304")


def test_a_hundred_callers_at_once_are_answered_or_told_to_come_again(switchboard: Switchboard, tmp_path: Path) -> None:
    async def test() -> tuple[State, State, list[str]]:
        line = await switchboard.line(LISTENS, firstSpeaker="user", recording={"enabled": False})
        # What is opened for the first calls stays open: files of the database, to name one.
        await Sipp("uac_at_once.xml", tmp_path, switchboard.sip, line.number, options=at_once(20)).run()
        before = await settled(switchboard, await state(switchboard), 5)
        await Sipp("uac_at_once.xml", tmp_path, switchboard.sip, line.number, options=at_once(CALLERS)).run()
        after = await settled(switchboard, before, 20)
        return before, after, [call["status"] for call in await switchboard.calls(line)]

    before, after, statuses = switchboard.run(test())
    assert (after.live, after.room, after.processes) == (0, before.room, before.processes)
    assert after.files <= before.files
    assert statuses.count("completed") == len(statuses) > 0
