"""The composition root: every part of a node is built here, started in the order in which calls need it, and stopped in reverse.

`run` is the whole life of `antiphon serve`: start, serve, drain, stop. SIGTERM and SIGINT drain: new calls get 503, those that
are here go on. A second signal, or the end of `server.drain_seconds`, ends them with BYE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from control_api.app import create_app
from control_api.egress import EgressPolicy
from control_api.folder import DataFolder
from control_api.housekeeping import Housekeeping
from control_api.http import HttpServer, listen
from control_api.jobs import JobRunner
from control_api.recovery import recover
from media.files import Files
from media.frames import LINE_RATE
from media.wav import repair
from sipserver.calls import Calls
from sipserver.garbage import sweep
from sipserver.node.base import base_of, now
from sipserver.node.services import encoder_of, services_of, worker_of
from sipserver.node.telephony import telephony_of
from sipserver.settings import Settings, split_host_port
from sipserver.signals import Signals, first_of
from sipserver.trunks import Trunks

FLUSH_SECONDS = 5.0
"""How long a stopping server still works on what its last calls left to do; the rest is done after the next start."""

log = structlog.get_logger(__name__)


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
    base = await base_of(settings, folder, stack)
    # The calls of a server that was killed end before new ones come.
    await recover(
        base.store, base.name, base.call_log.recording_path, partial(_repaired_seconds, base.vault.files), now()
    )
    await base.directory.refresh()
    stack.push_async_callback(base.call_log.flush)
    phone = await telephony_of(base, stack)
    public_url = settings.api.public_url or "http://{}:{}".format(*bound.getsockname()[:2])
    policy = EgressPolicy(settings.egress.allow)
    services = services_of(base, phone, policy, public_url.rstrip("/"), encoder_of(base, stack))
    runner = worker_of(base, services, policy, stack)
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
    base.background.start(sweep(lambda: len(phone.calls.live())), "The collector of garbage")
    http = HttpServer(create_app(services), bound)
    http.start()
    stack.push_async_callback(http.stop)
    return Node(phone.calls, runner, phone.trunks, http.address, (phone.endpoint.host, phone.endpoint.port))


async def _flushed(runner: JobRunner) -> None:
    """Give what the last calls left to do a moment."""
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await runner.settled()
    except TimeoutError:
        log.info("jobs left for the next start")


def _repaired_seconds(files: Files, path: Path) -> float | None:
    return repair(path, files) / LINE_RATE if path.exists() else None
