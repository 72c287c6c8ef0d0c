"""The composition root: every part of a node is built here, started in the order in which calls need it, and stopped in reverse.

`run` is the whole life of `antiphon serve`: start, serve, drain, stop. SIGTERM and SIGINT drain: new calls get 503, those that
are here go on. A second signal, or the end of `server.drain_seconds`, ends them with BYE.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from control_api.app import create_app
from control_api.calllog import MEBIBYTE, StoredCallLog
from control_api.dialling import DiallingPolicy
from control_api.directory import Directory
from control_api.egress import Egress, EgressPolicy
from control_api.encoder_process import EncoderProcess
from control_api.encoding import Encoder, forget_parts
from control_api.folder import DataFolder
from control_api.hold_music import HoldMusicFetcher
from control_api.housekeeping import Housekeeping
from control_api.http import HttpServer, listen
from control_api.jobs import JobRunner
from control_api.live import LiveEvents
from control_api.metrics import Metrics
from control_api.models.background_sound import BackgroundSound
from control_api.recovery import recover
from control_api.sealing import RecordingVault, open_vault
from control_api.secrets import SecretBox, open_box
from control_api.services import Catalogue, Services
from control_api.signing import LinkSigner
from control_api.sip_metrics import SipFigures
from control_api.store.engine import Store
from control_api.transfer_desk import Desk
from control_api.worker import job_runner
from inference.checks import AgentChecks
from inference.conversation import Conversations
from inference.engines import Engines
from inference.extraction import CallAnalyst
from inference.llm.openai_chat import ChatTimeouts, OpenAiChat
from inference.stt.pocketsphinx import PocketsphinxEngine
from inference.tts.espeak import EspeakEngine
from media.files import Files
from media.frames import LINE_RATE
from media.music import decode_music, melody
from media.plane import NoiseSuppression, PlaneConfig, ProcessMediaPlane, cores_for
from media.sound_library import load_sounds
from media.sound_table import Sound
from media.wav import repair
from sipserver import __version__, party
from sipserver.background import Background
from sipserver.banlist import GuardBans
from sipserver.calls import Calls
from sipserver.capacity import Limits
from sipserver.guests import Guests
from sipserver.inbound import Manners
from sipserver.ladder import Ladder
from sipserver.lookout import Lookout
from sipserver.media_hosts import MediaHosts
from sipserver.settings import Settings, split_host_port
from sipserver.signals import Signals, first_of
from sipserver.transport.credentials import TlsFiles
from sipserver.transport.own_address import OwnAddress
from sipserver.trunk_check import TrunkCheck
from sipserver.trunks import Trunks
from sipserver.useragent import SipEndpoint, TlsFace
from sipserver.useragent.identity import Limits as SipLimits

MUSIC_SECONDS = 30.0
"""How long the music of a `holdMusicUrl` may take to be fetched; callers do not wait for it that long."""
FLUSH_SECONDS = 5.0
"""How long a stopping server still works on what its last calls left to do; the rest is done after the next start."""

log = structlog.get_logger(__name__)


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Node:
    """A node that takes calls. `api` and `sip` are the addresses that it listens on."""

    calls: Calls
    runner: JobRunner
    trunks: Trunks
    api: tuple[str, int]
    sip: tuple[str, int]

    def drain(self) -> None:
        """No new calls; `/readyz` says so, and registrars are told to send none."""
        self.trunks.drain()
        self.calls.drain()


@dataclass(frozen=True, slots=True)
class Base:
    """What a node stands on: its folder and store, its engines and media, and who knows and keeps what.

    `wake` wakes the worker; it is there before the worker is, for whoever puts jobs into the queue.
    """

    name: str
    settings: Settings
    folder: DataFolder
    box: SecretBox
    vault: RecordingVault
    store: Store
    engines: Engines
    plane: ProcessMediaPlane
    checks: AgentChecks
    directory: Directory
    live: LiveEvents
    call_log: StoredCallLog
    wake: asyncio.Event
    background: Background
    sounds: tuple[Sound, ...]


@dataclass(frozen=True, slots=True)
class Telephony:
    """What a node has of SIP."""

    endpoint: SipEndpoint
    calls: Calls
    trunks: Trunks
    lookout: Lookout

    def figures(self) -> SipFigures:
        """What has passed so far, for `/metrics`."""
        guard = self.lookout.guard
        dropped = self.endpoint.counters + guard.counters
        bans, made = len(guard.bans()), dropped.pop("bans", 0)
        return SipFigures(self.lookout.tap.messages, dropped, self.endpoint.retransmissions, made, bans)


async def run(settings: Settings, ready: Callable[[Node], None]) -> None:
    """Serve until a signal has drained the node. `ready` is called when calls can be taken.

    Raises OSError (a port in use, a folder that cannot be written), FolderInUse, MediaUnavailable, SecretsUnreadable.
    """
    signals = Signals()
    async with AsyncExitStack() as stack:
        node = await start(settings, stack)
        ready(node)
        await signals.wait()
        log.info("draining", calls=len(node.calls.live()))
        node.drain()
        await first_of(node.calls.idle(), signals.wait(), timeout=settings.server.drain_seconds)
        await node.calls.stop()
        await _flushed(node.runner)
    log.info("stopped")


async def start(settings: Settings, stack: AsyncExitStack) -> Node:
    """Build and start every part; `stack` stops what was started, the last one first. Raises as `run` does."""
    folder = DataFolder(settings.server.data_dir)
    folder.prepare()
    stack.callback(folder.lock().release)
    bound = listen(*split_host_port(settings.api.bind))
    stack.callback(bound.close)
    base = await _base(settings, folder, stack)
    # The calls of a server that was killed end before new ones come.
    await recover(
        base.store, base.name, base.call_log.recording_path, partial(_repaired_seconds, base.vault.files), now()
    )
    await base.directory.refresh()
    stack.push_async_callback(base.call_log.flush)
    phone = await _sip(base, stack)
    public_url = settings.api.public_url or "http://{}:{}".format(*bound.getsockname()[:2])
    policy = EgressPolicy(settings.egress.allow)
    services = _services(base, phone, policy, public_url.rstrip("/"), _encoder(base, stack))
    runner = _worker(base, services, policy, stack)
    stack.push_async_callback(base.background.stop)
    base.background.start(base.call_log.catch_up(), "What catches up with a disk that was full")
    base.background.start(runner.run(), "The worker of the jobs")
    base.background.start(base.directory.keep_resolved(), "The look-up of the trunks' names")
    housekeeping = Housekeeping(
        base.store,
        folder.recordings,
        now,
        folder.traces,
        settings.trace.days,
        settings.recording.retention_days,
        base.vault,
    )
    base.background.start(housekeeping.run(), "Housekeeping")
    base.background.start(phone.lookout.traces.run(), "The writer of traces")
    http = HttpServer(create_app(services), bound)
    http.start()
    stack.push_async_callback(http.stop)
    return Node(phone.calls, runner, phone.trunks, http.address, (phone.endpoint.host, phone.endpoint.port))


async def _base(settings: Settings, folder: DataFolder, stack: AsyncExitStack) -> Base:
    box = open_box(folder.master_key)
    vault = open_vault(folder, box, settings.recording.key_file, sealing=settings.recording.encrypt)
    store = await Store.open(folder.database)
    stack.push_async_callback(store.close)
    engines, sounds = await asyncio.gather(_engines(settings, stack), _sounds(folder.background_sounds))
    plane = await _plane(settings, vault.files, sounds, stack)
    name, live, wake, checks = socket.gethostname(), LiveEvents(), asyncio.Event(), AgentChecks(engines)
    return Base(
        name=name,
        settings=settings,
        folder=folder,
        box=box,
        vault=vault,
        store=store,
        engines=engines,
        plane=plane,
        checks=checks,
        directory=Directory(store, box, checks),
        live=live,
        call_log=StoredCallLog(
            store, live, folder.recordings, name, now, settings.recording.min_free_mb, on_jobs=wake.set
        ),
        wake=wake,
        background=Background(),
        sounds=sounds,
    )


async def _sip(base: Base, stack: AsyncExitStack) -> Telephony:
    """The SIP port, the calls that come and go by it, and what we do for trunks beside."""
    sip, server = base.settings.sip, base.settings.server
    host, port = split_host_port(sip.bind)
    trunks = Trunks.make(base.box.signing_keys()[0], now, probe_seconds=sip.probe_seconds, learn=sip.learn_address)
    sockets = stack.enter_context(ExitStack())
    users = base.directory.inbound_users
    lookout = Lookout.make(base.settings, base.folder.traces, base.directory, trunks.trunk_of, users, now, sockets)
    guests = Guests(base.directory, trunks, lookout.guard)
    base.live.tap(lookout.traces.observe)
    stack.push_async_callback(lookout.traces.flush)
    ladder = Ladder(base.live.publish, on_watch=lookout.traces.watch)
    endpoint = SipEndpoint(
        host,
        port,
        transports=sip.transports,
        advertised=sip.advertised,
        tls=_tls(base.settings),
        local_nets=sip.local_nets,
        learn_address=sip.learn_address,
        trunk_of=guests.trunk_of,
        guard=lookout.guard,
        tap=ladder.tap,
        wire=lookout.wire,
        limits=SipLimits(retry_after=sip.retry_after_seconds),
        takes_refer=guests.takes_refer,
    )
    services = party.Services(
        log=base.call_log,
        media=base.plane,
        conversations=Conversations(base.engines, base.call_log),
        ladder=ladder,
        clock=now,
        media_host=_media_hosts(base.settings, endpoint).of,
        transfer=_transfers(base, endpoint, stack),
        retry_after=sip.retry_after_seconds,
        rtp=lookout.traces.rtp,
    )
    limits = Limits(server.max_calls, server.max_calls_per_agent)
    manners = Manners(sip.ring_seconds)
    calls = Calls(
        endpoint,
        services,
        base.directory,
        _new_id,
        limits,
        manners,
        registered=trunks.trunk_of,
        shown=lookout.guard.shown,
    )
    stack.push_async_callback(endpoint.stop)
    stack.push_async_callback(calls.stop)
    await calls.start()
    lookout.looks_at(endpoint)
    stack.push_async_callback(trunks.stop)
    trunks.start(endpoint)
    base.directory.watch(trunks.follow)
    return Telephony(endpoint, calls, trunks, lookout)


def _media_hosts(settings: Settings, endpoint: SipEndpoint) -> MediaHosts:
    bound = OwnAddress(settings.media.bind or split_host_port(settings.sip.bind)[0], time.monotonic)
    return MediaHosts(endpoint, bound, settings.media.advertised)


def _services(base: Base, phone: Telephony, policy: EgressPolicy, public_url: str, encoder: Encoder) -> Services:
    """What the HTTP operations work with."""
    settings, engines, calls = base.settings, base.engines, phone.calls
    metrics = Metrics(lambda: len(calls.live()), calls.capacity, phone.figures)
    base.live.tap(metrics.observe)
    return Services(
        store=base.store,
        box=base.box,
        directory=base.directory,
        checks=base.checks,
        dialler=calls,
        call_log=base.call_log,
        live=base.live,
        links=LinkSigner(public_url, base.box.signing_keys()),
        encoder=encoder,
        now=now,
        version=__version__,
        metrics=metrics,
        catalogue=_catalogue(engines, base.sounds),
        dialling=_dialling(settings),
        check_url=policy.check_url,
        unready=lambda: _unready(base),
        draining=lambda: calls.draining,
        poke_jobs=base.wake.set,
        ring_timeout_seconds=settings.sip.ring_timeout_seconds,
        link_days=settings.recording.url_days,
        retention_days=settings.recording.retention_days,
        trunk_states=phone.trunks,
        trunk_tester=TrunkCheck(phone.endpoint, phone.trunks, calls),
        traces=phone.lookout.traces,
        bans=GuardBans(phone.lookout.guard, time.monotonic, now),
    )


def _catalogue(engines: Engines, sounds: Sequence[Sound]) -> Catalogue:
    shown = [
        BackgroundSound(id=sound.id, name=sound.name, built_in=sound.built_in, seconds=round(sound.seconds, 2))
        for sound in sounds
    ]
    return Catalogue(engines.tts.voices() if engines.tts else (), tuple(engines.models), background_sounds=tuple(shown))


def _encoder(base: Base, stack: AsyncExitStack) -> Encoder:
    """Who makes compressed recordings, in a process that begins with the first of them."""
    forget_parts(base.folder.recordings)
    process = EncoderProcess()
    stack.callback(process.close)
    return Encoder(process.transcode, base.settings.recording.min_free_mb * MEBIBYTE, base.vault.files)


def _transfers(base: Base, endpoint: SipEndpoint, stack: AsyncExitStack) -> party.TransferParts:
    """What handing callers over needs."""
    settings = base.settings
    egress = Egress(EgressPolicy(settings.egress.allow), MUSIC_SECONDS)
    stack.push_async_callback(egress.aclose)
    music = HoldMusicFetcher(egress, base.folder.hold_music, decode_music, melody(), now)
    stack.push_async_callback(music.aclose)
    return party.TransferParts(endpoint, Desk(_dialling(settings), base.directory, base.checks), music, _new_id)


def _dialling(settings: Settings) -> DiallingPolicy:
    dialling = settings.dialling
    return DiallingPolicy(dialling.allow_countries, dialling.allow_own_numbers, dialling.max_queue)


def _unready(base: Base) -> list[str]:
    """Why calls cannot be served, beyond what the calls and their log say."""
    return [*(() if base.plane.free() else ("No media process takes calls.",)), *base.background.ended]


def _worker(base: Base, services: Services, policy: EgressPolicy, stack: AsyncExitStack) -> JobRunner:
    """Whoever does what is queued: dials, encodes, analyses, tells."""
    webhook = base.settings.webhook
    egress = Egress(policy, webhook.timeout_seconds)
    stack.push_async_callback(egress.aclose)
    analyst = CallAnalyst(base.engines)
    return job_runner(
        services, base.name, base.folder.recordings, analyst, egress, base.wake, hmac_header=webhook.hmac_header
    )


def _tls(settings: Settings) -> TlsFace | None:
    sip = settings.sip
    if sip.tls_bind is None or sip.tls_certificate is None or sip.tls_key is None:
        return None
    files = TlsFiles(sip.tls_certificate, sip.tls_key, sip.tls_ca, sip.tls_verify_clients)
    return TlsFace(*split_host_port(sip.tls_bind), files, sip.tls_advertised)


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


async def _sounds(folder: Path) -> tuple[Sound, ...]:
    """What can be played under speech. A file that cannot be played costs nothing but itself."""
    library = await asyncio.to_thread(load_sounds, folder)
    for problem in library.problems:
        log.warning("background sound not loaded", problem=problem)
    return library.sounds


async def _plane(settings: Settings, files: Files, sounds: Sequence[Sound], stack: AsyncExitStack) -> ProcessMediaPlane:
    media = settings.media
    first, last = (int(part) for part in media.rtp_ports.split("-"))
    processes = media.processes or max(1, (os.cpu_count() or 1) // 2)
    config = PlaneConfig(
        host=media.bind or split_host_port(settings.sip.bind)[0],
        ports=(first, last),
        processes=processes,
        timeout_s=media.timeout_seconds,
        cpus=cores_for(processes) if media.realtime else (),
        realtime=media.realtime,
        sockets=media.sockets,
        noise=NoiseSuppression(media.noise_suppression),
    )
    plane = ProcessMediaPlane(config, files, sounds)
    stack.push_async_callback(plane.stop)
    await plane.start()
    return plane


async def _flushed(runner: JobRunner) -> None:
    """Give what the last calls left to do a moment."""
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await runner.settled()
    except TimeoutError:
        log.info("jobs left for the next start")


def _repaired_seconds(files: Files, path: Path) -> float | None:
    return repair(path, files) / LINE_RATE if path.exists() else None


def _new_id() -> str:
    return str(uuid.uuid4())
