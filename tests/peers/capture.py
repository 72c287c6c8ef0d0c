"""What tshark and ffprobe, independent readers, make of what the server sends and keeps."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

TSHARK, FFPROBE = shutil.which("tshark"), shutil.which("ffprobe")
needs_capture = [
    pytest.mark.skipif(TSHARK is None, reason="tshark is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs root"),
]
needs_ffprobe = pytest.mark.skipif(FFPROBE is None, reason="ffprobe is not installed")
PROBE_SECONDS = 20


async def output(*command: str | None) -> str:
    """What a program prints. Raises AssertionError when it fails."""
    assert command[0] is not None
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet: `at` in seconds."""

    at: float
    sequence: int
    timestamp: int
    ssrc: str
    payload_type: int


class Capture:
    """Captures what goes to or from some UDP ports of this machine. Use as an asynchronous context manager; read it afterwards."""

    def __init__(self, path: Path, sip_port: int, media_port: int) -> None:
        self.path = path
        self._sip, self._media = sip_port, media_port
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Capture:
        assert TSHARK is not None
        ports = f"udp port {self._sip} or udp portrange {self._media}-{self._media + 1}"
        self._process = await asyncio.create_subprocess_exec(
            TSHARK, "-q", "-i", "lo", "-f", ports, "-w", str(self.path),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await self._until_written()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        # What went past is in the file when the last probe is: tshark hands packets on in order.
        await self._until_written()
        await self._stop()

    async def fields(self, chosen: str, *names: str) -> list[list[str]]:
        """The named fields of every packet that a display filter chooses."""
        columns = [argument for name in names for argument in ("-e", name)]
        text = await output(*(TSHARK, "-r", str(self.path), *self._decoded(), "-Y", chosen, "-T", "fields", *columns))
        return [line.split("\t") for line in text.splitlines()]

    async def rtp(self, chosen: str) -> list[Packet]:
        """RTP that a display filter chooses, in the order of the wire."""
        names = ("frame.time_epoch", "rtp.seq", "rtp.timestamp", "rtp.ssrc", "rtp.p_type")
        rows = await self.fields(f"rtp and {chosen}", *names)
        return [Packet(float(row[0]), int(row[1]), int(row[2]), row[3], int(row[4])) for row in rows]

    async def streams(self) -> str:
        """tshark's own table of RTP streams."""
        return await output(TSHARK, "-r", str(self.path), *self._decoded(), "-q", "-z", "rtp,streams")

    def _decoded(self) -> list[str]:
        return [
            *("-d", f"udp.port=={self._sip},sip"),
            *("-d", f"udp.port=={self._media},rtp", "-d", f"udp.port=={self._media + 1},rtcp"),
        ]

    async def _until_written(self) -> None:
        """Send probes to a port that is captured until one more is in the file. Raises TimeoutError."""
        before = self._size()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            async with asyncio.timeout(PROBE_SECONDS):
                while self._size() == before or before == 0:
                    before = before or self._size()
                    probe.sendto(b"\r\n\r\n", ("127.0.0.1", self._sip))
                    await asyncio.sleep(0.05)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    async def _stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


async def probed(path: Path) -> tuple[int, float]:
    """(channels, seconds) of a recording, as ffprobe reads it. What an encoder puts before the first sample (in MP3 1105 samples)
    is told as the start time, and counts in the duration."""
    text = await output(FFPROBE, "-v", "error", "-of", "json", "-show_streams", "-show_format", str(path))
    found = json.loads(text)
    (stream,) = found["streams"]
    return stream["channels"], float(found["format"]["duration"]) - float(found["format"].get("start_time", 0))
