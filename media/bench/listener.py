"""A caller's socket, listened to: each packet with the time at which the kernel had it."""

from __future__ import annotations

import socket
import struct

from media.bench.capture import Capture

_SO_TIMESTAMPNS = 35
_PCMU = 0


class Listener:
    """One sampled call. Its socket must not block."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock = sock
        self.capture = Capture()

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
            self.capture.add(seconds * 1_000_000_000 + nanoseconds, sequence, timestamp)
