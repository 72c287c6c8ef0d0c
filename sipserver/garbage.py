"""When the collector of garbage runs in a process that answers calls.

A call leaves it nothing: what it is made of goes when nobody refers to it any more, and tests hold that. So the collector looks once
at what is new, and what it found in use is set aside (`gc.freeze`) and not looked at again: otherwise it would look at all
calls of the last half minute again and again, for 0.1 s and more in which no message is answered. What is garbage all the same,
of whatever is not a call, waits for a full look when there is none.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

_YOUNG = 10_000
"""Containers made and not yet gone: about 40 calls. Looking through them takes 1–3 ms, in which no message is answered."""
_NEVER = 1_000_000_000
LOOK_SECONDS = 60.0
QUIET_SECONDS = 600.0
"""Between two full looks of a server without calls. One takes some 0.1 s."""
BUSY_SECONDS = 1800.0
"""Between two where there are calls at every minute."""


def settle_in() -> None:
    """Call it once everything is loaded: what is there stays, and is not looked through with what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)
    if _set_aside not in gc.callbacks:
        gc.callbacks.append(_set_aside)


def collect_all() -> int:
    """A full look, also at what was set aside; how many objects were garbage."""
    gc.unfreeze()
    found = gc.collect()
    gc.freeze()
    return found


async def sweep(calls: Callable[[], int], collect: Callable[[], int] = collect_all) -> None:
    """A full look now and then, best while there are no `calls`; until cancelled."""
    since = 0.0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        since += LOOK_SECONDS
        if since >= (BUSY_SECONDS if calls() else QUIET_SECONDS):
            since = 0.0
            begun = time.perf_counter()
            found = collect()
            log.debug("garbage collected", objects=found, seconds=round(time.perf_counter() - begun, 3))


def _set_aside(phase: str, _: object) -> None:
    if phase == "stop":
        gc.freeze()
