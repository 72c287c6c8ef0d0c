"""The demo's server: a process of its own, as an operator would start it, on free ports of this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

START_SECONDS = 60.0
STOP_SECONDS = 20.0


class NodeFailed(Exception):
    """The server did not start, or refused a request; the text says why."""


class DemoNode:
    """`antiphon serve` on a data folder. An asynchronous context manager; inside it calls can be taken. Unless it is given a `key`
    of the folder, it has one made.

    `ready_path` is the health check that must answer 200 before the server counts as started; `prefix` is put before each
    command, such as `nsenter …` for a server that sees file systems of its own. It may be killed and started again: ports,
    folder and key stay the same.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        rtp_ports: str = "20000-29999",
        ready_path: str = "/readyz",
        prefix: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.sip = ("127.0.0.1", free_port())
        self.api = ("127.0.0.1", free_port())
        self.rtp_ports = rtp_ports
        self.key = ""
        self.log = folder.parent / "server.log"
        self._ready_path = ready_path
        self._prefix = tuple(prefix)
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None
        self.http: httpx.AsyncClient | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """The API's base URL."""
        return f"http://{self.api[0]}:{self.api[1]}"

    async def __aenter__(self) -> DemoNode:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.key:
            create = ("keys", "create", "--data-dir", str(self.folder), "--name", "demo", "--scope", "admin")
            self.key = await self._command(*create)
        self.http = httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30, trust_env=False
        )
        try:
            await self.start()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def start(self) -> None:
        """Start the server, and wait until it is ready. Raises NodeFailed."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._prefix, sys.executable, "-m", "sipserver", "serve", "--data-dir", str(self.folder),
                "--sip", _joined(self.sip), "--api", _joined(self.api), "--rtp-ports", self.rtp_ports,
                stdout=log, stderr=log, env=self._environment,
            )  # fmt: skip
        await self._until_ready()

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL: as if the machine had taken it. Returns when the process is gone."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not end it. Idempotent."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def wait(self) -> int:
        """Until the server has ended; its exit status, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    def children(self) -> dict[int, str]:
        """The server's child processes now: process id → command line."""
        return {pid: _command_line(pid) for pid in _pids() if _parent(pid) == self.pid}

    async def get(self, path: str) -> Any:
        """`data` of the answer. Raises NodeFailed."""
        return await self._request("GET", path)

    async def post(self, path: str, body: Any) -> Any:
        """`data` of the answer. Raises NodeFailed."""
        return await self._request("POST", path, body)

    async def _request(self, method: str, path: str, body: Any = None) -> Any:
        assert self.http is not None
        response = await self.http.request(method, path, json=body)
        if response.is_error:
            raise NodeFailed(f"{method} {path}: {response.status_code} {response.text}")
        return response.json()["data"]

    async def _leave(self) -> None:
        if self.http is not None:
            await self.http.aclose()
        await self.stop()

    async def _until_ready(self) -> None:
        assert self.http is not None
        assert self._process is not None
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if self._process.returncode is not None:
                break
            try:
                if (await self.http.get(self._ready_path)).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # It does not listen yet.
            await asyncio.sleep(0.1)
        await self.stop()
        raise NodeFailed(f"the server did not become ready; its log ends:\n{self.log.read_text()[-2000:]}")

    async def _command(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *self._prefix, sys.executable, "-m", "sipserver", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=self._environment,
        )  # fmt: skip
        out, error = await process.communicate()
        if process.returncode:
            raise NodeFailed(error.decode())
        return out.decode().strip()


def free_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and TCP now."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _joined(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int | None:
    """The parent's id, the second field after the name, which may hold spaces (proc(5)); None for a process that is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").replace("\0", " ").strip()
    except OSError:
        return ""
