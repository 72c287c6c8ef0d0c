"""The demo's server: a process of its own, as an operator would start it, on free ports of this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

START_SECONDS = 60.0
STOP_SECONDS = 20.0


class NodeFailed(Exception):
    """The server did not start, or refused a request; the text says why."""


class DemoNode:
    """`antiphon serve` on a data folder. An asynchronous context manager; inside it calls can be taken."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.sip = ("127.0.0.1", _free_port())
        self.api = ("127.0.0.1", _free_port())
        self.rtp_ports = "20000-29999"
        self.key = ""
        self.log = folder.parent / "server.log"
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
        self.key = await self._command(
            "keys", "create", "--data-dir", str(self.folder), "--name", "demo", "--scope", "admin"
        )
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sipserver", "serve", "--data-dir", str(self.folder),
                "--sip", _joined(self.sip), "--api", _joined(self.api), "--rtp-ports", self.rtp_ports,
                stdout=log, stderr=log, env=self._environment,
            )  # fmt: skip
        self.http = httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30, trust_env=False
        )
        await self._until_ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.http is not None:
            await self.http.aclose()
        await self.stop()

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

    async def wait(self) -> None:
        """Until the server ends by itself."""
        assert self._process is not None
        await self._process.wait()

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

    async def _until_ready(self) -> None:
        assert self.http is not None
        assert self._process is not None
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if self._process.returncode is not None:
                break
            try:
                if (await self.http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass  # It does not listen yet.
            await asyncio.sleep(0.1)
        await self.stop()
        raise NodeFailed(f"the server did not become ready; its log ends:\n{self.log.read_text()[-2000:]}")

    async def _command(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sipserver", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=self._environment,
        )  # fmt: skip
        out, error = await process.communicate()
        if process.returncode:
            raise NodeFailed(error.decode())
        return out.decode().strip()


def _free_port() -> int:
    """A port that is free for UDP and TCP now."""
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
