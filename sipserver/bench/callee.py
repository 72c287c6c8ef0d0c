"""The measured process: `python -m sipserver.bench.callee`. It answers every INVITE until its input ends, then says what it
cost: so it ends with whoever started it.

`signalling` is the user agent with its sockets, SDP and nothing else. `rows` is what a server does for an inbound call, down to
the rows, the outbox and the webhook's job in SQLite; only the media and the conversation are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TypeVar

from control_api.calllog import StoredCallLog
from control_api.live import LiveEvents
from control_api.store import agents, organizations, phone_numbers
from control_api.store.agents import AgentRow
from control_api.store.engine import Store
from control_api.store.phone_numbers import PhoneNumberRow
from media.call_report import MediaReport
from media.frames import (
    BargeIn,
    CallMedia,
    Direction,
    HeardFrame,
    MediaEvent,
    Pcm,
    RtpFormat,
    RtpRemote,
    SrtpKeys,
)
from media.seen import Look
from sipserver.calls import Calls
from sipserver.capacity import Limits
from sipserver.garbage import settle_in
from sipserver.guard import nothing_registered
from sipserver.inbound import Manners
from sipserver.ladder import Ladder
from sipserver.legs import Leg
from sipserver.logs import configure
from sipserver.lookout import Lookout
from sipserver.offer import OfferAnswer
from sipserver.party import Services
from sipserver.protocols import (
    Agent,
    ConversationEnd,
    LiveCall,
    RecordingSettings,
    Route,
    SpeechOrder,
    TransferOrder,
    Trunk,
)
from sipserver.sdp import sdp_body
from sipserver.settings import load
from sipserver.useragent import SipEndpoint

T = TypeVar("T")

NUMBER = "+12025550123"
_TRUNK = Trunk("bench", organizations.DEFAULT_ID, "ip_allowlist", "127.0.0.1", sources=("127.0.0.1",))
_MEDIA_PORT = 40000


def main() -> None:
    """Answer until the end of the input; the first line of the output is the port, the last one the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m sipserver.bench.callee")
    parser.add_argument("mode", choices=("signalling", "rows"))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cpu", type=int, default=-1)
    arguments = parser.parse_args()
    if arguments.cpu >= 0:
        os.sched_setaffinity(0, {arguments.cpu})
    configure("info", "console")
    settle_in()
    asyncio.run(_serve(arguments.mode, arguments.folder))


async def _serve(mode: str, folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    async with AsyncExitStack() as stack:
        endpoint = await (_signalling(folder, stack) if mode == "signalling" else _with_rows(folder, stack))
        begun = time.process_time()
        print(endpoint.port, flush=True)
        await stop.wait()
        figures = {
            "cpu_seconds": time.process_time() - begun,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "refused": dict(endpoint.counters),
        }
        print(json.dumps(figures), flush=True)
        # A measurement that is over waits for nobody: not for transactions, nor for the store's last page.
        sys.stdout.flush()
        os._exit(0)


def _lookout(folder: Path, stack: AsyncExitStack) -> Lookout:
    """The guard, a line in the log for each message and the traces, as a server has them."""
    settings, sockets, traces = load(None, {}), stack.enter_context(ExitStack()), folder / "traces"
    traces.mkdir()
    return Lookout.make(settings, traces, _OneNumber(None), nothing_registered, dict, _now, sockets)


def _endpoint(lookout: Lookout, ladder: Ladder) -> SipEndpoint:
    return SipEndpoint("127.0.0.1", 0, guard=lookout.guard, wire=lookout.wire, tap=ladder.tap)


async def _signalling(folder: Path, stack: AsyncExitStack) -> SipEndpoint:
    ladder = Ladder(lambda *_: None)
    endpoint = _endpoint(_lookout(folder, stack), ladder)

    async def answer(leg: Leg) -> None:
        ladder.watch(leg.call_id, leg.call_id)
        offer = sdp_body(leg.invite)
        leg.ring()
        exchange = OfferAnswer("127.0.0.1", _MEDIA_PORT, 1)
        leg.answer(exchange.offer() if offer is None else exchange.answer(offer))
        async for _ in leg.events():
            pass

    await endpoint.start(answer)
    stack.push_async_callback(endpoint.stop)
    return endpoint


async def _with_rows(folder: Path, stack: AsyncExitStack) -> SipEndpoint:
    store = await Store.open(folder / "bench.db")
    route = await _settle(store)
    live, lookout = LiveEvents(), _lookout(folder, stack)
    log = StoredCallLog(store, live, folder, "bench", _now)
    live.tap(lookout.traces.observe)
    ladder = Ladder(live.publish, on_watch=lookout.traces.watch)
    endpoint = _endpoint(lookout, ladder)
    writing = asyncio.create_task(lookout.traces.run())
    stack.callback(writing.cancel)
    services = Services(log, _NoMedia(), _Listening(), ladder, _now)
    limits = Limits(max_calls=100_000, max_calls_per_agent=100_000)
    calls = Calls(endpoint, services, _OneNumber(route), lambda: str(uuid.uuid4()), limits, Manners())
    await calls.start()
    stack.push_async_callback(endpoint.stop)
    return endpoint


async def _settle(store: Store) -> Route:
    """The agent and the number that all calls are for."""
    ids, now = str(uuid.uuid4()), _now()
    owner = organizations.DEFAULT_ID
    await store.write(lambda connection: organizations.ensure_default(connection, now))
    await store.write(lambda connection: agents.insert(connection, AgentRow(ids, owner, {}, None, now, now)))
    number = PhoneNumberRow(ids, owner, NUMBER, None, "sip", None, ids, {}, now, now)
    await store.write(lambda connection: phone_numbers.insert(connection, number))
    agent = Agent(ids, owner, "bench", recording=RecordingSettings(enabled=False))
    return Route(ids, NUMBER, owner, _TRUNK, agent)


def _now() -> int:
    return time.time_ns() // 1000


class _OneNumber:
    """A directory that knows one trunk and one number."""

    def __init__(self, route: Route | None) -> None:
        self._route = route

    def trunks_of(self, host: str) -> Sequence[Trunk]:
        return (_TRUNK,)

    async def route(self, called: str, trunks: Sequence[Trunk]) -> Route | None:
        return self._route

    async def catch_all(self, called: Sequence[str], trunks: Sequence[Trunk]) -> Route | None:
        return None


class _Listening:
    """Conversations that say nothing and end with the call."""

    def create(self, call: LiveCall) -> _Listening:
        return self

    async def run(self, call: LiveCall) -> ConversationEnd:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("Nobody sets it.")

    def hand_over(self, order: TransferOrder) -> bool:
        return False

    def speak(self, order: SpeechOrder) -> bool:
        return False

    def result(self) -> ConversationEnd:
        return ConversationEnd(None)


class _NoMedia:
    """A media plane without packets: as many rows as are asked for."""

    async def open(self, call_id: str, recording: Path | None, beside: CallMedia | None = None) -> CallMedia:
        return _Silence(call_id)

    def free(self) -> int:
        return 100_000


class _Silence:
    """One such row: nothing flows, and what it is asked to do is nothing to it."""

    host = "127.0.0.1"
    port = _MEDIA_PORT
    rate = 8000

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self._over = asyncio.Event()

    async def connect(
        self, remote: RtpRemote, fmt: RtpFormat, direction: Direction = Direction.SENDRECV, srtp: SrtpKeys | None = None
    ) -> None: ...

    def set_barge_in(self, barge_in: BargeIn) -> None: ...

    def set_background(self, sound_id: str | None, volume: float) -> None: ...

    async def set_recording(self, on: bool) -> None: ...

    def look(self, take: Look | None) -> None: ...

    async def wait_room(self, frames: int) -> None: ...

    async def resume(self, frame: int) -> None: ...

    async def bridge(self, other: CallMedia, *, digits: bool = True) -> None: ...

    async def unbridge(self) -> None: ...

    def position(self) -> int:
        return 0

    def room(self) -> int:
        return 0

    def queued(self) -> int:
        return 0

    def played(self) -> int:
        return 0

    def play(self, frames: Pcm, mark: int = 0) -> int:
        return 0

    async def flush(self) -> int:
        return 0

    async def send_digits(self, digits: str) -> bool:
        return False

    async def hear(self, start: int) -> AsyncIterator[HeardFrame]:
        async for frame in self._none(HeardFrame):
            yield frame

    async def events(self) -> AsyncIterator[MediaEvent]:
        async for event in self._none(MediaEvent):
            yield event

    async def _none(self, kind: type[T]) -> AsyncIterator[T]:
        await self._over.wait()
        nothing: tuple[T, ...] = ()
        for thing in nothing:
            yield thing

    async def close(self) -> MediaReport:
        self._over.set()
        return MediaReport(0, 0, 0, 0, 0.0, None, "PCMU", 0)


if __name__ == "__main__":
    main()
