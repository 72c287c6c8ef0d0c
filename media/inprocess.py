"""The media plane inside the calling process, without sockets and without a clock: for tests under simulated time.

Engine, rings, link and calls are the very ones of the media process; only who moves the bytes and who counts the ticks is
different. A test delivers RTP packets to a call's port, ticks, and reads the packets that left:

    plane = InProcessPlane()
    call = await plane.during(plane.open("call-1", None))
    await plane.during(call.connect(RtpRemote("192.0.2.1", 4000), RtpFormat(Codec.PCMU, 0)))
    plane.deliver(call, packet, ("192.0.2.1", 4000))
    await plane.tick()
    [sent] = plane.take_sent()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TypeVar

from media.call_media import RowCallMedia
from media.ear import Detector
from media.engine import Engine
from media.frames import CallMedia
from media.link import MediaLink
from media.quiet import NoiseSuppression
from media.recorder import Recorder
from media.rings import SharedRings
from media.sockets.face import Address
from media.sockets.memory import MemorySockets, Sent
from media.sockets.ports import PortPairs
from media.sound_table import Sound, SoundTable

T = TypeVar("T")

_SETTLE_TURNS = 10
"""Turns of the event loop after each tick, so that what a tick has said has been acted upon before the next one."""
_DRAIN_TICKS = 50


class InProcessPlane:
    """MediaPlane (media.frames) whose ticks are counted by `tick`. To be made inside a running loop."""

    def __init__(
        self,
        rows: int = 4,
        host: str = "127.0.0.1",
        ports: tuple[int, int] = (20000, 20999),
        timeout_s: float = 30.0,
        seed: int = 1,
        vad: Detector | None = None,
        noise: NoiseSuppression = NoiseSuppression.OFF,
        sounds: Sequence[Sound] = (),
    ) -> None:
        self.now = 0
        """The number of the next tick."""
        self.sockets = MemorySockets(PortPairs(*ports))
        rings = SharedRings.create(rows)
        rings.close_fd()
        # Not started: without its thread it writes when it is told to, so that simulated time stays exact.
        self._recorder = Recorder()
        table = SoundTable(sounds)
        table.close()
        self.link = MediaLink(rings, host, self._recorder, kick=_nothing, stuck=self._stuck, sounds=table.numbers)
        self.engine = Engine(
            rings,
            self.sockets,
            timeout_ticks=round(timeout_s * 50),
            seed=seed,
            vad=vad,
            noise=noise,
            loops=table.loops,
            wall=lambda: self.now * 20_000,
        )

    async def open(self, call_id: str, recording: Path | None, beside: CallMedia | None = None) -> RowCallMedia:
        """Take a row; completes with the next tick. Every call is beside every other here. Raises MediaUnavailable."""
        return await self.link.open(call_id, recording)

    def free(self) -> int:
        """How many more calls can be opened now."""
        return self.link.free()

    async def tick(self, count: int = 1) -> None:
        """Run so many ticks, and after each let the loop act on what it said."""
        for _ in range(count):
            self.run_tick()
            await self.settle()

    async def settle(self) -> None:
        """Let everybody act who can, without time going on."""
        for _ in range(_SETTLE_TURNS):
            await asyncio.sleep(0)

    def run_tick(self) -> None:
        """Run one tick; whoever waits for it is woken, but has not run yet."""
        self.engine.listen(self.now)
        self.link.wake()
        if self.engine.speak(self.now):
            self.link.wake()
        self.now += 1
        if self.now % _DRAIN_TICKS == 0:
            self._recorder.drain()

    async def during(self, action: Awaitable[T]) -> T:
        """Begin `action`, tick until it is done, and return what it returns. One command takes one tick."""
        task = asyncio.ensure_future(action)
        await self.settle()
        while not task.done():
            await self.tick()
        return await task

    def deliver(self, call: RowCallMedia, packet: bytes, source: Address, *, control: bool = False) -> None:
        """Let a packet arrive at the call's RTP port, or at its RTCP port."""
        self.sockets.deliver(call.port + control, packet, source)

    def take_sent(self) -> list[Sent]:
        """The packets that left since the last call, RTCP included (from odd ports)."""
        return self.sockets.take_sent()

    def fail(self, reason: str) -> None:
        """What happens to the calls when their media process dies."""
        self.link.fail(reason)

    def stop(self) -> None:
        """Complete every recording."""
        self._recorder.stop()

    def _stuck(self) -> None:
        self.fail("The ring of commands is full.")


def _nothing() -> None:
    """An engine in this process needs no waking."""
