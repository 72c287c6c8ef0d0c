"""How long our own part of the way takes: packet in → frame in the ring, and frame in the ring → packet out.

Some callers say a click of one packet every half second, and silence else. Who holds the ring (the bench, where a conversation is in the
server) notes when a click's frame has woken it and plays a click at once; the caller's socket notes when that comes back, by
the kernel. All of them read the same clock. So the wait for the tick is in both parts, and the waking of a Python process too.
"""

from __future__ import annotations

import bisect
import socket
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from media.bench.callers import Callers
from media.bench.click import CLICK, CODES, is_click_heard
from media.bench.spread import USUAL, spread
from media.call_media import RowCallMedia
from media.codecs.g711 import SILENCE
from media.frames import Codec
from media.rtp import FRAME_SAMPLES, Octets

PROBES = 10
"""The first so many of the calls: one in each phase of the 20 ms."""
_EVERY = 27
"""Frames from click to click, 540 ms: longer than the energy gate stays open, and no divisor of anything."""
_PATIENCE_NS = 300_000_000


def share(calls: int) -> int:
    """How many of so many calls are probes: a twentieth, so that they change what the others cost by little."""
    return min(PROBES, max(1, calls // 20))


def clicks() -> Octets:
    """What a probe says, again and again: uint8, (frames, 160), the click in the first."""
    payloads = np.full((_EVERY, FRAME_SAMPLES), SILENCE[Codec.PCMU], np.uint8)
    payloads[0] = CODES
    return payloads


class Prober(Callers):
    """A caller who says clicks. `sent` has their times, in nanoseconds of the wall clock, just before each packet leaves."""

    def __init__(self, number: int, sockets: list[socket.socket], targets: list[tuple[str, int]]) -> None:
        super().__init__(range(number, number + 1), sockets, targets, clicks())
        self.sent: list[int] = []

    def send(self, number: int) -> None:
        """Send packet `number`."""
        if self.places(number)[0] == 0:
            self.sent.append(time.time_ns())
        super().send(number)


class Returner:
    """The other end of one probing call: what is heard of a click, and the click that answers it. `frames` came, `made_up` of them lost."""

    def __init__(self, call: RowCallMedia) -> None:
        self._call = call
        self.heard: list[int] = []
        self.frames = self.made_up = 0

    async def run(self) -> None:
        """Until the call is over."""
        async for frame in self._call.hear(self._call.position()):
            now = time.time_ns()
            self.frames += 1
            self.made_up += frame.concealed
            if is_click_heard(frame.pcm) and (not self.heard or now - self.heard[-1] > _PATIENCE_NS):
                self._call.play(CLICK[None])
                self.heard.append(now)


def media_path(
    sent: Sequence[Sequence[int]], heard: Sequence[Sequence[int]], returned: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Milliseconds of each part and of both, of all probes together; times in nanoseconds, ascending, one sequence for each call.

    `clicks` says how many there were, `lost` how many did not come back. `heard` may be empty: then only both parts together are known.
    """
    into, out, both = [], [], []
    clicks = 0
    for number, times in enumerate(sent):
        ears = heard[number] if heard else ()
        for began in times:
            clicks += 1
            back = _next(returned[number], began)
            if back is None:
                continue
            both.append((back - began) / 1e6)
            if (ear := _next(ears, began)) is not None and ear <= back:
                into.append((ear - began) / 1e6)
                out.append((back - ear) / 1e6)
    parts = {"in_ms": into, "out_ms": out, "both_ms": both}
    return {"clicks": clicks, "lost": clicks - len(both)} | {
        name: spread(part, USUAL, 1) for name, part in parts.items()
    }


def _next(times: Sequence[int], after: int) -> int | None:
    """The first that is not before, if it comes while anybody would take it for an answer."""
    place = bisect.bisect_left(times, after)
    return times[place] if place < len(times) and times[place] - after < _PATIENCE_NS else None


def settled(sent: Sequence[int], since: int, until: int) -> list[int]:
    """Those clicks of a stretch of time whose answers have had time to come in it."""
    return [time for time in sent if since <= time < until - _PATIENCE_NS]
