"""A caller's line whose packets are timed by the kernel: what it measures does not depend on how busy the caller is."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from itertools import pairwise

from media.bench.capture import Capture
from media.rtp import RtpPacket
from sipserver.demo.line import Line

_SO_TIMESTAMPNS = 35


class CapturedLine(Line):
    """A line that keeps when each packet came, in `capture`; what was spoken is timed by the same clock."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.capture = Capture()
        self._behind = time.time() - asyncio.get_running_loop().time()
        """The wall clock, by which the kernel stamps, minus the loop's."""
        self._came = 0

    def _receive(self) -> tuple[bytes, float]:
        data, control, _, _ = self._socket.recvmsg(2048, 64)
        seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
        self._came = seconds * 1_000_000_000 + nanoseconds
        return data, self._came / 1e9 - self._behind

    def _take(self, packet: RtpPacket, now: float) -> None:
        super()._take(packet, now)
        if packet.payload_type == self._format.payload_type:
            self.capture.add(self._came, packet.sequence, packet.timestamp)


def longest_gap_ms(capture: Capture) -> float:
    """The longest time between two packets."""
    return max((after - before for before, after in pairwise(capture.times)), default=0) / 1e6
