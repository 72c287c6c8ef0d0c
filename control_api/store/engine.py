"""The database: many readers, one writer that commits groups.

SQLite takes one writer at a time, and a transaction costs far more than a statement. So writes queue for one task; it waits
for one, takes all that are there, has them run in one transaction in one thread, and tells each its result after the commit.

A write that somebody waits for is written at once, and takes with it those that nobody waits for: what happened in a call that
is there already. They wait for company for a few milliseconds.

The journal is a write-ahead log with `synchronous=NORMAL`: what is committed is in the operating system's hands, so it survives
`kill -9` of this process at any moment; a power cut may cost the last transactions, never the database.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from control_api.store.direct import run
from control_api.store.migrate import upgrade

T = TypeVar("T")
Statements = Callable[[AsyncConnection], Awaitable[T]]

GROUP = 50
QUEUE = 2000
PATIENCE = 0.02
"""Seconds for which a write that nobody waits for may wait for company: at 100 calls a second each had a commit of its own."""
READERS = 4
HIDE_PARAMETERS = True
"""An error's text goes into logs; what was to be written (numbers, words, sealed secrets) does not belong there."""
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000")

PROBE_SECONDS = 1.0
"""How often a disk that has refused a write is tried again."""

UNUSABLE = ("disk is full", "disk I/O error", "readonly database", "malformed", "unable to open")
"""What SQLite says when it is not the statement's fault but the disk's."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a write: its result, or what it raised."""

    result: Any
    error: Exception | None


class StoreClosed(Exception):
    """The store has been closed; nothing more is read or written."""


@dataclass(slots=True)
class _Write:
    statements: Statements[Any]
    urgent: bool = True
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def succeed(self, result: object) -> None:
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Store:
    """One database. `Store.open` migrates and starts it; `close` must be awaited, or the driver's threads keep the process alive."""

    def __init__(self, readers: AsyncEngine, writer: sa.Engine) -> None:
        self._readers = readers
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._queue: asyncio.Queue[_Write] = asyncio.Queue(maxsize=QUEUE)
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._failure: str | None = None
        self._usable = asyncio.Event()
        self._usable.set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._writing = True

    @classmethod
    async def open(cls, database: Path, group: int = GROUP) -> Store:
        """Bring the schema up to date and start the writer. Raises OSError or SQLAlchemyError when the file cannot be used."""
        await asyncio.to_thread(upgrade, database)
        store = cls(_readers(database), _writer(database))
        store._task = asyncio.create_task(store._write_groups(group), name="store-writer")
        return store

    async def read(self, statements: Statements[T]) -> T:
        """Run statements on one consistent picture of the database. It cannot write."""
        if self._closed:
            raise StoreClosed
        async with self._readers.connect() as connection:
            return await statements(connection)

    async def write(self, statements: Statements[T], urgent: bool = True) -> T:
        """Run statements in a transaction and return their result when it is committed.

        What they raise undoes them alone and is raised here. They run in the writer's thread, and may be run twice (when another
        write of their group fails), so they act on nothing but the connection, and await nothing else. Cancelling the caller
        does not take the write back. What is not urgent may wait for company, for `PATIENCE` seconds.
        """
        if self._closed or not self._writing:
            raise StoreClosed
        write = _Write(statements, urgent)
        if self._queue.full():
            self._due.set()
        await self._queue.put(write)
        self._call_writer(urgent)
        result: T = await write.done
        return result

    def failure(self) -> str | None:
        """None while writes succeed; else the sentence that says why the disk does not take them."""
        if not self._writing:
            return "The database's writer has stopped."
        return self._failure

    async def usable(self) -> None:
        """Until the disk takes writes: at once while it does."""
        await self._usable.wait()

    async def close(self) -> None:
        """Write what is queued, stop the writer and end the driver's threads. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._due.set()
        await self._queue.join()
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._readers.dispose()
        self._thread.shutdown()
        self._writer.dispose()

    async def _write_groups(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._until_due()
                group = [self._queue.get_nowait() for _ in range(min(size, self._queue.qsize()))]
                if not self._queue.empty():
                    self._due.set()
                if not group:
                    continue
                outcomes = await loop.run_in_executor(self._thread, _commit, self._writer, group)
                if self._failure is not None and any(outcome.error is None for outcome in outcomes):
                    await self._probe()
                self._tell(group, outcomes)
        finally:
            self._writing = False
            self._refuse_queued()

    def _call_writer(self, urgent: bool) -> None:
        """Now for what is urgent and for a whole group; else soon."""
        if urgent or self._queue.qsize() >= GROUP:
            self._due.set()
        elif self._timer is None and not self._due.is_set():
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._due.set)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _until_due(self) -> None:
        """Until there is something to write. While there is nothing, a disk that has refused a write is tried again."""
        while self._failure is not None and not self._due.is_set():
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                await self._probe()
        await self._due.wait()
        self._due.clear()
        self._stop_timer()

    async def _probe(self) -> None:
        """Only a write that changes a page tells that there is room: the claim of a job where there is none changes nothing."""
        loop = asyncio.get_running_loop()
        (outcome,) = await loop.run_in_executor(self._thread, _commit, self._writer, [_Write(_touch)])
        if outcome.error is None:
            self._failure = None
            self._usable.set()

    def _tell(self, group: Sequence[_Write], outcomes: Sequence[_Outcome]) -> None:
        for write, outcome in zip(group, outcomes, strict=True):
            if outcome.error is None:
                write.succeed(outcome.result)
            else:
                self._note(outcome.error)
                write.fail(outcome.error)
            self._queue.task_done()

    def _note(self, error: Exception) -> None:
        failure = _disk_failure(error)
        if failure is not None:
            self._failure = failure
            self._usable.clear()

    def _refuse_queued(self) -> None:
        """Nobody waits for ever for a writer that is gone."""
        while not self._queue.empty():
            self._queue.get_nowait().fail(StoreClosed())
            self._queue.task_done()


def _commit(writer: sa.Engine, group: Sequence[_Write]) -> list[_Outcome]:
    """Run a group in one transaction; where one of it fails, each in a transaction of its own. In the writer's thread."""
    try:
        with writer.begin() as connection:
            return [_Outcome(run(write.statements, connection), None) for write in group]
    except Exception as error:  # noqa: BLE001  whatever a write raises belongs to whoever asked for it
        if len(group) == 1:
            return [_Outcome(None, error)]
    return [outcome for write in group for outcome in _commit(writer, [write])]


async def _touch(connection: AsyncConnection) -> None:
    """The smallest change of the file: its header, written anew as it is."""
    await connection.exec_driver_sql("PRAGMA user_version = 0")


def _disk_failure(error: Exception) -> str | None:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    if isinstance(cause, sqlite3.Error) and any(words in str(cause) for words in UNUSABLE):
        return f"The database cannot be written: {cause}."
    return None


def _readers(database: Path) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{database}", pool_size=READERS, max_overflow=0, hide_parameters=HIDE_PARAMETERS
    )
    _prepare(engine.sync_engine, "BEGIN", (*PRAGMAS, "query_only=ON"))
    return engine


def _writer(database: Path) -> sa.Engine:
    """One connection, used by the writer's thread alone (and closed by another, when that thread is gone)."""
    engine = sa.create_engine(
        f"sqlite:///{database}",
        pool_size=1,
        max_overflow=0,
        connect_args={"check_same_thread": False},
        hide_parameters=HIDE_PARAMETERS,
    )
    _prepare(engine, "BEGIN IMMEDIATE", PRAGMAS)
    return engine


def _prepare(engine: sa.Engine, begin: str, pragmas: Sequence[str]) -> None:
    @sa.event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _record: object) -> None:
        # The driver's own transaction handling is switched off, so that the statement below is the one that begins.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)
