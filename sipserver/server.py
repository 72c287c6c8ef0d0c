"""The composition root: every part of a node is built here, started in the order in which calls need it, and stopped in reverse.

`run` is the whole life of `antiphon serve`: start, serve, drain, stop. SIGTERM and SIGINT drain: new calls get 503, those that
are here go on. A second signal, or the end of `server.drain_seconds`, ends them with BYE.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from control_api.analysis_job import AnalysisJob
from control_api.app import create_app
from control_api.calllog import StoredCallLog
from control_api.dial_job import DialJob
from control_api.dialling import DiallingPolicy
from control_api.directory import Directory
from control_api.egress import Egress, EgressPolicy
from control_api.folder import DataFolder
from control_api.http import HttpServer, listen
from control_api.jobs import JobRunner, Kind, up_to
from control_api.live import LiveEvents
from control_api.metrics import Metrics
from control_api.recording_job import RecordingJob
from control_api.recovery import recover
from control_api.secrets import SecretBox, open_box
from control_api.services import Catalogue, Services
from control_api.signing import LinkSigner
from control_api.store import outbox
from control_api.store.engine import Store
from control_api.webhooks import WebhookSender
from inference.checks import AgentChecks
from inference.conversation import Conversations
from inference.engines import Engines
from inference.extraction import CallAnalyst
from inference.llm.openai_chat import ChatTimeouts, OpenAiChat
from inference.stt.pocketsphinx import PocketsphinxEngine
from inference.tts.espeak import EspeakEngine
from media.frames import LINE_RATE
from media.plane import PlaneConfig, ProcessMediaPlane
from media.wav import repair
from sipserver import __version__, call
from sipserver.calls import Calls
from sipserver.capacity import Limits
from sipserver.guard import SourceGuard
from sipserver.inbound import Manners
from sipserver.ladder import Ladder
from sipserver.settings import Settings, split_host_port
from sipserver.useragent import SipEndpoint

PARALLEL_JOBS = {outbox.RECORDING: 2, outbox.ANALYSE: 4, outbox.WEBHOOK: 20}
FLUSH_SECONDS = 5.0
"""How long a stopping server still works on what its last calls left to do; the rest is done after the next start."""

log = structlog.get_logger(__name__)


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Node:
    """A node that takes calls. `api` and `sip` are the addresses that it listens on."""

    calls: Calls
    runner: JobRunner
    api: tuple[str, int]
    sip: tuple[str, int]
    draining: bool = False

    def drain(self) -> None:
        """No new calls; `/readyz` says so."""
        self.draining = True
        self.calls.drain()


async def run(settings: Settings, ready: Callable[[Node], None]) -> None:
    """Serve until a signal has drained the node. `ready` is called when calls can be taken.

    Raises OSError (a port in use, a folder that cannot be written), FolderInUse, MediaUnavailable, SecretsUnreadable.
    """
    signals = _Signals()
    async with AsyncExitStack() as stack:
        node = await start(settings, stack)
        ready(node)
        await signals.wait()
        log.info("draining", calls=len(node.calls.live()))
        node.drain()
        await _first(node.calls.idle(), signals.wait(), timeout=settings.server.drain_seconds)
        await node.calls.stop()
        await _flushed(node.runner)
    log.info("stopped")


async def start(settings: Settings, stack: AsyncExitStack) -> Node:
    """Build and start every part; `stack` stops what was started. Raises as `run` does."""
    folder = DataFolder(settings.server.data_dir)
    folder.prepare()
    stack.callback(folder.lock().release)
    bound = listen(*split_host_port(settings.api.bind))
    stack.callback(bound.close)
    box = open_box(folder.master_key)
    store = await Store.open(folder.database)
    stack.push_async_callback(store.close)
    engines = await _engines(settings, stack)
    plane = await _plane(settings, stack)
    parts = _Parts(settings, folder, store, box, engines, plane)
    await parts.recover()
    return await parts.join(stack, bound)


class _Parts:
    """What the rest is joined from."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        store: Store,
        box: SecretBox,
        engines: Engines,
        plane: ProcessMediaPlane,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.store = store
        self.box = box
        self.engines = engines
        self.plane = plane
        self.node_name = socket.gethostname()
        self.live = LiveEvents()
        self.checks = AgentChecks(engines)
        self.directory = Directory(store, box, self.checks)
        self.call_log = StoredCallLog(
            store, self.live, folder.recordings, self.node_name, now, settings.recording.min_free_mb, self._poke
        )
        self._runner: JobRunner | None = None

    async def recover(self) -> None:
        """End the calls of a server that was killed, before new ones come."""
        await recover(self.store, self.node_name, self.call_log.recording_path, _repaired_seconds, now())

    async def join(self, stack: AsyncExitStack, bound: socket.socket) -> Node:
        """SIP, jobs and HTTP, each started when what it needs runs."""
        await self.directory.refresh()
        calls = await self._sip(stack)
        http, node = self._http(calls, bound)
        runner = node.runner
        await _task(stack, runner.run(), "jobs")
        await _task(stack, self.directory.keep_resolved(), "directory")
        http.start()
        stack.push_async_callback(http.stop)
        return node

    async def _sip(self, stack: AsyncExitStack) -> Calls:
        sip = self.settings.sip
        ladder = Ladder(self.live.publish)
        guard = SourceGuard(self.directory, time.monotonic)
        host, port = split_host_port(sip.bind)
        self.endpoint = SipEndpoint(
            host, port, transports=sip.transports, advertised=sip.advertised, guard=guard, tap=ladder.tap
        )
        services = call.Services(
            log=self.call_log,
            media=self.plane,
            conversations=Conversations(self.engines, self.call_log),
            ladder=ladder,
            clock=now,
            media_host=self.settings.media.advertised or self.endpoint.advertised,
        )
        limits = Limits(self.settings.server.max_calls, self.settings.server.max_calls_per_agent)
        calls = Calls(self.endpoint, services, self.directory, _new_id, limits, Manners(sip.ring_seconds))
        await calls.start()
        stack.push_async_callback(self.endpoint.stop)
        stack.push_async_callback(calls.stop)
        return calls

    def _http(self, calls: Calls, bound: socket.socket) -> tuple[HttpServer, Node]:
        settings = self.settings
        host, port = bound.getsockname()[:2]
        public_url = settings.api.public_url or f"http://{host}:{port}"
        policy = EgressPolicy(settings.egress.allow)
        metrics = Metrics(lambda: len(calls.live()), calls.capacity)
        self.live.tap(metrics.observe)
        services = Services(
            store=self.store,
            box=self.box,
            directory=self.directory,
            checks=self.checks,
            dialler=calls,
            call_log=self.call_log,
            live=self.live,
            links=LinkSigner(public_url.rstrip("/"), self.box.signing_keys()),
            now=now,
            version=__version__,
            metrics=metrics,
            catalogue=Catalogue(self.engines.tts.voices() if self.engines.tts else (), tuple(self.engines.models)),
            dialling=DiallingPolicy(
                settings.dialling.allow_countries, settings.dialling.allow_own_numbers, settings.dialling.max_queue
            ),
            check_url=policy.check_url,
            unready=self._unready,
            draining=lambda: node.draining,
            poke_jobs=self._poke,
            ring_timeout_seconds=settings.sip.ring_timeout_seconds,
            link_days=settings.recording.url_days,
        )
        runner = self._jobs(calls, services, policy)
        node = Node(calls, runner, (host, port), (self.endpoint.host, self.endpoint.port))
        return HttpServer(create_app(services), bound), node

    def _jobs(self, calls: Calls, services: Services, policy: EgressPolicy) -> JobRunner:
        settings, store = self.settings, self.store
        egress = Egress(policy, settings.webhook.timeout_seconds)
        dial = DialJob(store, self.call_log, calls, self.directory, self.node_name, now)
        analyst = CallAnalyst(self.engines)
        analyse = AnalysisJob(store, analyst, services.links, now, services.link_until)
        recording = RecordingJob(store, self.folder.recordings, now, settings.recording.url_days)
        webhook = WebhookSender(store, egress, self.box, now, settings.webhook.hmac_header)
        handlers = {outbox.RECORDING: recording.handle, outbox.ANALYSE: analyse.handle, outbox.WEBHOOK: webhook.handle}
        kinds = {name: Kind(handle, up_to(PARALLEL_JOBS[name])) for name, handle in handlers.items()}
        kinds[outbox.DIAL] = Kind(dial.dial, dial.places)
        kinds[outbox.EXPIRE] = Kind(dial.expire, up_to(4))
        self._runner = JobRunner(store, self.node_name, kinds, now)
        return self._runner

    def _poke(self) -> None:
        if self._runner is not None:
            self._runner.poke()

    def _unready(self) -> Sequence[str]:
        return () if self.plane.free() else ("No media process takes calls.",)


async def _engines(settings: Settings, stack: AsyncExitStack) -> Engines:
    """The engines that are configured, started side by side. One that does not start says so by its health."""
    stt = PocketsphinxEngine(settings.stt.workers, settings.stt.decoders) if settings.stt.workers else None
    tts = EspeakEngine(settings.tts.workers) if settings.tts.workers else None
    llm = _language_model(settings)
    for engine in (stt, tts, llm):
        if engine is not None:
            stack.push_async_callback(engine.aclose)
    await asyncio.gather(*(engine.start() for engine in (stt, tts) if engine is not None))
    return Engines(stt, tts, llm, settings.llm.model)


def _language_model(settings: Settings) -> OpenAiChat | None:
    if settings.llm.base_url is None:
        return None
    key = settings.llm.api_key.get_secret_value() if settings.llm.api_key else None
    return OpenAiChat(settings.llm.base_url, key, ChatTimeouts(first_token=settings.llm.first_token_seconds))


async def _plane(settings: Settings, stack: AsyncExitStack) -> ProcessMediaPlane:
    media = settings.media
    first, last = (int(part) for part in media.rtp_ports.split("-"))
    config = PlaneConfig(
        host=media.bind or split_host_port(settings.sip.bind)[0],
        ports=(first, last),
        processes=media.processes or max(1, (os.cpu_count() or 1) // 2),
        timeout_s=media.timeout_seconds,
        realtime=media.realtime,
    )
    plane = ProcessMediaPlane(config)
    await plane.start()
    stack.push_async_callback(plane.stop)
    return plane


class _Signals:
    """SIGTERM and SIGINT, counted one by one."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._came.put_nowait, None)

    async def wait(self) -> None:
        """Until the next one."""
        await self._came.get()


async def _first(*waits: Coroutine[Any, Any, None], timeout: float) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _task(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """A task for as long as the node lives."""
    task: asyncio.Task[None] = asyncio.create_task(work, name=name)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _flushed(runner: JobRunner) -> None:
    """Give what the last calls left to do a moment."""
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await runner.settled()
    except TimeoutError:
        log.info("jobs left for the next start")


def _repaired_seconds(path: Path) -> float | None:
    return repair(path) / LINE_RATE if path.exists() else None


def _new_id() -> str:
    return str(uuid.uuid4())
