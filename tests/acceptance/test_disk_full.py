"""A full disk: new calls are refused, running ones go on and are kept; when there is room again nothing is missing but sound."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipserver.demo.phone import PhoneCall
from tests.acceptance.house import NUMBER, House, house, recording, said, sent, speaks_for, until
from tests.acceptance.wire import refusal

MEGABYTE = 2**20
SIZE, RESERVE = 24, 8
"""Megabytes of the disk, and below how many free ones new calls are refused."""


class Disk:
    """A small file system that only the processes behind `prefix` see as `folder`; from outside it is reached by their /proc."""

    def __init__(self, folder: Path, keeper: int) -> None:
        self.folder = folder
        self.prefix: Sequence[str] = ("nsenter", "-t", str(keeper), "-m", f"--wd={Path.cwd()}", "--")
        self.inside = Path(f"/proc/{keeper}/root{folder}")
        self._ballast = self.inside / "ballast"

    def fill(self, leave: int) -> None:
        """Until so many bytes are free; with 0 not one page is."""
        with self._ballast.open("ab") as file:
            while (free := self._free() - leave) > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), max(4096, free))
                except OSError:
                    return

    def clear(self) -> None:
        """There is room again."""
        self._ballast.unlink()

    def _free(self) -> int:
        found = os.statvfs(self.inside)
        return found.f_bavail * found.f_frsize


@asynccontextmanager
async def disk(folder: Path) -> AsyncIterator[Disk]:
    """Mounted in a mount namespace of its own, which ends with the process that keeps it. Skips where that is not permitted."""
    mount = f"mkdir '{folder}' && mount -t tmpfs -o size={SIZE}m antiphon-test '{folder}' && echo mounted && exec cat"
    keeper = await asyncio.create_subprocess_exec(
        "unshare", "-m", "sh", "-c", mount,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        if await keeper.stdout.readline() != b"mounted\n":
            pytest.skip("a file system can be mounted by root only")
        yield Disk(folder, keeper.pid)
    finally:
        keeper.stdin.close()
        await keeper.wait()


def test_a_full_disk_costs_no_call(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def test() -> None:
        async with disk(tmp_path / "disk") as small:
            limits = {"ANTIPHON__RECORDING__MIN_FREE_MB": str(RESERVE)}
            async with house(small.folder, limits, small.prefix) as home:
                ids = await home.agent()
                call = await home.ring()
                await call.line.agent_ends(20)
                await call.line.press("1")
                await speaks_for(call, 1.0)
                await _little_is_left(home, small, ids)
                await _nothing_is_left(home, small, call)
                await home.good_call()
                await _idle(home, small)
                await home.good_call()

    runner.run(test())


def test_a_server_that_finds_too_little_room_starts_and_takes_no_calls(runner: asyncio.Runner, tmp_path: Path) -> None:
    """Needs no file system of its own: the reserve is larger than any disk."""

    async def test() -> None:
        limits = {
            "ANTIPHON__RECORDING__MIN_FREE_MB": str(10**9),
            "ANTIPHON__STT__WORKERS": "0",
            "ANTIPHON__TTS__WORKERS": "0",
        }
        async with house(tmp_path, limits, ready_path="/livez") as home:
            await home.agent()
            reason = await _refusal(home)
            assert reason is not None
            assert re.fullmatch(r"Only \d+ MiB of disk are free; recording\.min_free_mb asks for more\.", reason)
            answer = await refusal(home.node.sip, NUMBER)
            assert answer.status == 503
            assert int(str(answer.headers.get("Retry-After"))) > 0
            assert await home.node.get("/v1/calls") == []

    runner.run(test())


async def _little_is_left(home: House, small: Disk, ids: tuple[str, str]) -> None:
    """Below the reserve: new calls are refused, both ways, and the reason is told."""
    small.fill(RESERVE * MEGABYTE // 2)
    reason = await until(lambda: _refusal(home), "the server takes no more calls", 5)
    assert re.fullmatch(r"Only [34] MiB of disk are free; recording\.min_free_mb asks for more\.", reason)
    await _takes_no_calls(home, ids, reason)


async def _takes_no_calls(home: House, ids: tuple[str, str], reason: str) -> None:
    answer = await refusal(home.node.sip, NUMBER)
    assert answer.status == 503
    assert int(str(answer.headers.get("Retry-After"))) > 0
    assert home.node.http is not None
    body = {"agentId": ids[0], "phoneNumberId": ids[1], "to": "+12025550195"}
    placed = await home.node.http.post("/v1/calls", json=body)
    assert (placed.status_code, placed.json()["error"]) == (503, reason)
    assert int(placed.headers["retry-after"]) > 0


async def _nothing_is_left(home: House, small: Disk, call: PhoneCall) -> None:
    """The last page is written: the call goes on to its end, the server answers, and the call's end is kept as soon as it can be."""
    packets = call.line.received.packets
    small.fill(0)
    assert home.node.http is not None
    call_id = await home.newest()
    await until(lambda: call.line.received.packets > packets + 100, "the agent goes on speaking")
    await call.line.press("2")
    assert await call.until_ended(20) == "bye"
    await until(lambda: _write_fails(home, small), "a write finds no room", 10)
    assert (await home.node.http.get("/livez")).status_code == 200
    assert (await home.call(call_id))["status"] == "in_progress"
    small.clear()
    found = await home.recorded(call_id)
    assert (found["status"], found["endedReason"]) == ("completed", "agent_ended")
    assert said(found, "user") == ["[key 1]", "[key 2]"]
    assert said(found, "assistant")[-1] == "Goodbye."
    assert [(problem["part"], problem["message"]) for problem in found["problems"]] == [
        ("media", "The recording stopped: No space left on device.")
    ]
    sound = await recording(found)
    assert 0 < sound.seconds < sent(call) - 1
    await until(lambda: _ready(home), "calls are taken again", 10)


async def _idle(home: House, small: Disk) -> None:
    """A node without calls finds out by itself that there is room again."""
    await until(lambda: _write_fails(home, small), "a write finds no room", 10)
    small.clear()
    await until(lambda: _ready(home), "calls are taken again", 10)


async def _write_fails(home: House, small: Disk) -> bool:
    """One write needs no room while the log before the database is begun anew or a finished recording has just made some: more follow."""
    small.fill(0)
    assert home.node.http is not None
    answer = await home.node.http.post("/v1/agents", json={"name": "x" * 200, "systemPrompt": "y" * 30_000})
    if answer.status_code == 201:
        return False
    full = (503, "The database cannot be written: database or disk is full.")
    assert (answer.status_code, answer.json()["error"]) == full
    return True


async def _refusal(home: House) -> str | None:
    assert home.node.http is not None
    answer = await home.node.http.get("/readyz")
    reasons = answer.json()["reasons"]
    assert (answer.status_code == 503) == bool(reasons)
    return reasons[0] if reasons else None


async def _ready(home: House) -> bool:
    return await _refusal(home) is None
