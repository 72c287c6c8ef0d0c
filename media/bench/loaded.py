"""The process of the callers, seen from the one that measures: its ports, its warm-up, and what it has seen."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

_STOP_SECONDS = 5.0


class LoadFailed(Exception):
    """The callers' process, or the one that is called, ended before it was done; its error is on stderr."""


class Load:
    """A process of callers, as `media.bench.load` is. `peers` are the ports that they listen on."""

    def __init__(self, process: asyncio.subprocess.Process, peers: list[int]) -> None:
        self._process = process
        self.peers = peers

    @classmethod
    async def start(cls, module: str, *arguments: object) -> Load:
        """It runs on the cores that this process may use now. Raises LoadFailed."""
        process = await spawn(module, *map(str, arguments))
        return cls(process, json.loads(await said(process)))

    def call(self, ports: Sequence[int]) -> None:
        """Have the callers send to these, one each."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(ports)).encode() + b"\n")

    async def warmed_up(self) -> None:
        """From now on it counts. Raises LoadFailed."""
        await said(self._process)

    async def sent(self) -> None:
        """Those that say so have sent their last packet. Raises LoadFailed."""
        await said(self._process)

    async def seen(self) -> dict[str, Any]:
        """What the callers have seen, when they are through. Raises LoadFailed."""
        seen: dict[str, Any] = json.loads(await said(self._process))
        return seen

    async def close(self) -> None:
        """End it, if it has not ended."""
        await end(self._process)


async def spawn(module: str, *arguments: str) -> asyncio.subprocess.Process:
    """`python -m module`, to be talked to in lines."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip


async def said(process: asyncio.subprocess.Process) -> bytes:
    """The next line. Raises LoadFailed where there is none."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise LoadFailed("A process of the bench ended before it was done; its error is on stderr.")
    return line


async def end(process: asyncio.subprocess.Process) -> None:
    """Close its input, and kill it if that does not end it."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
