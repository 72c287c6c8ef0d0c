"""Two calls on one plane under simulated time, each with a peer that sends what it is given and keeps what it gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from media.call_media import RowCallMedia
from media.codecs.g711 import decode, encode
from media.dtmf import TelephoneEvent
from media.frames import Codec, Direction, MediaEvent, Pcm, RtpFormat, RtpRemote
from media.inprocess import InProcessPlane
from media.rtp import RtpPacket
from tests.media.process.line import LoudIsSpeech

KEYS = 101
PAYLOAD_TYPE = {Codec.PCMU: 0, Codec.PCMA: 8}


class Side:
    """One call and its peer. `voice` is what the peer sends, in a loop; None: it sends nothing. `got` are the packets it got,
    `said` the samples its peer has sent."""

    def __init__(self, plane: InProcessPlane, call: RowCallMedia, codec: Codec, number: int) -> None:
        self.plane = plane
        self.call = call
        self.codec = codec
        self.peer = (f"192.0.2.{number}", 4000)
        self.voice: Pcm | None = None
        self.got: list[RtpPacket] = []
        self.events: list[MediaEvent] = []
        self.sequence = 1000 * number
        self.said = 0

    async def connect(self, direction: Direction = Direction.SENDRECV, telephone_event: int | None = KEYS) -> None:
        fmt = RtpFormat(self.codec, PAYLOAD_TYPE[self.codec], telephone_event)
        await self.call.connect(RtpRemote(*self.peer), fmt, direction)

    def next_packet(self) -> RtpPacket | None:
        """The peer's packet of this tick."""
        at, self.said = self.said, self.said + 160
        self.sequence += 1
        if self.voice is None:
            return None
        pcm = np.take(self.voice, range(at, at + 160), mode="wrap")
        payload = encode(pcm, self.codec).tobytes()
        return RtpPacket(
            PAYLOAD_TYPE[self.codec], self.sequence & 0xFFFF, 160 * self.sequence, self.sequence // 10**6, payload
        )

    def deliver(self, packet: RtpPacket) -> None:
        self.plane.deliver(self.call, bytes(packet), self.peer)

    def press(self, code: int) -> list[RtpPacket]:
        """The packets of a key, 60 ms and its end."""
        packets = []
        for step in range(1, 5):
            self.sequence += 1
            event = TelephoneEvent(code, step > 3, 10, 160 * min(step, 3))
            packets.append(RtpPacket(KEYS, self.sequence & 0xFFFF, 160 * (self.sequence - step), 0, bytes(event)))
        return packets

    def heard(self, first: int = 0, last: int | None = None) -> Pcm:
        """What the peer hears in its audio packets from number `first` to before `last`."""
        audio = [packet for packet in self.got if packet.payload_type != KEYS]
        octets = b"".join(packet.payload for packet in audio[first:last])
        return decode(np.frombuffer(octets, np.uint8), self.codec)

    def of(self, kind: type[MediaEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def read_events(self) -> None:
        async for event in self.call.events():
            self.events.append(event)


class Pair:
    """Two sides. `lost(side, tick)` says which of the peers' packets the network loses."""

    def __init__(self, plane: InProcessPlane, one: Side, two: Side) -> None:
        self.plane = plane
        self.sides = (one, two)
        self.lost: Callable[[Side, int], bool] = lambda side, tick: False
        self._ticks = 0

    async def tick(self, count: int = 1) -> None:
        """Each tick every peer that has a voice sends a packet."""
        for _ in range(count):
            for side in self.sides:
                packet = side.next_packet()
                if packet is not None and not side.call.over and not self.lost(side, self._ticks):
                    side.deliver(packet)
            self._ticks += 1
            await self.plane.tick()
            self.collect()

    async def during(self, action: Coroutine[Any, Any, Any]) -> Any:
        """Tick until the action is done; the peers talk on meanwhile."""
        task = asyncio.ensure_future(action)
        await self.plane.settle()
        while not task.done():
            await self.tick()
        return await task

    def collect(self) -> None:
        for sent in self.plane.take_sent():
            for side in self.sides:
                if sent.port == side.call.port:
                    side.got.append(RtpPacket.parse(sent.data))


@asynccontextmanager
async def open_pair(codecs: tuple[Codec, Codec], recording: Path | None, timeout_s: float) -> AsyncIterator[Pair]:
    """Two connected calls, the first with a recording, whose events are read; closed at the end."""
    plane = InProcessPlane(rows=3, vad=LoudIsSpeech(3), timeout_s=timeout_s)
    first = await plane.during(plane.open("first", recording))
    second = await plane.during(plane.open("second", None, beside=first))
    one, two = Side(plane, first, codecs[0], 1), Side(plane, second, codecs[1], 2)
    pair = Pair(plane, one, two)
    async with asyncio.TaskGroup() as group:
        for side in pair.sides:
            group.create_task(side.read_events())
            await plane.during(side.connect())
        plane.take_sent()
        yield pair
        for side in pair.sides:
            await plane.during(side.call.close())
    plane.stop()


def on_a_pair(
    test: Callable[[Pair], Coroutine[Any, Any, None]],
    codecs: tuple[Codec, Codec] = (Codec.PCMU, Codec.PCMA),
    recording: Path | None = None,
    timeout_s: float = 30.0,
) -> None:
    """Run a test's coroutine on an open pair."""

    async def run() -> None:
        async with open_pair(codecs, recording, timeout_s) as pair:
            await test(pair)

    asyncio.run(run())
