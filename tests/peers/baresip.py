"""baresip, an independent softphone: one that echoes what it hears, and one that plays a file and hangs up at its end."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.peers.ports import free_block

BARESIP = shutil.which("baresip")
needs_baresip = pytest.mark.skipif(BARESIP is None, reason="baresip is not installed")
TEMPLATES = Path(__file__).parent / "baresip"
ECHO = "aubridge,loop"
READY = b"baresip is ready"
PORTS = 22


@dataclass(slots=True)
class Baresip:
    """A softphone that answers by itself. `source` is what it plays, `ECHO` or `aufile,PATH`; `dials`, a SIP URI, is rung at once.
    `secure`: it speaks SRTP, and nothing else. `codec` is the one that it knows. Challenged, it answers as `user` with `password`.
    Use as an asynchronous context manager."""

    folder: Path
    user: str
    source: str
    dials: str | None = None
    secure: bool = False
    codec: str = "PCMU/8000,PCMA/8000"
    password: str | None = None
    port: int = 0
    log: list[str] = field(default_factory=list)
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Baresip:
        assert BARESIP is not None
        self.port = free_block(PORTS)
        dial = ["-e", f"/dial {self.dials}"] if self.dials else []
        self._process = await asyncio.create_subprocess_exec(
            *(BARESIP, "-4", "-f", str(self._written()), "-v", *dial),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        ready = asyncio.Event()
        self._reader = asyncio.create_task(self._read(ready))
        try:
            async with asyncio.timeout(20):
                await ready.wait()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _read(self, ready: asyncio.Event) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.log.append(line.decode(errors="replace").rstrip())
            if READY in line:
                ready.set()

    async def _stop(self) -> None:
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reader

    def _written(self) -> Path:
        texts = {
            "port": str(self.port),
            "rtp": f"{self.port + 2}-{self.port + PORTS - 1}",
            "source": self.source,
            "player": ECHO,
            "user": self.user,
            "srtp": "module\t\t\tsrtp.so" if self.secure else "",
            "codec": self.codec,
            "rate": "8000" if "PCM" in self.codec else "16000",
            "credentials": f";auth_pass={self.password}" if self.password else "",
            "encryption": ";mediaenc=srtp-mand" if self.secure else "",
        }
        folder = self.folder / f"baresip-{self.port}"
        folder.mkdir(parents=True)
        (folder / "contacts").touch()
        for template in ("config", "accounts"):
            text = (TEMPLATES / template).read_text()
            for word, value in texts.items():
                text = text.replace(f"@{word}@", value)
            (folder / template).write_text(text)
        return folder
