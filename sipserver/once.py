"""A value that is set once and waited for."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """The first value given counts. Unlike a future it survives that a waiter is cancelled."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._value: list[T] = []

    def set(self, value: T) -> bool:
        """Give the value. False when there is one already, which stays."""
        if self._value:
            return False
        self._value.append(value)
        self._event.set()
        return True

    def is_set(self) -> bool:
        """Whether there is a value."""
        return bool(self._value)

    def get(self, default: T) -> T:
        """The value, or the default while there is none."""
        return self._value[0] if self._value else default

    async def wait(self) -> T:
        """The value, as soon as there is one."""
        await self._event.wait()
        return self._value[0]
