"""A telephone line under simulated time: a peer that sends and reads RTP, and the call's media on the other side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.call_media import RowCallMedia
from media.codecs.g711 import encode
from media.frames import BargeIn, Codec, Direction, HeardFrame, MediaEvent, Pcm, RtpFormat, RtpRemote
from media.inprocess import InProcessPlane
from media.rtp import RtpPacket
from media.sound_table import Sound
from media.vad import Heard

PEER = ("192.0.2.1", 4000)
AT_PEER = RtpRemote(*PEER)
FORMAT = RtpFormat(Codec.PCMU, 0, telephone_event=101)
LOUD = 1000
"""A frame whose peak is above this is speech to `LoudIsSpeech`."""


class LoudIsSpeech:
    """A voice detector without doubts: every frame of 20 ms is judged at once, by its peak."""

    def __init__(self, rows: int) -> None:
        self._heard = Heard(np.zeros(rows, np.float32), np.zeros(rows, np.bool_), np.zeros(rows, np.int64))

    def reset(self, row: int) -> None:
        self._heard.probability[row] = 0

    def set_narrow(self, row: int, narrow: bool) -> None:
        """A peak is a peak in either."""

    def step(self, pcm: Pcm, heard: NDArray[np.bool_] | None = None, rows: NDArray[np.intp] | None = None) -> Heard:
        rows = np.arange(len(self._heard.judged)) if rows is None else rows
        moved = np.ones(len(pcm), np.bool_) if heard is None else heard
        self._heard.judged[:] = False
        self._heard.judged[rows[moved]] = True
        self._heard.probability[rows[moved]] = np.where(np.abs(pcm[moved].astype(int)).max(axis=1) > LOUD, 0.9, 0.0)
        return self._heard


class Line:
    """One call and its peer. `sent` are the RTP packets that left on the call, in order, `control` the RTCP ones."""

    def __init__(self, plane: InProcessPlane, call: RowCallMedia) -> None:
        self.plane = plane
        self.call = call
        self.events: list[MediaEvent] = []
        self.heard: list[HeardFrame] = []
        self.sent: list[RtpPacket] = []
        self.control: list[bytes] = []
        self.sequence = 65530
        self.timestamp = 2**32 - 800

    async def connect(
        self, direction: Direction = Direction.SENDRECV, fmt: RtpFormat = FORMAT, remote: RtpRemote = AT_PEER
    ) -> None:
        await self.plane.during(self.call.connect(remote, fmt, direction))
        self.collect()

    def packet(self, value: int = 0, number: int | None = None, codec: Codec = Codec.PCMU) -> RtpPacket:
        """The peer's packet `number` (the next one without), 20 ms of one value."""
        if number is None:
            number, self.sequence, self.timestamp = 0, self.sequence + 1, self.timestamp + 160
            sequence, timestamp = self.sequence - 1, self.timestamp - 160
        else:
            sequence, timestamp = self.sequence + number, self.timestamp + 160 * number
        payload = encode(np.full(160, value, np.int16), codec).tobytes()
        payload_type = 0 if codec is Codec.PCMU else 8
        return RtpPacket(payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 77, payload)

    def deliver(self, packet: RtpPacket, source: tuple[str, int] = PEER) -> None:
        self.plane.deliver(self.call, bytes(packet), source)

    async def say(self, value: int, ticks: int) -> None:
        """The peer sends one packet of this value each tick."""
        for _ in range(ticks):
            self.deliver(self.packet(value))
            await self.tick()

    async def tick(self, count: int = 1) -> None:
        for _ in range(count):
            await self.plane.tick()
            self.collect()

    def collect(self) -> None:
        for sent in self.plane.take_sent():
            if sent.port == self.call.port:
                self.sent.append(RtpPacket.parse(sent.data))
            else:
                self.control.append(sent.data)

    def of(self, kind: type[MediaEvent]) -> list[Any]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def read_events(self) -> None:
        async for event in self.call.events():
            self.events.append(event)

    async def read_frames(self) -> None:
        async for frame in self.call.hear(0):
            self.heard.append(frame)


@asynccontextmanager
async def open_line(
    recording: Path | None = None,
    timeout_s: float = 30.0,
    barge_in: BargeIn | None = None,
    sounds: Sequence[Sound] = (),
) -> AsyncIterator[Line]:
    """A connected call on its plane, whose events and frames are read; closed at the end."""
    plane = InProcessPlane(rows=2, vad=LoudIsSpeech(2), timeout_s=timeout_s, sounds=sounds)
    line = Line(plane, await plane.during(plane.open("call", recording)))
    async with asyncio.TaskGroup() as group:
        group.create_task(line.read_events())
        group.create_task(line.read_frames())
        if barge_in is not None:
            line.call.set_barge_in(barge_in)
        await line.connect()
        yield line
        await plane.during(line.call.close())
        line.collect()
    plane.stop()


def on_a_line(test: Callable[[Line], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Run a test's coroutine on an open line."""

    async def run() -> None:
        async with open_line(**settings) as line:
            await test(line)

    asyncio.run(run())


def frames(count: int, value: int = 5000) -> Pcm:
    """Frames of one value: what the agent says."""
    return np.full((count, 160), value, np.int16)
