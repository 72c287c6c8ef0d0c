"""An asyncio loop whose clock jumps: it never waits, so a test of hours takes milliseconds and is exact.

`run(main())` is `asyncio.run` under that loop. Where a real loop would sleep until its next timer, this one sets its clock
to it. Where a real loop would wait for ever, this one raises: nothing can happen any more, and the test has a dead end.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE = 0.2
"""Real seconds that a socket or a thread gets before a test without timers counts as a dead end."""


class DeadEnd(RuntimeError):
    """Every task waits for something that cannot come."""


class _JumpingSelector(selectors.DefaultSelector):
    """Looks at the sockets without waiting, and moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            ready = super().select(_PATIENCE)
            if ready:
                return ready
            raise DeadEnd("No timer is set and no socket is ready: this test would wait for ever.")
        self.now += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0.0 and moves only by timers."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Simulated seconds."""
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end under a loop of its own. Tasks left over are cancelled, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Simulated seconds since the test began."""
    return asyncio.get_running_loop().time()


def microseconds() -> int:
    """The simulated clock as times of the store: µs, with 0 at the test's begin."""
    return round(now() * 1_000_000)
