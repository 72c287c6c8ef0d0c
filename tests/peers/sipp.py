"""SIPp, an independent peer: scenarios of ours, run as a process of its own."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tests.peers.ports import free_block

SIPP = shutil.which("sipp")
needs_sipp = pytest.mark.skipif(SIPP is None, reason="sipp is not installed")
SCENARIOS = Path(__file__).parent / "sipp"
TIMEOUT = 60
"""Seconds after which SIPp gives its call up."""
Transport = Literal["udp", "tcp"]
_FLAG: Mapping[Transport, str] = {"udp": "u1", "tcp": "t1"}


@dataclass(slots=True)
class Sipp:
    """One run of a scenario, made with its ports; `start` it, then `done` it. What the scenario needs to know is in `texts`: each
    word of a text that stands in the scenario as `@word@` is replaced."""

    scenario: str
    folder: Path
    target: str | None = None
    number: str = ""
    host: str = "127.0.0.1"
    transport: Transport = "udp"
    texts: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    port: int = 0
    media_port: int = 0
    _process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        self.port = free_block(8, self.host)
        self.media_port = self.port + 2
        self.folder = self.folder / f"sipp-{self.port}"
        self.folder.mkdir(parents=True)

    async def start(self) -> None:
        """Start it. A scenario that calls begins at once; one that is called is ready when `listens` returns."""
        assert SIPP is not None
        called = [self.target] if self.target else []
        self._process = await asyncio.create_subprocess_exec(
            SIPP,
            *("-sf", str(self._written()), *called, "-s", self.number or "nobody", "-m", "1"),
            *("-i", self.host, "-p", str(self.port), "-mi", self.host, "-mp", str(self.media_port)),
            *("-t", _FLAG[self.transport], "-nostdin", "-timeout", str(TIMEOUT), "-timeout_error"),
            *("-trace_err", "-trace_msg", *self.options),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def listens(self) -> None:
        """Until its port is taken. Raises TimeoutError, AssertionError when it ended instead."""
        assert self._process is not None
        async with asyncio.timeout(10):
            while not _is_bound(self.port, self.transport):
                assert self._process.returncode is None, self.told()
                await asyncio.sleep(0.02)

    async def done(self) -> None:
        """Until it has ended. Raises AssertionError, with what it noted, unless all went as the scenario says."""
        assert self._process is not None
        status = await self._process.wait()
        assert status == 0, f"{self.scenario}: exit status {status}\n{self.told()}"

    async def run(self) -> None:
        """From beginning to end."""
        await self.start()
        try:
            await self.done()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End it if it still runs. Idempotent."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def told(self) -> str:
        """What it noted: errors, then messages."""
        files = sorted(self.folder.glob("*_errors.log")) + sorted(self.folder.glob("*_messages.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')}" for file in files)

    def _written(self) -> Path:
        text = (SCENARIOS / self.scenario).read_text()
        for word, value in self.texts.items():
            assert f"@{word}@" in text
            text = text.replace(f"@{word}@", value)
        path = self.folder / self.scenario
        path.write_text(text)
        return path


def _is_bound(port: int, transport: Transport) -> bool:
    """Whether somebody on this machine has the port (proc_net(5): local addresses are hexadecimal)."""
    tables = [Path(f"/proc/net/{transport}{version}") for version in ("", "6")]
    lines = [line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return any(line.split()[1].endswith(f":{port:04X}") for line in lines)
