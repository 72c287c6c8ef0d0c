"""Scripted fakes with exact times, on a loop whose clock jumps: a conversation is a list of who says what, when.

`play(scene)` runs a whole call. The media plane of the scene ticks every 20 ms: it tells of the caller's speech (one frame after
it begins), ducks on the first frame over the agent, pauses on the second, and plays one frame of the agent a tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from inference.conversation import Conversation, Conversations
from inference.engines import Engines
from inference.llm.base import Finished, LlmDelta, LlmRequest, LlmUnavailable, TextDelta, ToolCall, ToolCallDelta
from inference.stt.base import SttCaps, SttEvent, SttHints, SttUnavailable
from inference.tts.base import TtsChunk, TtsUnavailable, Voice, WordMark
from media.call_report import MediaReport
from media.frames import (
    EAR_SAMPLES,
    LINE_RATE,
    LINE_SAMPLES,
    BargeIn,
    DigitHeard,
    Direction,
    Ducked,
    HeardFrame,
    MarkPlayed,
    MediaEvent,
    MediaFailed,
    MediaTimeout,
    Paused,
    Pcm,
    PlayoutIdle,
    Resumed,
    RtpFormat,
    RtpRemote,
    SpeechStarted,
    SpeechStopped,
    SrtpKeys,
)
from media.seen import Look
from sipserver.protocols import (
    Agent,
    CallDirection,
    CallEnd,
    ConversationEnd,
    EndedReason,
    Handover,
    InboundCall,
    LiveCall,
    LiveEvent,
    Problem,
    SpeechOrder,
    TransferFailure,
    TransferOrder,
    TransferOutcome,
    TransferRecord,
    Utterance,
    Variables,
)
from sipserver.recording_switch import RecordingSwitch
from tests import virtual_time

WORD = 0.3
"""Seconds that a word of the agent takes."""
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Says:
    """The caller speaks from `start` to `end` (seconds); the recogniser makes `text` of it, or rejects it, or is unsure."""

    start: float
    end: float
    text: str
    kind: str = "final"
    confirm: bool = False
    partials: bool = True


@dataclass(frozen=True)
class Presses:
    """The caller presses a key."""

    at: float
    key: str


@dataclass(frozen=True)
class Fails:
    """The media plane says that something is wrong."""

    at: float
    event: str


@dataclass
class Writes:
    """One answer of the scripted language model: pieces of text, or tool calls, the first after `first` seconds."""

    pieces: Sequence[str | ToolCall]
    first: float = 0.3
    between: float = 0.05
    breaks: str | None = None


@dataclass(frozen=True)
class Transfers:
    """What becomes of a transfer: somebody answers after `answers` seconds and is briefed, and after `takes` more it is decided."""

    takes: float = 0.0
    failure: TransferFailure | None = None
    answers: float | None = None


@dataclass
class Scene:
    """A call to be played. Times are seconds on the recording's time line."""

    agent: Agent
    caller: Sequence[Says | Presses | Fails] = ()
    answers: Sequence[Writes] = ()
    open_vocabulary: bool = False
    stt_delay: float = 0.02
    partial_delay: float = 0.1
    stt_fails: Sequence[int] = ()
    no_ears: bool = False
    tts_delay: float = 0.05
    tts_fails_at: int | None = None
    marks: bool = True
    variables: Mapping[str, Any] = field(default_factory=dict)
    not_ready: tuple[str, ...] = ()
    hang_up_at: float | None = None
    hear_resumes: bool = True
    transfers: Sequence[Transfers] = ()
    ordered: Sequence[tuple[float, TransferOrder | SpeechOrder]] = ()
    may_fail: bool = False
    takes_keys: bool = True
    off_record: Sequence[tuple[float, bool]] = ()
    """When an operator puts the call off the record (True), and on it again."""


@dataclass
class Played:
    """What came of it. `sound` is (start, end) in seconds of every stretch in which the agent was heard."""

    end: ConversationEnd
    media: FakeMedia
    log: FakeLog
    llm: FakeLlm
    tts: FakeTts
    stt: FakeStt
    hung_up: bool
    ended_at: float
    desk: FakeDesk

    @property
    def transcript(self) -> list[tuple[str, str]]:
        return [(item.role, item.text) for item in self.log.items]

    @property
    def sound(self) -> list[tuple[float, float]]:
        return self.media.sound()

    def events(self, kind: str) -> list[Mapping[str, Any]]:
        return [event.data for event in self.log.events if event.kind == kind]


class FakeMedia:
    """One call's media on simulated time (`media.frames.CallMedia`)."""

    call_id = "call-1"
    host = "127.0.0.1"
    port = 20000

    def __init__(self, caller: Sequence[Says | Presses | Fails], room: int = 512) -> None:
        self.caller = caller
        self.recording: list[tuple[float, bool]] = []
        self.barge_in: list[tuple[float, BargeIn]] = []
        self.left: list[tuple[int, int]] = []
        """(position, frame number) of every frame of the agent that left."""
        self.flushed: list[tuple[float, int]] = []
        self.resumed: list[tuple[float, int]] = []
        self.pressed: list[tuple[float, str]] = []
        self.takes_keys = True
        self.closed = False
        self._size = room
        self._tick = 0
        self._frames: list[tuple[bool, int]] = []
        self._next = 0
        self._dropped = 0
        self._paused = False
        self._over_speech = 0
        self._was_speaking = False
        self._was_playing = False
        self._events: asyncio.Queue[MediaEvent | None] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._barge_in = BargeIn()

    async def run(self) -> None:
        """The tick."""
        while True:
            await asyncio.sleep(0.02)
            self._tick += 1
            self._hear(self.position() - LINE_SAMPLES)
            self._speak(self.position())
            self._changed.set()
            self._changed = asyncio.Event()

    def speaks(self, at: int) -> bool:
        return any(
            isinstance(turn, Says) and turn.start * LINE_RATE <= at < turn.end * LINE_RATE for turn in self.caller
        )

    def _hear(self, at: int) -> None:
        speaks = self.speaks(at)
        if speaks and not self._was_speaking:
            self._events.put_nowait(SpeechStarted(at))
        if not speaks and self._was_speaking:
            self._events.put_nowait(SpeechStopped(at))
        self._was_speaking = speaks
        self._over_speech = self._over_speech + 1 if speaks and self._playing() and self._barge_in.enabled else 0
        if self._over_speech == 1:
            self._events.put_nowait(Ducked(at))
        if self._over_speech == 2 and not self._paused:
            self._paused = True
            self._events.put_nowait(Paused(at + LINE_SAMPLES, self.played()))
        for turn in self.caller:
            if isinstance(turn, Presses) and at <= turn.at * LINE_RATE < at + LINE_SAMPLES:
                self._events.put_nowait(DigitHeard(at, turn.key, 100))
            if isinstance(turn, Fails) and at <= turn.at * LINE_RATE < at + LINE_SAMPLES:
                self._events.put_nowait(MediaTimeout(at) if turn.event == "timeout" else MediaFailed(at, "gone"))

    def _playing(self) -> bool:
        return self._next < len(self._frames) and not self._paused

    def _speak(self, at: int) -> None:
        if self._paused:
            return
        if self._next < len(self._frames):
            loud, mark = self._frames[self._next]
            if loud:
                self.left.append((at, self.played()))
            if mark:
                self._events.put_nowait(MarkPlayed(at, mark))
            self._next += 1
            self._was_playing = True
        elif self._was_playing:
            self._was_playing = False
            self._events.put_nowait(PlayoutIdle(at))

    def sound(self) -> list[tuple[float, float]]:
        """The stretches in which frames left, gaps of up to 200 ms apart."""
        stretches: list[list[int]] = []
        for at, _ in self.left:
            if stretches and at - stretches[-1][1] <= LINE_RATE // 5:
                stretches[-1][1] = at + LINE_SAMPLES
            else:
                stretches.append([at, at + LINE_SAMPLES])
        return [(start / LINE_RATE, end / LINE_RATE) for start, end in stretches]

    async def connect(
        self,
        remote: RtpRemote,
        fmt: RtpFormat,
        direction: Direction = Direction.SENDRECV,
        srtp: SrtpKeys | None = None,
    ) -> None:
        raise NotImplementedError

    async def events(self) -> AsyncIterator[MediaEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    def position(self) -> int:
        return self._tick * LINE_SAMPLES

    async def hear(self, start: int) -> AsyncIterator[HeardFrame]:
        at = max(0, start) // LINE_SAMPLES * LINE_SAMPLES
        while True:
            while at >= self.position():
                await self._changed.wait()
            yield HeardFrame(at, np.zeros(EAR_SAMPLES, np.int16), float(self.speaks(at)), concealed=False)
            at += LINE_SAMPLES

    def set_background(self, sound_id: str | None, volume: float) -> None:
        """Nothing is heard here."""

    def look(self, take: Look | None) -> None:
        """Nobody looks at packets here: there are none."""

    def set_barge_in(self, barge_in: BargeIn) -> None:
        self._barge_in = barge_in
        self.barge_in.append((virtual_time.now(), barge_in))

    def room(self) -> int:
        return self._size - (len(self._frames) - self._next)

    def queued(self) -> int:
        return len(self._frames) + self._dropped

    def played(self) -> int:
        return self._next

    def play(self, frames: Pcm, mark: int = 0) -> int:
        assert frames.dtype == np.int16
        assert frames.shape[1:] == (LINE_SAMPLES,)
        taken = frames[: self.room()]
        self._frames += [(bool(frame.any()), mark if index == 0 else 0) for index, frame in enumerate(taken)]
        return len(taken)

    rate = 8000

    async def wait_room(self, frames: int) -> None:
        while self.room() < frames and not self.closed:
            await self._changed.wait()

    async def flush(self) -> int:
        self.flushed.append((virtual_time.now(), len(self._frames) - self._next))
        self._dropped += len(self._frames) - self._next
        del self._frames[self._next :]
        self._paused = self._was_playing = False
        return self.played()

    async def resume(self, frame: int) -> None:
        self.resumed.append((virtual_time.now(), frame))
        self._next, self._paused = frame, False
        self._events.put_nowait(Resumed(self.position(), frame))

    async def send_digits(self, digits: str) -> bool:
        self.pressed.append((virtual_time.now(), digits))
        return self.takes_keys

    async def set_recording(self, on: bool) -> None:
        self.recording.append((virtual_time.now(), on))

    async def close(self) -> MediaReport:
        self.closed = True
        self._events.put_nowait(None)
        return MediaReport(0, 0, 0, 0, 0.0, None, "PCMU", self.position())


class FakeStt:
    """A recogniser that knows what the caller will say (`SttEngine`)."""

    def __init__(self, scene: Scene, media: FakeMedia) -> None:
        self.caps = SttCaps("fake", ("en",), scene.open_vocabulary, True, 10)
        self.scene = scene
        self.media = media
        self.begun: list[tuple[float, SttHints]] = []
        self.first_frames: list[int] = []
        self.closed = 0

    async def start(self) -> None: ...

    async def health(self) -> str | None:
        return None

    async def open(self) -> FakeSession:
        if self.scene.no_ears:
            raise SttUnavailable("no worker")
        return FakeSession(self)

    async def pronounce(self, words: frozenset[str]) -> frozenset[str]:
        return frozenset()

    async def aclose(self) -> None: ...


class FakeSession:
    """The recogniser of the scene's call."""

    def __init__(self, engine: FakeStt) -> None:
        self.engine = engine
        self._began = 0.0
        self._pushed = 0
        self._over = asyncio.Event()

    async def begin(self, hints: SttHints) -> None:
        self.engine.begun.append((virtual_time.now(), hints))
        if len(self.engine.begun) in self.engine.scene.stt_fails:
            raise SttUnavailable("no decoder in time")
        self._began = virtual_time.now()
        self._pushed = 0
        self._over = asyncio.Event()

    def push(self, pcm: Pcm) -> None:
        assert pcm.shape == (EAR_SAMPLES,)
        self._pushed += 1

    def _said(self) -> list[Says]:
        now = virtual_time.now()
        return [
            turn
            for turn in self.engine.scene.caller
            if isinstance(turn, Says) and turn.end > self._began - 0.06 and turn.start < now
        ]

    def _partial(self, now: float) -> str:
        heard = []
        for turn in self._said():
            words = turn.text.split() if turn.partials else []
            each = (turn.end - turn.start) / max(1, len(words))
            heard += [
                w for n, w in enumerate(words, 1) if turn.start + n * each + self.engine.scene.partial_delay <= now
            ]
        return " ".join(heard)

    async def partials(self) -> AsyncIterator[SttEvent]:
        last = ""
        while not self._over.is_set():
            await asyncio.sleep(0.02)
            text = self._partial(virtual_time.now() + 1e-9)
            if text != last:
                last = text
                yield SttEvent("partial", text)

    async def finalize(self, timeout: float) -> SttEvent:
        said = self._said()
        await asyncio.sleep(self.engine.scene.stt_delay)
        self._over.set()
        assert self._pushed > 0
        text = " ".join(turn.text for turn in said if turn.text)
        if not said or any(turn.kind == "rejected" for turn in said):
            return SttEvent("rejected", "ten of clubs")
        return SttEvent("final", text, 1.0, confirm=any(turn.confirm for turn in said))

    async def reset(self) -> None:
        self._over.set()

    async def aclose(self) -> None:
        self.engine.closed += 1


class FakeTts:
    """A voice of which every word takes WORD seconds (`TtsEngine`)."""

    name = "fake"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.said: list[tuple[float, str]] = []
        self.canceled: list[str] = []

    async def start(self) -> None: ...

    async def health(self) -> str | None:
        return None

    def voices(self) -> tuple[Voice, ...]:
        return (Voice("v", "fake", "one", "en"),)

    def speak(self, text: str, *, voice: str | None, speed: float, line_rate: int = 8000) -> FakeStream:
        self.said.append((virtual_time.now(), text))
        return FakeStream(self, text, fails=self.scene.tts_fails_at == len(self.said))

    async def aclose(self) -> None: ...


class FakeStream:
    """One sentence: a chunk for each word, each a mark."""

    def __init__(self, engine: FakeTts, text: str, *, fails: bool) -> None:
        self.engine = engine
        self.text = text
        self.fails = fails
        self.done = False

    async def audio(self) -> AsyncIterator[TtsChunk]:
        await asyncio.sleep(self.engine.scene.tts_delay)
        if self.fails:
            raise TtsUnavailable("the voice died")
        start = sample = 0
        for word in self.text.split():
            start = self.text.index(word, start)
            marks = (WordMark(sample, start),) if self.engine.scene.marks else ()
            pcm = np.full(int(WORD * LINE_RATE), 1000, np.int16)
            yield TtsChunk(pcm, marks)
            sample += len(pcm)
            start += len(word)
        self.done = True

    async def cancel(self) -> None:
        if not self.done:
            self.done = True
            self.engine.canceled.append(self.text)


class FakeLlm:
    """A language model that writes its scripted answers one after the other (`LlmEngine`)."""

    def __init__(self, answers: Sequence[Writes]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[float, LlmRequest]] = []
        self.aborted = 0

    async def health(self) -> str | None:
        return None

    async def stream(self, request: LlmRequest) -> AsyncIterator[LlmDelta]:
        self.requests.append((virtual_time.now(), request))
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        done = False
        try:
            await asyncio.sleep(answer.first)
            for piece in answer.pieces:
                yield TextDelta(piece) if isinstance(piece, str) else ToolCallDelta(piece)
                await asyncio.sleep(answer.between)
            if answer.breaks:
                raise LlmUnavailable(answer.breaks)
            done = True
            yield Finished("stop")
        finally:
            self.aborted += 0 if done else 1

    async def extract(self, request: LlmRequest, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError

    async def aclose(self) -> None: ...


class FakeLog:
    """Keeps everything (`CallLog`). Writes take 10 ms."""

    def __init__(self) -> None:
        self.items: list[Utterance] = []
        self.values: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self.events: list[LiveEvent] = []

    async def utterance(self, call_id: str, item: Utterance) -> None:
        await asyncio.sleep(0.01)
        self.items.append(item)

    async def captured(self, call_id: str, values: Variables) -> None:
        self.values = dict(values)

    async def problem(self, call_id: str, problem: Problem) -> None:
        self.problems.append(problem)

    def publish(self, call_id: str, event: LiveEvent) -> None:
        self.events.append(event)

    async def begin(self, call: InboundCall) -> None:
        raise NotImplementedError

    async def ringing(self, call_id: str, sip_call_id: str, at: int) -> None:
        raise NotImplementedError

    async def answered(self, call_id: str, sip_call_id: str, at: int) -> None:
        raise NotImplementedError

    async def transfer(self, call_id: str, record: TransferRecord) -> None:
        raise NotImplementedError

    async def ended(self, call_id: str, end: CallEnd) -> None:
        raise NotImplementedError

    def recording_path(self, call_id: str) -> str:
        raise NotImplementedError

    def accepting(self) -> str | None:
        raise NotImplementedError


class FakeDesk:
    """Hands callers over as scripted. `begun`, `music` and `decided` are seconds; `taken`: whether each order was.

    `said` is what whoever answered was told.
    """

    def __init__(self, transfers: Sequence[Transfers]) -> None:
        self.orders: list[TransferOrder] = []
        self.begun: list[float] = []
        self.music: list[float] = []
        self.decided: list[float] = []
        self.said: list[str] = []
        self.taken: list[bool] = []
        self._transfers = list(transfers)

    async def transfer(self, handover: Handover) -> TransferOutcome:
        scripted = self._transfers[len(self.orders)]
        self.orders.append(handover.order)
        self.begun.append(virtual_time.now())
        await handover.quiet()
        self.music.append(virtual_time.now())
        if scripted.answers is not None:
            await asyncio.sleep(scripted.answers)
            self.said += [item.text for item in await _briefed(handover)]
        await asyncio.sleep(scripted.takes)
        self.decided.append(virtual_time.now())
        return TransferOutcome(scripted.failure)


async def _briefed(handover: Handover) -> Sequence[Utterance]:
    media = FakeMedia(())
    tick = asyncio.create_task(media.run())
    try:
        return await handover.brief(media)
    finally:
        tick.cancel()
        await asyncio.wait([tick])


async def _give_orders(
    conversation: Conversation, orders: Sequence[tuple[float, TransferOrder | SpeechOrder]], taken: list[bool]
) -> None:
    for at, order in orders:
        await asyncio.sleep(at - virtual_time.now())
        if isinstance(order, SpeechOrder):
            taken.append(conversation.speak(order))
        else:
            taken.append(conversation.hand_over(order))


async def _switch(switch: RecordingSwitch, orders: Sequence[tuple[float, bool]]) -> None:
    for at, off in orders:
        await asyncio.sleep(at - virtual_time.now())
        await (switch.pause("operator") if off else switch.resume("operator"))


def play(scene: Scene) -> Played:
    """Run the call of a scene to its end."""
    return virtual_time.run(_play(scene))


async def _play(scene: Scene) -> Played:
    media = FakeMedia(scene.caller)
    media.takes_keys = scene.takes_keys
    log, llm, tts, stt = FakeLog(), FakeLlm(scene.answers), FakeTts(scene), FakeStt(scene, media)
    desk, switch = FakeDesk(scene.transfers), RecordingSwitch(media)  # type: ignore[arg-type]
    switch.tell = lambda event: log.publish("call-1", event)
    engines = Engines(stt=stt, tts=tts, llm=llm if scene.answers else None)
    call = LiveCall(
        id="call-1",
        direction=CallDirection.INBOUND,
        agent=scene.agent,
        customer_number="+12025550123",
        agent_number="+12025550100",
        variables=scene.variables,
        media=media,
        off_record=switch,
        not_ready=scene.not_ready,
        transfer=desk.transfer,
        may_fail=scene.may_fail,
    )
    conversation = Conversations(engines, log, lambda: NOW).create(call)
    tick = asyncio.create_task(media.run())
    talk = asyncio.create_task(conversation.run(call))
    orders = asyncio.create_task(_give_orders(conversation, scene.ordered, desk.taken))
    operator = asyncio.create_task(_switch(switch, scene.off_record))
    hung_up = False
    try:
        await asyncio.wait_for(talk, scene.hang_up_at if scene.hang_up_at is not None else 1000)
    except TimeoutError:
        hung_up = True
    ended_at = virtual_time.now()
    tick.cancel()
    orders.cancel()
    operator.cancel()
    await asyncio.wait([tick, orders, operator])
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    return Played(conversation.result(), media, log, llm, tts, stt, hung_up, ended_at, desk)


def agent(**changes: Any) -> Agent:
    """An agent for tests."""
    return Agent(**{"id": "a", "organization_id": "o", "name": "n", "first_speaker": "agent", **changes})


__all__ = ["EndedReason", "Fails", "Played", "Presses", "Says", "Scene", "Writes", "agent", "play"]
