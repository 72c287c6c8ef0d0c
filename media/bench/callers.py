"""Callers who send in the same instant: their packets are rows of one array, so that a load costs less than what it loads."""

from __future__ import annotations

import socket
import struct

import numpy as np
from numpy.typing import NDArray

from media.rtp import FRAME_SAMPLES, HEADER, Octets

_APART = 7
"""Frames between what one caller says and the next one."""


class Callers:
    """The calls of `numbers`. `payloads`: uint8, (frames, 160), what all of them say, again and again, each elsewhere in it."""

    def __init__(
        self, numbers: range, sockets: list[socket.socket], targets: list[tuple[str, int]], payloads: Octets
    ) -> None:
        self._payloads = payloads
        self._offset = _APART * np.array(numbers, np.int64)
        self._packets = np.zeros((len(numbers), HEADER + FRAME_SAMPLES), np.uint8)
        self._packets[:, 0] = 0x80
        self._packets[:, 8:12] = np.array(numbers, ">u4").view(np.uint8).reshape(-1, 4)
        self._sends = [
            (sockets[number].sendto, line.data, targets[number])
            for number, line in zip(numbers, self._packets, strict=True)
        ]

    def places(self, number: int) -> NDArray[np.int64]:
        """Which of the payloads each call's packet `number` holds."""
        return (number + self._offset) % len(self._payloads)

    def send(self, number: int) -> None:
        """Send packet `number` of each call."""
        header = struct.pack("!HI", number & 0xFFFF, number * FRAME_SAMPLES & 0xFFFFFFFF)
        self._packets[:, 2:8] = np.frombuffer(header, np.uint8)
        self._packets[:, HEADER:] = self._payloads[self.places(number)]
        for send, packet, target in self._sends:
            try:
                send(packet, target)
            except OSError:
                continue
