"""The one timer of an endpoint: it rings when the next of all timers is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """`clock` gives seconds that never go back; `ring` is called when it is time."""

    def __init__(self, clock: Callable[[], float], ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def set(self, due: float | None) -> None:
        """When it is to ring next. One that rings too early does no harm, so it is only set anew when it would ring too late."""
        if due is None or (self._timer is not None and self._due <= due):
            return
        self.stop()
        self._due = due
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._clock()), self._rings)

    def stop(self) -> None:
        """It does not ring any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()
