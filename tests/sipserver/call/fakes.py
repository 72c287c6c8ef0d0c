"""Stand-ins for everything around a call: legs, endpoint, media, call log, directory, conversation.

They do what their Protocols say and remember what was asked of them. Nothing in them is timed: run them under `tests.virtual_time`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from media.call_report import MediaReport
from media.frames import (
    BargeIn,
    CallMedia,
    Direction,
    HeardFrame,
    MediaEvent,
    MediaFailed,
    MediaUnavailable,
    Pcm,
    RtpFormat,
    RtpRemote,
    SrtpKeys,
)
from media.seen import Look
from sipserver.calls import Calls
from sipserver.capacity import Limits
from sipserver.codecs import G711, AudioCodec
from sipserver.inbound import Manners
from sipserver.ladder import Ladder
from sipserver.legs import Ended, Endpoint, Invitation, LadderTap, LegEvent, Refused, Source
from sipserver.message import MessageError, Request, Response, parse
from sipserver.offer import OfferAnswer
from sipserver.outcome import RETRY_AFTER
from sipserver.party import Services, TransferParts
from sipserver.protocols import (
    Agent,
    AgentDirectory,
    CallEnd,
    Colleague,
    ConversationEnd,
    DialOrder,
    InboundCall,
    LiveCall,
    LiveEvent,
    Problem,
    Route,
    SpeechOrder,
    TransferOrder,
    TransferRecord,
    Trunk,
    Utterance,
    Variables,
)
from sipserver.replaces import DialogName, Replaces, replaces_of
from tests import virtual_time

CALLEE = "+12025550100"
CALLER = "+12025550123"
TRUNK_HOST = "198.51.100.7"
AGENT = Agent(id="agent-1", organization_id="org-1", name="Ada", max_call_seconds=600)
TRUNK = Trunk("trunk-1", "org-1", "ip_allowlist", TRUNK_HOST, sources=(TRUNK_HOST,))
FIVE_CALLS = Limits(max_calls=5)
AT_ONCE = Manners()
REPORT = MediaReport(100, 100, 0, 0, 0.5, 4.3, "PCMU", 16000)


def peer(codecs: Sequence[AudioCodec] = G711, host: str = TRUNK_HOST, port: int = 40000) -> OfferAnswer:
    """The other side's offers and answers."""
    return OfferAnswer(host, port, 7, codecs)


VIDEO_ONLY = (
    b"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=video 4000 RTP/AVP 96\r\n"
)


def invite(
    sdp: bytes | None, *, to: str = CALLEE, caller: str = CALLER, headers: Sequence[str] = (), call_id: str = "sip-1"
) -> Request:
    """An INVITE as it came in."""
    body = sdp or b""
    lines = [
        f"INVITE sip:{to}@192.0.2.1 SIP/2.0",
        f"Via: SIP/2.0/UDP {TRUNK_HOST};branch=z9hG4bK-{call_id}",
        f"From: <sip:{caller}@{TRUNK_HOST}>;tag=a",
        f"To: <sip:{to}@192.0.2.1>",
        f"Call-ID: {call_id}",
        "CSeq: 1 INVITE",
        f"Contact: <sip:{TRUNK_HOST}>",
        *headers,
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    request = parse("\r\n".join(lines).encode() + body)
    assert isinstance(request, Request)
    return request


class FakeLeg:
    """A leg that remembers. `deeds` holds (seconds, what, argument); events are `tell`-ed by the test."""

    def __init__(self, request: Request, source: Source | None) -> None:
        self.call_id = request.headers.get("call-id") or ""
        self.invite = request
        self.source = source
        self.deeds: list[tuple[float, str, Any]] = []
        self.over = False
        self.replaces = replaces_of(request)
        self.dialog: DialogName | None = DialogName(self.call_id, "ours", request.from_.tag or "")
        self.peer: str | None = f"sip:peer@{TRUNK_HOST}"
        self.can_refer = True
        self.retry_after: str | None = None
        self.warning: str | None = None
        self.headers: dict[str, str] = {}
        self.session_timer: int | None = None
        self._events: asyncio.Queue[LegEvent | None] = asyncio.Queue()

    def tell(self, *events: LegEvent) -> None:
        """These happen now."""
        for event in events:
            self._events.put_nowait(event)
            if isinstance(event, Refused | Ended):
                self._finish()

    @property
    def did(self) -> list[str]:
        """What was done, in order, without times and bodies."""
        return [what if isinstance(argument, bytes) else f"{what} {argument}" for _, what, argument in self.deeds]

    def sdp(self, what: str) -> list[bytes]:
        """The bodies that went out with `answer` or `accept`."""
        return [argument for _, deed, argument in self.deeds if deed == what]

    def at(self, what: str) -> float | None:
        """When it was first done."""
        return next((second for second, deed, _ in self.deeds if deed == what), None)

    async def events(self) -> AsyncIterator[LegEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    def ring(self, status: int = 180, sdp: bytes | None = None, reliable: bool = False) -> None:
        self._do("ring", status)
        if sdp is not None:
            self._do("early", sdp)
        if reliable:
            self._do("reliable", status)

    def answer(self, sdp: bytes | None, session_timer: int | None = None) -> None:
        self.session_timer = session_timer
        self._do("answer", sdp)

    def reject(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.retry_after = dict(headers).get("Retry-After")
        self.warning = dict(headers).get("Warning")
        self.headers = dict(headers)
        self._do("reject", status)
        self._finish()

    def accept(self, sdp: bytes) -> None:
        self._do("accept", sdp)

    def decline(self, status: int = 488, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.warning = dict(headers).get("Warning")
        self._do("decline", status)

    def offer(self, sdp: bytes) -> None:
        self._do("offer", sdp)

    def hang_up(self, reason: str | None = None) -> None:
        self._do("hang_up", reason)
        self._finish()

    def refer(self, to: str, replaces: Replaces | None = None, referred_by: str | None = None) -> bool:
        self._do("refer", f"{to}?Replaces={replaces}" if replaces else to)
        return self.can_refer and not self.over

    def accept_refer(self) -> None:
        self._do("accept_refer", None)

    def notify_refer(self, status: int, reason: str | None = None) -> None:
        self.deeds.append((virtual_time.now(), "notify_refer", status))

    def decline_refer(self, status: int = 603) -> None:
        self._do("decline_refer", status)

    def _do(self, what: str, argument: object) -> None:
        if not self.over:
            self.deeds.append((virtual_time.now(), what, argument))

    def _finish(self) -> None:
        if not self.over:
            self.over = True
            self._events.put_nowait(None)


class FakeEndpoint:
    """Places calls on FakeLegs; `on_leg` may script what the callee does."""

    def __init__(self) -> None:
        self.invitations: list[Invitation] = []
        self.legs: list[FakeLeg] = []
        self.draining = False
        self.stopped = False
        self.unwritable: MessageError | None = None
        self.on_leg: Callable[[FakeLeg], None] = lambda leg: None

    async def start(
        self, on_invite: Callable[[Any], Awaitable[None]], is_full: Callable[[], bool] = lambda: False
    ) -> None:
        self.on_invite = on_invite
        self.is_full = is_full

    def invite(self, invitation: Invitation) -> FakeLeg:
        if self.unwritable is not None:
            raise self.unwritable
        self.invitations.append(invitation)
        leg = FakeLeg(invite(invitation.sdp, to=invitation.to, call_id=f"out-{len(self.legs) + 1}"), None)
        self.legs.append(leg)
        self.on_leg(leg)
        return leg

    async def options(self, trunk: Trunk, timeout: float) -> Response | None:
        return None

    def drain(self) -> None:
        self.draining = True

    async def stop(self) -> None:
        self.stopped = True


class FakeMedia:
    """One call's media: what was connected, and events that the test emits."""

    def __init__(self, call_id: str, host: str, port: int, recording: Path | None) -> None:
        self.call_id = call_id
        self.host = host
        self.port = port
        self.recording = recording
        self.connections: list[tuple[float, RtpRemote, RtpFormat, Direction]] = []
        self.srtp: list[SrtpKeys | None] = []
        self.beside: CallMedia | None = None
        self.music: list[tuple[float, float | None]] = []
        """(from, to) in seconds of what hold music was played."""
        self.backgrounds: list[tuple[float, str | None, float]] = []
        """(seconds, sound, volume)"""
        self.bridged: list[tuple[float, int]] = []
        """(seconds, port of the other side)"""
        self.cannot_bridge = False
        self.looks: Look | None = None
        self.recorded: list[tuple[float, bool]] = []
        self.heard: list[Pcm] = []
        self.closed_at: float | None = None
        self.close_takes = 0.0
        self.close_fails: Exception | None = None
        self._events: asyncio.Queue[MediaEvent | None] = asyncio.Queue()

    def emit(self, event: MediaEvent) -> None:
        """This happens now."""
        self._events.put_nowait(event)
        if isinstance(event, MediaFailed):
            self._events.put_nowait(None)

    async def connect(
        self,
        remote: RtpRemote,
        fmt: RtpFormat,
        direction: Direction = Direction.SENDRECV,
        srtp: SrtpKeys | None = None,
    ) -> None:
        await asyncio.sleep(0)
        self.connections.append((virtual_time.now(), remote, fmt, direction))
        self.srtp.append(srtp)

    async def events(self) -> AsyncIterator[MediaEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    def set_background(self, sound_id: str | None, volume: float) -> None:
        self.backgrounds.append((virtual_time.now(), sound_id, volume))

    def set_barge_in(self, barge_in: BargeIn) -> None:
        """Nobody is interrupted here."""

    def look(self, take: Look | None) -> None:
        """Whoever looks is told what a test hands to `looks`."""
        self.looks = take

    async def hear(self, start: int) -> AsyncIterator[HeardFrame]:
        """What `heard` has, a frame each 20 ms, and then nothing for ever."""
        for number, pcm in enumerate(self.heard):
            await asyncio.sleep(0.02)
            yield HeardFrame(start + 160 * number, pcm, 0.0, concealed=False)
        await asyncio.Event().wait()

    def room(self) -> int:
        return 512

    rate = 8000

    async def wait_room(self, frames: int) -> None:
        await asyncio.sleep(0.2 if self.music and self.music[-1][1] is None else 0)

    def play(self, frames: Pcm, mark: int = 0) -> int:
        """Only hold music plays here: conversations are fakes."""
        if not self.music or self.music[-1][1] is not None:
            self.music.append((virtual_time.now(), None))
        return len(frames)

    async def flush(self) -> int:
        if self.music and self.music[-1][1] is None:
            self.music[-1] = (self.music[-1][0], virtual_time.now())
        return 0

    async def bridge(self, other: CallMedia, *, digits: bool = True) -> None:
        if self.cannot_bridge:
            raise MediaUnavailable("The two calls are not in the same media process.")
        self.bridged.append((virtual_time.now(), other.port))

    async def set_recording(self, on: bool) -> None:
        self.recorded.append((virtual_time.now(), on))

    def position(self) -> int:
        """8 samples to the millisecond."""
        return round((virtual_time.now() - self.connections[0][0]) * 8000) if self.connections else 0

    async def close(self) -> MediaReport:
        await asyncio.sleep(self.close_takes)
        if self.close_fails is not None:
            raise self.close_fails
        self.closed_at = virtual_time.now()
        return REPORT


class FakePlane:
    """A media plane of `rows` calls. With `down` it refuses to open though it has rows."""

    def __init__(self, rows: int = 10) -> None:
        self.rows = rows
        self.host = "192.0.2.1"
        self.down = False
        self.heard: list[Pcm] = []
        """What is heard on each row, int16 (320,) each."""
        self.opened: list[FakeMedia] = []
        self.open_takes = 0.0

    async def open(self, call_id: str, recording: Path | None, beside: CallMedia | None = None) -> CallMedia:
        await asyncio.sleep(self.open_takes)
        if self.down:
            raise MediaUnavailable("the media process is down")
        media = FakeMedia(call_id, self.host, 20000 + 2 * len(self.opened), recording)
        media.beside, media.heard = beside, self.heard
        self.opened.append(media)
        return media  # type: ignore[return-value]

    def free(self) -> int:
        return self.rows - sum(media.closed_at is None for media in self.opened)


class FakeLog:
    """A call log that remembers: `told` holds the name of each write per call, in order."""

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}
        self.begun: dict[str, InboundCall] = {}
        self.ends: dict[str, CallEnd] = {}
        self.answers: dict[str, int] = {}
        self.problems: dict[str, list[Problem]] = {}
        self.transfers: dict[str, list[TransferRecord]] = {}
        self.published: list[tuple[str, LiveEvent]] = []
        self.refusal: str | None = None
        self.down: OSError | None = None
        self.write_takes = 0.0
        self._news = asyncio.Event()

    async def _write(self, call_id: str, what: str) -> None:
        await asyncio.sleep(self.write_takes)
        if self.down is not None:
            raise self.down
        self.told.setdefault(call_id, []).append(what)
        self._news.set()

    async def until_told(self, call_id: str) -> None:
        """Until something has been written about this call."""
        while call_id not in self.told:
            self._news.clear()
            await self._news.wait()

    async def begin(self, call: InboundCall) -> None:
        await self._write(call.call_id, "begin")
        self.begun[call.call_id] = call

    async def ringing(self, call_id: str, sip_call_id: str, at: int) -> None:
        await self._write(call_id, f"ringing {sip_call_id}")

    async def answered(self, call_id: str, sip_call_id: str, at: int) -> None:
        await self._write(call_id, f"answered {sip_call_id}")
        self.answers[call_id] = at

    async def utterance(self, call_id: str, item: Utterance) -> None:
        await self._write(call_id, "utterance")

    async def captured(self, call_id: str, values: Variables) -> None:
        await self._write(call_id, "captured")

    async def problem(self, call_id: str, problem: Problem) -> None:
        await self._write(call_id, "problem")
        self.problems.setdefault(call_id, []).append(problem)

    async def transfer(self, call_id: str, record: TransferRecord) -> None:
        await self._write(call_id, f"transfer {record.status}")
        self.transfers.setdefault(call_id, []).append(record)

    async def ended(self, call_id: str, end: CallEnd) -> None:
        await self._write(call_id, "ended")
        self.ends[call_id] = end

    def publish(self, call_id: str, event: LiveEvent) -> None:
        self.published.append((call_id, event))

    def recording_path(self, call_id: str) -> str:
        return f"recordings/{call_id}.wav"

    def accepting(self) -> str | None:
        return self.refusal


@dataclass
class FakeDirectory:
    """Trunks by source address, routes by number."""

    trunks: dict[str, tuple[Trunk, ...]] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    caught: dict[str, Route] = field(default_factory=dict)
    broken: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def trunks_of(self, host: str) -> Sequence[Trunk]:
        return self.trunks.get(host, ())

    async def route(self, called: str, trunks: Sequence[Trunk]) -> Route | None:
        self.asked.append(called)
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        return self.routes.get(called)

    async def catch_all(self, called: Sequence[str], trunks: Sequence[Trunk]) -> Route | None:
        return next((self.caught[trunk.id] for trunk in trunks if trunk.id in self.caught), None)


Talk = Callable[[LiveCall], Awaitable[ConversationEnd]]


async def silence(call: LiveCall) -> ConversationEnd:
    """Says nothing, for ever."""
    await asyncio.Event().wait()
    raise AssertionError


class FakeConversation:
    """Talks as scripted; put down by cancellation it takes `put_down_takes` seconds."""

    def __init__(self, talk: Talk, put_down_takes: float) -> None:
        self._talk = talk
        self._put_down_takes = put_down_takes
        self.began_at: float | None = None
        self.cancelled_at: float | None = None
        self.ordered: list[TransferOrder] = []
        self.told: list[SpeechOrder] = []
        self.takes_orders = True

    async def run(self, call: LiveCall) -> ConversationEnd:
        self.began_at = virtual_time.now()
        try:
            return await self._talk(call)
        except asyncio.CancelledError:
            self.cancelled_at = virtual_time.now()
            await asyncio.sleep(self._put_down_takes)
            raise

    def hand_over(self, order: TransferOrder) -> bool:
        self.ordered.append(order)
        return self.takes_orders

    def speak(self, order: SpeechOrder) -> bool:
        self.told.append(order)
        return self.takes_orders

    def result(self) -> ConversationEnd:
        return ConversationEnd(None, captured={"so": "far"}, turn_count=2)


class FakeConversations:
    """Makes FakeConversations, all with the same script."""

    def __init__(self) -> None:
        self.talk: Talk = silence
        self.put_down_takes = 0.0
        self.calls: list[LiveCall] = []
        self.made: list[FakeConversation] = []

    def create(self, call: LiveCall) -> FakeConversation:
        self.calls.append(call)
        self.made.append(FakeConversation(self.talk, self.put_down_takes))
        return self.made[-1]


@dataclass
class FakeDesk:
    """Who may be called, and the colleagues who are there."""

    refused: dict[str, str] = field(default_factory=dict)
    colleagues: dict[str, Colleague] = field(default_factory=dict)

    def refusal(self, to: str, from_number: str, region: str | None = None, *, extension: bool = False) -> str | None:
        return self.refused.get(to)

    async def colleague(self, agent_id: str, organization_id: str) -> Colleague | None:
        return self.colleagues.get(agent_id)


class FakeMusic:
    """One second of it."""

    async def load(self, url: str | None) -> Pcm:
        return np.full(8000, 100, np.int16)


class Stage:
    """A node of fakes with `Calls` in the middle. A test may put another endpoint than the fake one into it."""

    def __init__(
        self,
        limits: Limits = FIVE_CALLS,
        manners: Manners = AT_ONCE,
        agent: Agent = AGENT,
        make_endpoint: Callable[[AgentDirectory, LadderTap], Endpoint] | None = None,
        retry_after: int = RETRY_AFTER,
    ) -> None:
        self.plane = FakePlane()
        self.log = FakeLog()
        self.conversations = FakeConversations()
        route = Route("number-1", CALLEE, "org-1", TRUNK, agent)
        self.directory = FakeDirectory({TRUNK_HOST: (TRUNK,)}, {CALLEE: route})
        self.ladder = Ladder(self.log.publish)
        self.endpoint = FakeEndpoint()
        endpoint = make_endpoint(self.directory, self.ladder.tap) if make_endpoint else self.endpoint
        self.desk = FakeDesk()
        transfer = TransferParts(endpoint, self.desk, FakeMusic(), lambda: f"transfer-{len(self.log.transfers) + 1}")
        self.services = services = Services(
            self.log,
            self.plane,
            self.conversations,
            self.ladder,
            virtual_time.microseconds,
            transfer=transfer,
            retry_after=retry_after,
        )
        self.calls = Calls(endpoint, services, self.directory, self._new_id, limits, manners, clock=virtual_time.now)
        self.tasks: list[asyncio.Task[None]] = []
        self._ids = 0

    def ring(self, request: Request | None = None, host: str = TRUNK_HOST) -> FakeLeg:
        """An INVITE comes in; without one of the test's own, a usual one with an offer."""
        if request is None:
            request = invite(peer().offer(), call_id=f"sip-{len(self.tasks) + 1}")
        leg = FakeLeg(request, Source("udp", host, 5060))
        self.tasks.append(asyncio.create_task(self.calls.on_invite(leg)))
        return leg

    def dial(
        self,
        call_id: str = "out",
        agent: Agent = AGENT,
        ring_timeout: int = 60,
        to: str = CALLER,
        trunk: Trunk = TRUNK,
    ) -> asyncio.Task[None]:
        """An order to call somebody."""
        order = DialOrder(call_id, "org-1", agent, "number-1", CALLEE, to, trunk, {"day": "Monday"}, ring_timeout)
        self.tasks.append(asyncio.create_task(self.calls.dial(order)))
        return self.tasks[-1]

    def end(self, call_id: str = "call-1") -> tuple[str, str]:
        """(status, reason) of a call that has ended; it must have been told exactly once, as the last word."""
        told = self.log.told[call_id]
        assert told.count("ended") == 1, told
        assert told[-1] == "ended", told
        return self.log.ends[call_id].status.value, self.log.ends[call_id].reason.value

    @property
    def media(self) -> FakeMedia:
        """The media opened last."""
        return self.plane.opened[-1]

    async def done(self) -> None:
        """Until every call of the test is over; none may have raised, and nothing may be left behind."""
        await asyncio.gather(*self.tasks)
        assert not self.calls.live()
        assert all(media.closed_at is not None for media in self.plane.opened)

    def _new_id(self) -> str:
        self._ids += 1
        return f"call-{self._ids}"


async def until(seconds: float) -> None:
    """Until this instant of the simulated clock, with everything that is due by then done."""
    await asyncio.sleep(max(0.0, seconds - virtual_time.now()))
    for _ in range(20):
        await asyncio.sleep(0)
