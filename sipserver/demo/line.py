"""The media of a synthetic telephone: a packet every 20 ms both ways, and what can be measured at that end of the wire.

It is no part of the server: an ordinary peer of plain sockets, so that what it measures is what a caller would notice.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from media.codecs import g711
from media.dtmf import EventPacket, EventSender
from media.frames import LINE_SAMPLES, Codec, Pcm, RtpFormat, RtpRemote
from media.rtp import RtpError, RtpPacket
from sipserver.codecs import EVENT_PAYLOAD_TYPE

TICK = 0.02
LOUD = 300.0
"""Root mean square above which a packet counts as speech: −41 dBFS, far above comfort noise and far below any voice."""
QUIET_PACKETS = 30
"""So many packets without speech (600 ms) end what the other side was saying: more than a busy machine puts between sentences."""


class SilentLine(Exception):
    """What was waited for on the line did not come in time; the text says what."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of speech of one side, in seconds of the event loop's clock: first sample to last sample."""

    start: float
    end: float


@dataclass(slots=True)
class Received:
    """What came in, as a capture would tell it."""

    packets: int = 0
    sequence_gaps: int = 0
    timestamp_jumps: int = 0
    last: RtpPacket | None = None

    def count(self, packet: RtpPacket) -> None:
        """Packets must follow each other by one in sequence, and by 160 in timestamp."""
        if self.last is not None:
            self.sequence_gaps += (packet.sequence - self.last.sequence) % 65536 != 1
            self.timestamp_jumps += (packet.timestamp - self.last.timestamp) % 2**32 != LINE_SAMPLES
        self.packets += 1
        self.last = packet


@dataclass(slots=True)
class _Ear:
    """Turns packets into stretches of speech."""

    start: float | None = None
    last_loud: float = 0.0
    quiet: int = 0
    stretches: list[Spoken] = field(default_factory=list)

    def hear(self, loud: bool, now: float) -> None:
        if loud:
            self.start = now if self.start is None else self.start
            self.last_loud, self.quiet = now, 0
        elif self.start is not None:
            self.quiet += 1
            if self.quiet >= QUIET_PACKETS:
                self.stretches.append(Spoken(self.start, self.last_loud + TICK))
                self.start, self.quiet = None, 0


class Line:
    """One call's media at the caller's end. Made with its port bound; sends from `connect` until `close`."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self.received = Received()
        self.spoken: list[Spoken] = []
        self._ear = _Ear()
        self._heard = asyncio.Condition()
        self._queue: list[bytes] = []
        self._events: list[EventPacket] = []
        self._event_start = 0
        self._sequence, self._timestamp, self._ssrc = 7, 0, 0xA17
        self._remote: tuple[str, int] | None = None
        self._format = RtpFormat(Codec.PCMU, 0)
        self._drained = asyncio.Event()
        self._drained.set()
        self._task: asyncio.Task[None] | None = None
        self.on_speech: Callable[[str, bool], None] = lambda who, on: None
        """Called with ("caller" or "agent", begins or ends)."""
        self.on_frame: Callable[[Pcm], None] = lambda frame: None
        """Called with everything that is heard: int16, (n,), 8 kHz."""

    def connect(self, remote: RtpRemote, fmt: RtpFormat) -> None:
        """Begin to send and to hear."""
        self._remote, self._format = (remote.host, remote.port), fmt
        if self._task is None:
            asyncio.get_running_loop().add_reader(self._socket, self._drain)
            self._task = asyncio.create_task(self._pace(), name="synthetic-line")

    async def close(self) -> None:
        """Stop. Idempotent."""
        if self._task is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._socket.close()

    async def say(self, pcm: Pcm) -> Spoken:
        """Speak. pcm: int16, (n,), 8 kHz, without silence at its ends. Returns when its last sample has left."""
        frames = np.zeros((-(-len(pcm) // LINE_SAMPLES), LINE_SAMPLES), np.int16)
        frames.reshape(-1)[: len(pcm)] = pcm
        self._queue.extend(g711.encode(frame, self._format.codec).tobytes() for frame in frames)
        self._drained.clear()
        start = asyncio.get_running_loop().time()
        self.on_speech("caller", True)
        await self._drained.wait()
        self.on_speech("caller", False)
        self.spoken.append(Spoken(start, asyncio.get_running_loop().time()))
        return self.spoken[-1]

    async def press(self, digit: str, duration_ms: int = 120) -> None:
        """Press a key (RFC 4733). Returns when its last packet has left."""
        self._events.extend(EventSender(digit, duration_ms))
        self._drained.clear()
        await self._drained.wait()

    async def agent_begins(self, timeout: float) -> float:
        """When the agent next speaks (or has begun to): the arrival of its first loud packet. Raises SilentLine."""
        await self._until(lambda: self._ear.start is not None, timeout, "the agent did not speak")
        assert self._ear.start is not None
        return self._ear.start

    async def agent_begins_after(self, when: float, timeout: float) -> float:
        """When the agent speaks that did not speak before `when`. Raises SilentLine."""
        await self._until(lambda: (self._ear.start or 0) >= when, timeout, "the agent did not answer")
        assert self._ear.start is not None
        return self._ear.start

    async def agent_ends(self, timeout: float) -> Spoken:
        """Until the agent has spoken and fallen silent. Raises SilentLine."""
        before = len(self._ear.stretches)
        await self._until(lambda: len(self._ear.stretches) > before, timeout, "the agent did not finish speaking")
        return self._ear.stretches[-1]

    def send_raw(self, data: bytes) -> None:
        """Send bytes that need not be RTP, from the line's own address."""
        if self._remote is not None:
            self._socket.sendto(data, self._remote)

    @property
    def remote(self) -> tuple[str, int] | None:
        """Where this line sends to: the server's RTP address for the call. None before `connect`."""
        return self._remote

    @property
    def agent_spoke(self) -> list[Spoken]:
        """Every finished stretch of the agent's speech."""
        return self._ear.stretches

    @property
    def agent_began(self) -> list[float]:
        """When each stretch of the agent's speech began, the one that runs (or that the BYE cut off) included."""
        running = [] if self._ear.start is None else [self._ear.start]
        return [spoken.start for spoken in self._ear.stretches] + running

    async def _until(self, true: Callable[[], bool], timeout: float, what: str) -> None:
        try:
            async with asyncio.timeout(timeout), self._heard:
                await self._heard.wait_for(true)
        except TimeoutError:
            raise SilentLine(f"{what} within {timeout:g} s") from None

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._send_one()
            async with self._heard:
                self._heard.notify_all()
            due += TICK
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _send_one(self) -> None:
        if self._events:
            packet = self._event_packet(self._events.pop(0))
        else:
            silence = b"\xff" if self._format.codec is Codec.PCMU else b"\xd5"
            payload = self._queue.pop(0) if self._queue else silence * LINE_SAMPLES
            packet = self._packet(self._format.payload_type, payload, False, self._timestamp)
        self._sequence = (self._sequence + 1) % 65536
        self._timestamp = (self._timestamp + LINE_SAMPLES) % 2**32
        if self._remote is not None:
            try:
                self._socket.sendto(bytes(packet), self._remote)
            except OSError:
                pass  # The far end has closed its port; its BYE is on the way.
        if not self._queue and not self._events:
            self._drained.set()

    def _event_packet(self, event: EventPacket) -> RtpPacket:
        """All packets of one key carry the time at which it was pressed (RFC 4733 section 2.5.1.2)."""
        if event.marker:
            self._event_start = self._timestamp
        payload_type = self._format.telephone_event or EVENT_PAYLOAD_TYPE
        return self._packet(payload_type, event.payload, event.marker, self._event_start + event.offset)

    def _packet(self, payload_type: int, payload: bytes, marker: bool, timestamp: int) -> RtpPacket:
        return RtpPacket(payload_type, self._sequence, timestamp % 2**32, self._ssrc, payload, marker)

    def _receive(self) -> tuple[bytes, float]:
        """A packet, and when it came by the loop's clock. Raises BlockingIOError when there is none."""
        return self._socket.recv(2048), asyncio.get_running_loop().time()

    def _drain(self) -> None:
        while True:
            try:
                data, now = self._receive()
            except BlockingIOError:
                return
            except OSError:
                continue
            try:
                self._take(RtpPacket.parse(data), now)
            except RtpError:
                continue

    def _take(self, packet: RtpPacket, now: float) -> None:
        if packet.payload_type != self._format.payload_type:
            return
        self.received.count(packet)
        pcm = g711.decode(np.frombuffer(packet.payload, np.uint8), self._format.codec)
        self.on_frame(pcm)
        loud = bool(np.sqrt(np.mean(pcm.astype(np.float32) ** 2)) > LOUD)
        before = self._ear.start
        self._ear.hear(loud, now)
        if (before is None) != (self._ear.start is None):
            self.on_speech("agent", before is None)
