"""The media process is killed in the middle of fifty calls: callers get a BYE, recordings can be played, the next call is answered."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.peers.capture import needs_ffprobe, probed
from tests.peers.sipp import Sipp, needs_sipp
from tests.peers.soak import LISTENS, state
from tests.peers.switchboard import Switchboard

pytestmark = [pytest.mark.peer, needs_sipp, needs_ffprobe]
CALLERS = 50
PATIENCE = 30
"""Seconds, for a slow machine."""


def test_fifty_calls_without_media_end_properly(switchboard: Switchboard, tmp_path: Path) -> None:
    async def test() -> None:
        line = await switchboard.line(LISTENS, firstSpeaker="user")
        before = await state(switchboard)
        callers = Sipp("uac_stays.xml", tmp_path, switchboard.sip, line.number, options=many(CALLERS))
        await callers.start()
        await until(lambda: all_live(switchboard))
        await asyncio.sleep(1)  # something to record
        kill_media(switchboard)
        await callers.done()
        await until(lambda: all_over(switchboard, before.room))
        found = await switchboard.calls(line)
        assert len(found) == CALLERS
        assert {(call["status"], call["endedReason"]) for call in found} == {("completed", "error")}
        for call in found[:3]:
            kept = await switchboard.recording(await switchboard.analysed(call["id"]), "wav", tmp_path)
            channels, seconds = await probed(kept)
            assert channels == 2
            assert seconds > 0.5
        await Sipp("uac_at_once.xml", tmp_path, switchboard.sip, line.number).run()
        await until(lambda: all_over(switchboard, before.room))
        assert (await state(switchboard)).processes == before.processes
        assert (await switchboard.calls(line))[0]["endedReason"] == "customer_ended"

    switchboard.run(test())


def many(callers: int) -> tuple[str, ...]:
    return ("-m", str(callers), "-l", str(callers), "-r", str(callers), "-rp", "1000")


def kill_media(switchboard: Switchboard) -> None:
    for pid, command in switchboard.node.children().items():
        if "media.process" in command:
            os.kill(pid, signal.SIGKILL)


async def all_live(switchboard: Switchboard) -> bool:
    return (await state(switchboard)).live == CALLERS


async def all_over(switchboard: Switchboard, room: float) -> bool:
    now = await state(switchboard)
    return now.live == 0 and now.room >= room


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 (it is another process)
            await asyncio.sleep(0.1)
