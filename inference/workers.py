"""Speech workers, seen from the main process: spawned, watched, restarted, and spoken to over a socketpair.

A request has an id, and whoever made it listens to that id only: answers to requests that were given up reach nobody. When a
worker dies, everybody who listens to it is told at once, and a new one is started, after a pause that doubles as long as it
does not help.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from inference.wire import Message, MessageReader, WireError

READY_TIMEOUT = 60.0
PING_EVERY = 2.0
PING_PATIENCE = 10.0
"""Seconds. A worker that does not answer for so long is stuck, and is killed."""
CLOSE_GRACE = 1.0
BACKOFF_FIRST, BACKOFF_MOST = 0.1, 10.0
HEALTHY_AFTER = 10.0
"""Seconds a worker must have lived for the pause before its restart to be short again."""
QUEUE_BYTES = 1 << 20
"""What may wait for a worker that does not read: audio beyond it is dropped."""

Handler = Callable[[Message | None], None]
"""Gets the messages of one request; None when the worker is gone and no more will come."""

_log = structlog.get_logger(__name__)


class WorkerGone(Exception):
    """The worker died, could not start, or did not answer; the message is the sentence for health()."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What to start. `environment` is added to the server's own."""

    role: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


class Worker(asyncio.Protocol):
    """One worker process and the connection to it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.info: Mapping[str, Any] = {}
        self.pid = process.pid
        self._process = process
        self._reader = MessageReader()
        self._transport: asyncio.Transport | None = None
        self._handlers: dict[int, Handler] = {}
        self._ids = itertools.count(1)
        self._hello: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._transport is not None and not self._gone.is_set()

    def new_id(self) -> int:
        """An id that no request to this worker has had."""
        return next(self._ids)

    def listen(self, id_: int, handler: Handler) -> None:
        """Hand every message with this id to `handler`, until `unlisten`. A dead worker says None at once."""
        if self._gone.is_set():
            handler(None)
        else:
            self._handlers[id_] = handler

    def unlisten(self, id_: int) -> None:
        """What still comes for this id is dropped."""
        self._handlers.pop(id_, None)

    def post(self, message: Message, *, droppable: bool = False) -> bool:
        """Send without waiting. False: not sent, because the worker is gone or, `droppable`, too much is waiting for it."""
        if self._transport is None or self._gone.is_set():
            return False
        if droppable and self._transport.get_write_buffer_size() > QUEUE_BYTES:
            return False
        self._transport.write(bytes(message))
        return True

    async def ask(self, kind: str, fields: Mapping[str, Any], timeout: float) -> Message:
        """Send a request and wait for its one answer. Raises WorkerGone."""
        id_ = self.new_id()
        answer: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self.listen(id_, lambda message: None if answer.done() else answer.set_result(message))
        try:
            self.post(Message(kind, id_, fields))
            async with asyncio.timeout(timeout):
                message = await answer
        except TimeoutError:
            raise WorkerGone(f"a speech worker did not answer within {timeout:g} s") from None
        finally:
            self.unlisten(id_)
        if message is None:
            raise WorkerGone("a speech worker died")
        return message

    async def greet(self, timeout: float) -> None:
        """Until it said that it is ready. Raises WorkerGone with its reason."""
        try:
            async with asyncio.timeout(timeout):
                message = await asyncio.shield(self._hello)
        except TimeoutError:
            raise WorkerGone(f"a speech worker was not ready within {timeout:g} s") from None
        if message.kind != "ready":
            raise WorkerGone(str(message.fields["reason"]))
        self.info = message.fields

    async def watch(self) -> None:
        """Returns when the worker is gone. One that is stuck is killed."""
        while not self._gone.is_set():
            try:
                async with asyncio.timeout(PING_EVERY):
                    await self._gone.wait()
            except TimeoutError:
                await self._ping()

    async def close(self) -> None:
        """End it: closing the socket is the request, a kill the reminder. Returns when the process is reaped."""
        if self._transport is not None:
            self._transport.abort()
        if self._process.poll() is None:
            await self._exited(CLOSE_GRACE)
        if self._process.poll() is None:
            self._process.kill()
            await self._exited(None)
            self._process.wait()

    async def _ping(self) -> None:
        try:
            await self.ask("ping", {}, PING_PATIENCE)
        except WorkerGone:
            self._process.kill()

    async def _exited(self, timeout: float | None) -> None:
        """Until the process has ended (its pidfd is readable) or the time is over."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        pidfd = os.pidfd_open(self._process.pid)
        loop.add_reader(pidfd, ended.set)
        try:
            async with asyncio.timeout(timeout):
                await ended.wait()
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Messages came: each to whoever listens to its id."""
        try:
            for message in self._reader.feed(data):
                self._dispatch(message)
        except WireError:
            self._process.kill()

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker is gone: tell everybody who listens."""
        self._gone.set()
        if not self._hello.done():
            self._hello.set_result(Message("failed", fields={"reason": "a speech worker died while it started"}))
        handlers = list(self._handlers.values())
        self._handlers.clear()
        for handler in handlers:
            handler(None)

    def _dispatch(self, message: Message) -> None:
        if message.id == 0:
            if not self._hello.done():
                self._hello.set_result(message)
        elif (handler := self._handlers.get(message.id)) is not None:
            handler(message)


async def spawn(spec: WorkerSpec) -> Worker:
    """Start a worker and wait until it is ready. Raises WorkerGone; nothing is left running then."""
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        raise WorkerGone(f"a speech worker cannot be started: {error}") from error
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns at the exec, in a millisecond
                _command(spec, theirs.fileno()),
                stdin=subprocess.DEVNULL,
                env=_environment(spec),
                pass_fds=(theirs.fileno(),),
            )
        except OSError as error:
            ours.close()
            raise WorkerGone(f"a speech worker cannot be started: {error}") from error
    worker = Worker(process)
    try:
        ours.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=ours)
        await worker.greet(READY_TIMEOUT)
    except BaseException:
        await _close(worker)
        raise
    return worker


async def _close(worker: Worker) -> None:
    """Close it whole: who is cancelled meanwhile waits until the process is reaped, or nobody would reap it."""
    closing = asyncio.ensure_future(worker.close())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await closing
        raise


def _command(spec: WorkerSpec, fd: int) -> list[str]:
    """`-P` keeps the server's working directory out of the worker's imports."""
    head = [sys.executable, "-P", "-m", "inference.worker", "--role", spec.role, "--fd", str(fd)]
    return [*head, "--parent", str(os.getpid()), "--options", json.dumps(dict(spec.options))]


def _environment(spec: WorkerSpec) -> dict[str, str]:
    """The worker finds our packages where we found them, and numpy starts no threads of its own."""
    here = str(Path(__file__).parent.parent)
    paths = [spec.environment.get("PYTHONPATH", ""), here, os.environ.get("PYTHONPATH", "")]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**os.environ, **threads, **spec.environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


class Workers:
    """So many workers of one kind, kept alive. `on_up` and `on_down` tell of each that comes and goes."""

    def __init__(
        self, spec: WorkerSpec, count: int, *,
        on_up: Callable[[Worker], None] = lambda worker: None,
        on_down: Callable[[Worker], None] = lambda worker: None,
    ) -> None:  # fmt: skip
        self._spec = spec
        self._count = count
        self._on_up = on_up
        self._on_down = on_down
        self._live: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self.problem: str | None = "the speech workers have not been started"
        self.restarts = 0

    @property
    def live(self) -> tuple[Worker, ...]:
        """Those that can be asked now."""
        return tuple(worker for worker in self._live if worker.alive)

    async def start(self) -> None:
        """Start all; returns when each is ready or has failed once. `problem` says what failed; it is tried again."""
        tried = [asyncio.Event() for _ in range(self._count)]
        self._tasks = [asyncio.create_task(self._keep(event), name=f"{self._spec.role}-worker") for event in tried]
        for event in tried:
            await event.wait()

    async def one(self, timeout: float) -> Worker:
        """The worker that is there, or the first that comes up in time. Raises WorkerGone with the reason why none did."""
        try:
            async with asyncio.timeout(timeout):
                while not self.live:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise WorkerGone(self.problem or "no speech worker is running") from None
        return self.live[0]

    async def aclose(self) -> None:
        """End all; returns when every process is reaped. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.problem = "the speech workers have been stopped"

    async def _keep(self, tried: asyncio.Event) -> None:
        """Keep one worker alive, for ever."""
        pause, loop = BACKOFF_FIRST, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._one_life(tried)
            except WorkerGone as error:
                self.problem = str(error)
            tried.set()
            if loop.time() - began > HEALTHY_AFTER:
                pause = BACKOFF_FIRST
            _log.warning("speech worker gone", role=self._spec.role, reason=self.problem, restart_in=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, BACKOFF_MOST)
            self.restarts += 1

    async def _one_life(self, tried: asyncio.Event) -> None:
        worker = await spawn(self._spec)
        self._live.append(worker)
        self.problem = None
        self._on_up(worker)
        self._changed.set()
        tried.set()
        try:
            await worker.watch()
        finally:
            self._live.remove(worker)
            self._on_down(worker)
            await _close(worker)
        raise WorkerGone("a speech worker died")
