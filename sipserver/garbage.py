"""When the collector of garbage runs in a process that answers calls: its usual pace takes 30 % of a busy signalling core."""

from __future__ import annotations

import gc

_YOUNG = 50_000
"""Containers made and not yet gone: about 200 calls. Looking through them takes some 5 ms, in which no message is answered."""
_MIDDLE, _OLD = 5, 10
"""How many collections of the younger ones make one of the next. The objects of a call that is over wait some 1,000 calls at most
(25 MB) unless it lasted longer than those; with the thresholds ten times as high a server grew by a quarter of a gigabyte in 10,000 calls.
"""


def settle_in() -> None:
    """Call it once everything is loaded: what is there stays, and is never looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
