"""What a node stands on: its folder and store, its engines and media, and who knows and keeps what."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from control_api.calllog import StoredCallLog
from control_api.directory import Directory
from control_api.folder import DataFolder
from control_api.live import LiveEvents
from control_api.sealing import RecordingVault, open_vault
from control_api.secrets import SecretBox, open_box
from control_api.store.engine import Store
from inference.checks import AgentChecks
from inference.engines import Engines
from inference.llm.openai_chat import ChatTimeouts, OpenAiChat
from inference.stt.pocketsphinx import PocketsphinxEngine
from inference.tts.espeak import EspeakEngine
from media.files import Files
from media.plane import NoiseSuppression, PlaneConfig, ProcessMediaPlane, cores_for
from media.sound_library import load_sounds
from media.sound_table import Sound
from sipserver.background import Background
from sipserver.settings import Settings, split_host_port

log = structlog.get_logger(__name__)


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


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


async def base_of(settings: Settings, folder: DataFolder, stack: AsyncExitStack) -> Base:
    """Built and started; `stack` stops it. Raises as `server.run` does."""
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
