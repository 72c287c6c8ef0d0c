"""Whoever watches the wire now. Nobody is waited for: who is too slow loses the oldest messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from sipserver.trace.packet import Packet

QUEUE = 1000
"""Messages that wait for one follower."""


class Followers:
    """Gives every packet to all who follow."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Packet]] = set()

    def __len__(self) -> int:
        return len(self._queues)

    def publish(self, packet: Packet) -> None:
        """A message came or went."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(packet)

    async def follow(self) -> AsyncGenerator[Packet, None]:
        """Every message from now on, until the iteration is closed."""
        queue: asyncio.Queue[Packet] = asyncio.Queue(maxsize=QUEUE)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)
