"""A caller's socket, listened to: each packet with the time at which the kernel had it."""

from __future__ import annotations

import socket
import struct

from media.bench.capture import Capture
from media.bench.click import is_click
from media.rtp import HEADER

_SO_TIMESTAMPNS = 35
_PCMU = 0


class Listener:
    """One sampled call. Its socket must not block."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock = sock
        self.capture = Capture()
        self.clicks: list[int] = []
        """When packets came that hold a click (`media.bench.probes`)."""

    def drain(self) -> None:
        """Read what has come."""
        while True:
            try:
                data, control, _, _ = self._sock.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if data[1] & 0x7F != _PCMU:
                # RTCP of a call whose peer's port is the one before ours.
                continue
            seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
            sequence, timestamp = struct.unpack_from("!HI", data, 2)
            time = seconds * 1_000_000_000 + nanoseconds
            self.capture.add(time, sequence, timestamp)
            if is_click(data[HEADER:]):
                self.clicks.append(time)

    def forget(self) -> None:
        """What came so far was the warm-up."""
        self.capture.forget()
        self.clicks.clear()
