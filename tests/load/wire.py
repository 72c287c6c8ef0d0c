"""What left the server, as tshark saw it: packets that are missing, and the longest time between two."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.peers.capture import TSHARK, output

CAN_CAPTURE = TSHARK is not None and shutil.which("dumpcap") is not None and os.geteuid() == 0
STARTS, ENDS = 1.0, 1.0
"""Seconds for which the capture runs before anything is sent, and after."""


@dataclass(frozen=True, slots=True)
class Streams:
    """All RTP streams that left. `gaps_ms` has the longest time between two packets of each stream, sorted."""

    packets: int
    missing: int
    gaps_ms: tuple[float, ...]


class Outgoing:
    """Captures the RTP that is sent to these ports of this machine. An asynchronous context manager; ask it afterwards."""

    def __init__(self, path: Path, ports: str) -> None:
        self._path = path
        self._ports = ports
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Outgoing:
        self._process = await asyncio.create_subprocess_exec(
            "dumpcap", "-q", "-i", "lo", "-s", "80", "-B", "64", "-f", f"udp dst portrange {self._ports}", "-w", str(self._path),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await asyncio.sleep(STARTS)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        await asyncio.sleep(ENDS)
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

    async def streams(self) -> Streams:
        """What was captured."""
        fields = ("rtp.ssrc", "rtp.seq", "frame.time_epoch")
        columns = [argument for name in fields for argument in ("-e", name)]
        decoded = f"udp.port=={self._ports},rtp"
        text = await output(TSHARK, "-r", str(self._path), "-d", decoded, "-Y", "rtp", "-T", "fields", *columns)
        return streams_of(line.split("\t") for line in text.splitlines())


def streams_of(rows: Iterable[list[str]]) -> Streams:
    """Of (SSRC, sequence number, seconds) of each packet, in the order of the wire."""
    streams: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for ssrc, sequence, at in rows:
        streams[ssrc].append((int(sequence), float(at)))
    steps = [(now[0] - before[0]) % 65536 - 1 for packets in streams.values() for before, now in pairwise(packets)]
    gaps = [max((now[1] - before[1] for before, now in pairwise(packets)), default=0.0) for packets in streams.values()]
    return Streams(
        packets=sum(map(len, streams.values())),
        missing=sum(steps),
        gaps_ms=tuple(sorted(round(gap * 1000, 1) for gap in gaps)),
    )
