"""linphonec, a softphone with a codebase of its own (liblinphone, oRTP, mediastreamer): it answers by itself or rings, plays one file
and writes what it hears into another."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.ports import free_block

LINPHONEC = shutil.which("linphonec")
needs_linphonec = pytest.mark.skipif(LINPHONEC is None, reason="linphonec is not installed")
RC = """[sip]
sip_port={port}
sip_tcp_port=-1
sip_tls_port=-1
bind_address=127.0.0.1
default_proxy=-1
guess_hostname=0
contact=sip:linphone@127.0.0.1:{port}
media_encryption={encryption}
media_encryption_mandatory={mandatory}
use_ipv6=0
ipv6_migration_done=1
[rtp]
audio_rtp_port={rtp}
[net]
mtu=1300
firewall_policy=0
stun_server=
[misc]
file_transfer_protocol=none
[audio_codec_0]
mime=G722
rate=8000
channels=1
enabled=1
[auth_info_0]
username=linphone
passwd={password}
realm=antiphon
"""


@dataclass(slots=True)
class Linphone:
    """One of them. Use as an asynchronous context manager; `plays` is a WAV file, `heard` is there when it has ended. Challenged in our
    realm, the user `linphone` answers with `password`. `secure`: it speaks SRTP, and nothing else."""

    folder: Path
    plays: Path
    password: str = "none"
    secure: bool = False
    port: int = 0
    _process: asyncio.subprocess.Process | None = None

    @property
    def heard(self) -> Path:
        """What it has heard: WAV."""
        return self.folder / "heard.wav"

    async def __aenter__(self) -> Linphone:
        assert LINPHONEC is not None
        self.port = free_block(8)
        for part in (".local/share/linphone", ".config/linphone"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        encryption = {"encryption": "srtp" if self.secure else "none", "mandatory": int(self.secure)}
        text = RC.format(port=self.port, rtp=self.port + 2, password=self.password, **encryption)
        (self.folder / "linphonerc").write_text(text)
        with (self.folder / "told.txt").open("wb") as told:
            self._process = await asyncio.create_subprocess_exec(
                *(LINPHONEC, "-c", "linphonerc", "-a", "-d", "4", "-l", "linphone.log"),
                cwd=self.folder,
                env={**os.environ, "HOME": str(self.folder)},
                stdin=asyncio.subprocess.PIPE,
                stdout=told,
                stderr=asyncio.subprocess.STDOUT,
            )
        try:
            await self._listens()
            await self._say("soundcard use files", f"play {self.plays}", f"record {self.heard}")
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def ring(self, uri: str) -> None:
        """Call somebody."""
        await self._say(f"call {uri}")

    async def _listens(self) -> None:
        """Until its SIP port is taken (proc_net(5): local ports are hexadecimal)."""
        assert self._process is not None
        async with asyncio.timeout(20):
            while f":{self.port:04X} " not in Path("/proc/net/udp").read_text():
                assert self._process.returncode is None, self.told()
                await asyncio.sleep(0.05)

    async def _say(self, *commands: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{command}\n" for command in commands).encode())
        await self._process.stdin.drain()

    async def _stop(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            try:
                await self._say("quit")
                async with asyncio.timeout(5):
                    await self._process.wait()
            except (TimeoutError, ConnectionError):
                self._process.kill()
                await self._process.wait()

    def told(self) -> str:
        """What it has said."""
        return (self.folder / "told.txt").read_text(errors="replace")
