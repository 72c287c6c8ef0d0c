"""SIGTERM and SIGINT, by which a node is told to drain and then to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


class Signals:
    """SIGTERM and SIGINT, counted one by one. Made in the running loop, whose handlers of both it is from then on."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._came.put_nowait, None)

    async def wait(self) -> None:
        """Until the next one."""
        await self._came.get()


async def first_of(*waits: Coroutine[Any, Any, None], timeout: float) -> None:
    """Until the first of these is done, or `timeout` seconds are over; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
