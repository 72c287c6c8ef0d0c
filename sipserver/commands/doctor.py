"""`antiphon doctor`: what this machine and this configuration can do, and what stands in the way. It changes nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from control_api.folder import DataFolder
from inference.llm.openai_chat import OpenAiChat
from media.codecs import opus
from media.plane import cores_for
from media.silero import SileroError, find_model
from media.sockets.choice import AUTO, BACKENDS, best, works
from sipserver.commands.certificates import authority_fault, certificate_faults, certificate_state, today
from sipserver.commands.sealing import sealing_state
from sipserver.commands.trunk_keys import keys_in_the_clear
from sipserver.settings import Settings, split_host_port

Verdict = Literal["ok", "note", "fault"]
MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "fault": "[red]fault[/]"}
PORTS_PER_CALL = 2
FILES_PER_CALL = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination. A `fault` keeps the server from starting or from taking calls."""

    what: str
    verdict: Verdict
    says: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which a call needs it."""
    yield _python()
    yield from _ports(settings)
    yield from _tls(settings)
    yield from _media_keys(settings)
    yield _rtp_ports(settings)
    yield _open_files(settings)
    yield _folder(settings)
    yield _disk(settings)
    yield Finding("recordings", *sealing_state(settings))
    yield _vad()
    yield _opus()
    yield _engine("recogniser", "pocketsphinx", settings.stt.workers, "agents with a script; English")
    yield _engine("voice", "espeakng_loader", settings.tts.workers, "espeak-ng")
    yield _language_model(settings)
    yield _sockets(settings)
    yield _scheduling(settings)


def report(settings: Settings, console: Console | None = None) -> bool:
    """Print the findings on `console` (default: this terminal); True when there is no fault."""
    table = Table.grid(Column(no_wrap=True), Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0))
    sound = True
    for finding in examine(settings):
        table.add_row(MARKS[finding.verdict], finding.what, escape(finding.says))
        sound = sound and finding.verdict != "fault"
    (console or Console(highlight=False)).print(table)
    return sound


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("Python", "ok" if sys.version_info >= (3, 11) else "fault", f"{version} (3.11 or newer is needed)")


def _ports(settings: Settings) -> Iterator[Finding]:
    host, port = split_host_port(settings.sip.bind)
    kinds = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
    for transport in settings.sip.transports:
        yield _bindable(f"SIP {transport}", host, port, kinds[transport])
    if settings.sip.tls_bind is not None:
        yield _bindable("SIP tls", *split_host_port(settings.sip.tls_bind), socket.SOCK_STREAM)
    yield _bindable("API", *split_host_port(settings.api.bind), socket.SOCK_STREAM)


def _tls(settings: Settings) -> Iterator[Finding]:
    sip, now = settings.sip, today()
    if sip.tls_bind is None or sip.tls_certificate is None or sip.tls_key is None:
        return
    faults = certificate_faults(sip.tls_certificate, sip.tls_key, now)
    for fault in faults:
        yield Finding("TLS certificate", "fault", fault)
    if not faults:
        lasts, says = certificate_state(sip.tls_certificate, now)
        yield Finding("TLS certificate", "ok" if lasts else "note", says)
    trouble = None if sip.tls_ca is None else authority_fault(sip.tls_ca)
    if trouble is not None:
        yield Finding("TLS authorities", "fault", trouble)


def _media_keys(settings: Settings) -> Iterator[Finding]:
    exposed = keys_in_the_clear(DataFolder(settings.server.data_dir).database)
    if exposed:
        says = f"{', '.join(exposed)}: srtp is on and the transport is not tls, so its keys can be read on the way"
        yield Finding("media keys", "note", says)


def _bindable(what: str, host: str, port: int, kind: socket.SocketKind) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe_socket:
        if kind is socket.SOCK_STREAM:
            probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe_socket.bind((host, port))
        except OSError as error:
            return Finding(what, "note", f"{host}:{port} cannot be bound now: {error.strerror} (is a server running?)")
    return Finding(what, "ok", f"{host}:{port} is free")


def _rtp_ports(settings: Settings) -> Finding:
    first, last = (int(part) for part in settings.media.rtp_ports.split("-"))
    room = (last - first + 1) // PORTS_PER_CALL
    if room < settings.server.max_calls:
        return Finding(
            "RTP ports", "fault", f"{first}-{last} hold {room} calls, server.max_calls is {settings.server.max_calls}"
        )
    ephemeral = _ephemeral_ports()
    if ephemeral and first <= ephemeral[1] and last >= ephemeral[0]:
        says = f"{first}-{last} overlap the ephemeral ports {ephemeral[0]}-{ephemeral[1]}: other programs may hold some"
        return Finding("RTP ports", "note", says)
    return Finding("RTP ports", "ok", f"{first}-{last}: {room} calls")


def _ephemeral_ports() -> tuple[int, int] | None:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    except OSError:
        return None
    return int(low), int(high)


def _open_files(settings: Settings) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = settings.server.max_calls * FILES_PER_CALL + 200
    enough = hard == resource.RLIM_INFINITY or hard >= need
    return Finding(
        "open files",
        "ok" if enough else "fault",
        f"limit {hard}, {need} are needed for {settings.server.max_calls} calls",
    )


def _folder(settings: Settings) -> Finding:
    folder = settings.server.data_dir
    if not folder.exists():
        return Finding("data folder", "note", f"{folder} is made by antiphon init, or at the first start")
    writable = os.access(folder, os.W_OK | os.X_OK)
    return Finding(
        "data folder", "ok" if writable else "fault", f"{folder} is {'writable' if writable else 'not writable'}"
    )


def _disk(settings: Settings) -> Finding:
    folder = settings.server.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 2**20
    need = settings.recording.min_free_mb
    return Finding("disk", "ok" if free >= need else "fault", f"{free} MB free; below {need} MB new calls are refused")


def _vad() -> Finding:
    try:
        weights = find_model()
    except SileroError:
        return Finding("voice activity", "fault", "no Silero weights: pip install --no-deps silero-vad")
    if "silero_vad" in weights.parts:
        return Finding("voice activity", "ok", "Silero, weights of silero-vad")
    return Finding(
        "voice activity",
        "note",
        "Silero, weights inside faster-whisper (another release; make setup installs silero-vad)",
    )


def _opus() -> Finding:
    version = opus.version()
    if version is None:
        return Finding(
            "Opus", "note", "libopus is missing: Opus is neither offered nor taken (it comes with PyAV's wheel)"
        )
    return Finding("Opus", "ok", version)


def _engine(what: str, package: str, workers: int, serves: str) -> Finding:
    if workers == 0:
        return Finding(what, "note", "switched off (workers = 0)")
    if importlib.util.find_spec(package) is None:
        return Finding(what, "fault", f"the package {package} is not installed")
    return Finding(what, "ok", f"{package}, {workers} process{'es' if workers > 1 else ''}: {serves}")


def _language_model(settings: Settings) -> Finding:
    if settings.llm.base_url is None:
        return Finding("language model", "note", "none (llm.base_url): agents speak by their script, and need one")
    key = settings.llm.api_key.get_secret_value() if settings.llm.api_key else None
    trouble = asyncio.run(_asked(OpenAiChat(settings.llm.base_url, key)))
    verdict: Verdict = "fault" if trouble else "ok"
    return Finding("language model", verdict, f"{settings.llm.base_url}: {trouble or settings.llm.model}")


async def _asked(llm: OpenAiChat) -> str | None:
    try:
        return await llm.health()
    finally:
        await llm.aclose()


def _sockets(settings: Settings) -> Finding:
    wanted = settings.media.sockets
    trouble = works(wanted) if wanted != AUTO else ""
    if trouble:
        return Finding("RTP sockets", "fault", f"media.sockets is {wanted}: {trouble}")
    chosen = best() if wanted == AUTO else wanted
    better = works(BACKENDS[0])
    if better:
        return Finding("RTP sockets", "note", f"{chosen} (in Python): {better}")
    return Finding("RTP sockets", "ok", chosen)


def _scheduling(settings: Settings) -> Finding:
    if not settings.media.realtime:
        return Finding("scheduling", "note", "media.realtime is off")
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return Finding(
            "scheduling", "note", "SCHED_FIFO is not permitted (CAP_SYS_NICE): packets may leave late on a busy machine"
        )
    os.sched_setscheduler(0, *before)
    cores = cores_for(settings.media.processes or max(1, (os.cpu_count() or 1) // 2))
    bound = f"media on core {', '.join(map(str, cores))}" if cores else "no core is left to bind media to"
    return Finding("scheduling", "ok", f"SCHED_FIFO is permitted; {bound}")
