"""What the log says of an overload: when it begins, and when it is over, how many calls it cost. Each call by itself would be too much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

QUIET_SECONDS = 30.0
"""An overload is over when no call was refused for so long."""


class OverloadLog:
    """`clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._calls = 0
        self._begun = self._latest = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def refused(self) -> None:
        """A call was refused."""
        self._latest = self._clock()
        self._calls += 1
        if self._timer is None:
            self._begun = self._latest
            log.warning("sip_overload", meaning="more comes than can be handled in time: new calls get 503")
            self._look_in(QUIET_SECONDS)

    def stop(self) -> None:
        """There will be no more; one that is not over yet is told of."""
        if self._timer is not None:
            self._timer.cancel()
            self._end()

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        left = self._latest + QUIET_SECONDS - self._clock()
        if left > 0:
            self._look_in(left)
        else:
            self._end()

    def _end(self) -> None:
        log.warning("sip_overload_over", calls=self._calls, seconds=round(self._latest - self._begun, 1))
        self._timer, self._calls = None, 0
