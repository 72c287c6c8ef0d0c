"""Waiting for what a real socket brings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until the condition holds. Raises TimeoutError after 5 s."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (the kernel sets no asyncio.Event)
            await asyncio.sleep(0.001)
