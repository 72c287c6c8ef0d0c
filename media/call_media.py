"""One call's media as the main process holds it: a row of the shared rings, seen through `media.frames.CallMedia`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

import numpy as np

from media.call_report import MediaReport
from media.dtmf import DIGITS
from media.frames import (
    EAR_RATE,
    EAR_SAMPLES,
    LINE_RATE,
    LINE_SAMPLES,
    BargeIn,
    CallMedia,
    DigitHeard,
    Direction,
    Ducked,
    HeardFrame,
    MarkPlayed,
    MediaEvent,
    MediaFailed,
    MediaTimeout,
    MediaUnavailable,
    Paused,
    Pcm,
    PlayoutIdle,
    Resumed,
    RtpFormat,
    RtpRemote,
    SpeechStarted,
    SpeechStopped,
    SrtpKeys,
    Unbridged,
)
from media.measured import quality_of
from media.peer_host import numeric
from media.records import (
    CODECS,
    DIRECTIONS,
    NO_KEY,
    REFUSED,
    SUITES,
    Command,
    CommandKind,
    Event,
    EventKind,
    pack_others,
)
from media.rings import IN_FRAMES, SharedRings
from media.seen import Look, RtpSeen

if TYPE_CHECKING:
    from media.link import MediaLink
    from media.recorder import Recording

_EVENTS_MAX = 4096
"""Events nobody has read; beyond that the oldest are dropped, for their reader must be gone."""
_SILENCE: Pcm = np.zeros(EAR_SAMPLES, np.int16)


class RowCallMedia:
    """CallMedia (media.frames) on one row of one media process."""

    def __init__(self, call_id: str, link: MediaLink, row: int, generation: int) -> None:
        self.call_id = call_id
        self.host = link.host
        self.port = 0
        self.recording: Recording | None = None
        self.row = row
        self.generation = generation
        self.over = False
        """No more frames or events will come."""
        self.link = link
        self._rings: SharedRings = link.rings
        self._codec = CODECS[0]
        self._events: deque[MediaEvent] = deque(maxlen=_EVENTS_MAX)
        self._wakers: set[asyncio.Future[None]] = set()
        self._report: asyncio.Future[MediaReport] | None = None
        self._look: Look | None = None
        self._last = (0, 0, 0)
        """position, queued and played when the media was over: the row may be another call's since."""

    async def connect(
        self,
        remote: RtpRemote,
        fmt: RtpFormat,
        direction: Direction = Direction.SENDRECV,
        srtp: SrtpKeys | None = None,
    ) -> None:
        """Start sending and hearing, or change the remote, format, direction or keys. A host that is a name is looked up."""
        host = await numeric(remote.host, self.host)
        self._codec = fmt.codec
        await self._ask(
            CommandKind.CONNECT,
            host=host.encode("ascii"),
            port=remote.port,
            on=int(remote.xr),
            rtcp_port=remote.rtcp_port if remote.rtcp_port is not None else remote.port + 1,
            codec=CODECS.index(fmt.codec),
            payload_type=fmt.payload_type,
            telephone_event=-1 if fmt.telephone_event is None else fmt.telephone_event,
            ptime=fmt.ptime,
            direction=DIRECTIONS.index(direction),
            suite=SUITES.index(None if srtp is None else srtp.suite),
            local_key=NO_KEY if srtp is None else srtp.local,
            remote_key=NO_KEY if srtp is None else srtp.remote,
            event_rate=fmt.event_rate,
            fec=int(fmt.fec),
            bitrate=fmt.bitrate or 0,
            others=pack_others(fmt.others),
        )

    async def events(self) -> AsyncIterator[MediaEvent]:
        """Every event in order, until the media is closed or has failed."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self.over:
                return
            await self._change()

    def position(self) -> int:
        """The position of the tick that is under way; 0 before `connect`."""
        if self.over:
            return self._last[0]
        origin = int(self._rings.row.origin[self.row])
        if origin < 0:
            return 0
        return max(0, int(self._rings.process.tick[0]) - origin) * LINE_SAMPLES

    async def hear(self, start: int) -> AsyncIterator[HeardFrame]:
        """Frames from position `start` on. What this consumer was too slow for comes as silence, marked concealed."""
        index = self._index_at(start)
        expected: int | None = None
        while True:
            frame = self._read(index)
            if frame is None:
                if self.over:
                    return
                await self._change()
                continue
            index, heard = frame
            if expected is not None:
                for at in range(expected, heard.at - LINE_SAMPLES + 1, LINE_SAMPLES):
                    yield HeardFrame(at, _SILENCE, 0.0, concealed=True)
            expected = heard.at + LINE_SAMPLES
            yield heard

    def _index_at(self, start: int) -> int:
        """The oldest frame of the ring that ends after `start`."""
        head = int(self._rings.row.in_head[self.row])
        index = head
        for n in range(head - 1, max(0, head - IN_FRAMES // 2) - 1, -1):
            if self._rings.in_at[self.row, n % IN_FRAMES] + LINE_SAMPLES <= start:
                break
            index = n
        return index

    def _read(self, index: int) -> tuple[int, HeardFrame] | None:
        """Frame `index`, or the oldest after it that is whole, and the index after it. None when it has not come yet."""
        rings, row = self._rings, self.row
        while not self.over:
            head = int(rings.row.in_head[row])
            if index >= head:
                return None
            index = max(index, head - IN_FRAMES + IN_FRAMES // 8)
            slot = index % IN_FRAMES
            heard = HeardFrame(
                at=int(rings.in_at[row, slot]),
                pcm=rings.in_pcm[row, slot].copy(),
                speech=float(rings.in_speech[row, slot]),
                concealed=bool(rings.in_concealed[row, slot]),
            )
            if int(rings.row.in_head[row]) - index < IN_FRAMES:
                return index + 1, heard
        return None

    def set_barge_in(self, barge_in: BargeIn) -> None:
        """Takes effect with the next tick."""
        self._tell(
            CommandKind.BARGE_IN,
            on=int(barge_in.enabled),
            threshold=barge_in.threshold,
            cooldown_ms=barge_in.cooldown_ms,
        )

    def set_background(self, sound_id: str | None, volume: float) -> None:
        """Takes effect with the next tick."""
        number = -1 if sound_id is None else self.link.sounds.get(sound_id, -1)
        self._tell(CommandKind.BACKGROUND, sound=number, volume=volume)

    @property
    def rate(self) -> int:
        """At which rate `play` takes speech without loss."""
        return EAR_RATE if self._codec.is_wideband else LINE_RATE

    def room(self) -> int:
        """How many more frames `play` takes now; none once the media is over."""
        return 0 if self.over else self._rings.out_room(self.row)

    def queued(self) -> int:
        """Frames given to `play`, in all."""
        return self._last[1] if self.over else int(self._rings.row.out_head[self.row])

    def played(self) -> int:
        """Frames that have left on the wire; `resume` sets it back to where it goes on."""
        return self._last[2] if self.over else int(self._rings.row.played[self.row])

    def play(self, frames: Pcm, mark: int = 0) -> int:
        """Queue frames, int16 (n, 160) or (n, 320). Returns how many were taken."""
        if self.over:
            return 0
        return self._rings.put_out(self.row, frames, mark)

    async def wait_room(self, frames: int) -> None:
        """Until `room() >= frames`, or the media is over."""
        while not self.over and self.room() < frames:
            await self._change()

    async def flush(self) -> int:
        """Drop what is queued now; what `play` is given while this waits is kept."""
        played = await self._ask(CommandKind.FLUSH, frame=self.queued())
        return played if played >= 0 else self.played()

    async def resume(self, frame: int) -> None:
        """End a pause and go on from frame number `frame`, counted as `played` counts."""
        await self._ask(CommandKind.RESUME, frame=frame)

    async def send_digits(self, digits: str) -> bool:
        """Send keys one after the other, 100 ms each, 60 ms apart. ValueError for what is no key of RFC 4733.

        As telephone-events, or as tones to a peer that takes none. False when it holds us, has too many to come yet, or the call is over.
        """
        codes = [DIGITS.find(digit) for digit in digits.upper()]
        if not codes or -1 in codes:
            raise ValueError(f"{digits!r} is not a string of the keys {DIGITS}.")
        for code in codes[:-1]:
            self._tell(CommandKind.DIGIT, digit=code)
        return await self._ask(CommandKind.DIGIT, digit=codes[-1], on=1) != REFUSED

    async def bridge(self, other: CallMedia, *, digits: bool = True) -> None:
        """From the next tick on play to each what is heard of the other. Raises MediaUnavailable, ValueError."""
        beside = row_of(other)
        if (beside.link, beside.row) == (self.link, self.row):
            raise ValueError("A call cannot be bridged to itself.")
        if beside.link is not self.link:
            raise MediaUnavailable("The two calls are not in the same media process.")
        done = await self._ask(CommandKind.BRIDGE, other=beside.row, other_generation=beside.generation, on=int(digits))
        if done == REFUSED:
            raise MediaUnavailable("One of the two calls is over.")

    async def unbridge(self) -> None:
        """End the bridge, if there is one."""
        await self._ask(CommandKind.UNBRIDGE)

    async def set_recording(self, on: bool) -> None:
        """Off: silence is laid into the recording."""
        await self._ask(CommandKind.RECORDING, on=int(on))

    def look(self, take: Look | None) -> None:
        """Takes effect with the next tick."""
        self._look = take
        self._tell(CommandKind.LOOK, on=int(take is not None))

    async def close(self) -> MediaReport:
        """Stop sending, free the port and complete the recording."""
        if self._report is None:
            self._report = asyncio.get_running_loop().create_future()
            self.link.close(self)
        return await asyncio.shield(self._report)

    # What follows is for `media.link` only.

    def take(self, event: Event) -> None:
        """An event of this row came."""
        if (public := _public(event)) is not None:
            self._events.append(public)

    def see(self, seen: RtpSeen) -> None:
        """A packet of this row came or left."""
        if self._look is not None:
            self._look(seen)

    def fail(self, reason: str) -> None:
        """The media process is gone."""
        if not self.over:
            self._events.append(MediaFailed(self.position(), reason))
            self.end()

    def end(self) -> None:
        """Nothing more comes; whoever waits is woken to see it."""
        if not self.over:
            self._last = (self.position(), self.queued(), self.played())
            self.over = True
        self.wake()

    def report(self) -> None:
        """Everything is written: hand the report to who closed the call."""
        if self._report is None:
            self._report = asyncio.get_running_loop().create_future()
        if not self._report.done():
            self._report.set_result(self._measure())

    def wake(self) -> None:
        """Something may have changed for those who wait on this call."""
        wakers, self._wakers = self._wakers, set()
        for waker in wakers:
            if not waker.done():
                waker.set_result(None)

    def _measure(self) -> MediaReport:
        row, counters = self.row, self._rings.row
        mos = int(counters.mos_milli[row])
        return MediaReport(
            packets_sent=int(counters.packets_sent[row]),
            packets_received=int(counters.packets_received[row]),
            packets_lost=int(counters.packets_lost[row]),
            packets_late=int(counters.packets_late[row]),
            jitter_ms=int(counters.jitter_us[row]) / 1000,
            mos=mos / 1000 if mos else None,
            codec=self._codec.value,
            duration_samples=int(counters.frontier[row]),
            problem=self.recording.problem if self.recording is not None else None,
            quality=quality_of(self._rings, row),
        )

    async def _change(self) -> None:
        """Until the next tick that concerns this call."""
        waker = asyncio.get_running_loop().create_future()
        self._wakers.add(waker)
        try:
            await waker
        finally:
            self._wakers.discard(waker)

    def _tell(self, kind: CommandKind, **fields: int | float | bytes) -> None:
        if not self.over:
            self.link.send(Command(kind, self.row, self.generation, **fields))  # type: ignore[arg-type]

    async def _ask(self, kind: CommandKind, **fields: int | float | bytes) -> int:
        if self.over:
            return REFUSED
        return await self.link.ask(Command(kind, self.row, self.generation, **fields))  # type: ignore[arg-type]


def row_of(media: CallMedia) -> RowCallMedia:
    """The row behind a call's media, also behind one that stands for it and hands on what it has not itself."""
    return cast(RowCallMedia, media)


def _public(event: Event) -> MediaEvent | None:
    """The event as the other rooms know it; None for one that is only the planes' own."""
    at = event.at
    match event.kind:
        case EventKind.SPEECH_STARTED:
            return SpeechStarted(at)
        case EventKind.SPEECH_STOPPED:
            return SpeechStopped(at)
        case EventKind.DUCKED:
            return Ducked(at)
        case EventKind.PAUSED:
            return Paused(at, event.a)
        case EventKind.RESUMED:
            return Resumed(at, event.a)
        case EventKind.MARK_PLAYED:
            return MarkPlayed(at, event.a)
        case EventKind.PLAYOUT_IDLE:
            return PlayoutIdle(at)
        case EventKind.DIGIT_HEARD:
            return DigitHeard(at, DIGITS[event.a], event.b)
        case EventKind.MEDIA_TIMEOUT:
            return MediaTimeout(at)
        case EventKind.UNBRIDGED:
            return Unbridged(at)
    return None
