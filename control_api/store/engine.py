"""The database: many readers, one writer that commits groups.

SQLite takes one writer at a time, and a transaction costs far more than a statement (1.3 ms of CPU for each call event alone,
0.12 ms in groups of 50). So writes queue for one task; it waits for one, takes all that are there, runs them in one
transaction and tells each its result after the commit.

The journal is a write-ahead log with `synchronous=NORMAL`: what is committed is in the operating system's hands, so it survives
`kill -9` of this process at any moment; a power cut may cost the last transactions, never the database.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from control_api.store.migrate import upgrade

T = TypeVar("T")
Statements = Callable[[AsyncConnection], Awaitable[T]]

GROUP = 50
QUEUE = 2000
BUSY_MS = 10_000

UNUSABLE = ("disk is full", "disk I/O error", "readonly database", "malformed", "unable to open")
"""What SQLite says when it is not the statement's fault but the disk's."""


class StoreClosed(Exception):
    """The store has been closed; nothing more is read or written."""


@dataclass(slots=True)
class _Write:
    statements: Statements[Any]
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def succeed(self, result: object) -> None:
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Store:
    """One database. `Store.open` migrates and starts it; `close` must be awaited, or the driver's threads keep the process alive."""

    def __init__(self, readers: AsyncEngine, writer: AsyncEngine) -> None:
        self._readers = readers
        self._writer = writer
        self._queue: asyncio.Queue[_Write] = asyncio.Queue(maxsize=QUEUE)
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._writing = True

    @classmethod
    async def open(cls, database: Path, group: int = GROUP) -> Store:
        """Bring the schema up to date and start the writer. Raises OSError or SQLAlchemyError when the file cannot be used."""
        await asyncio.to_thread(upgrade, database)
        store = cls(_engine(database, "BEGIN", read_only=True), _engine(database, "BEGIN IMMEDIATE", read_only=False))
        connection = await store._writer.connect()
        store._task = asyncio.create_task(store._write_groups(connection, group), name="store-writer")
        return store

    async def read(self, statements: Statements[T]) -> T:
        """Run statements on one consistent picture of the database. It cannot write."""
        if self._closed:
            raise StoreClosed
        async with self._readers.connect() as connection:
            return await statements(connection)

    async def write(self, statements: Statements[T]) -> T:
        """Run statements in a transaction and return their result when it is committed.

        What they raise undoes them alone and is raised here. They may be run twice (when another write of their group fails),
        so they act on nothing but the connection. Cancelling the caller does not take the write back.
        """
        if self._closed or not self._writing:
            raise StoreClosed
        write = _Write(statements)
        await self._queue.put(write)
        result: T = await write.done
        return result

    def failure(self) -> str | None:
        """None while writes succeed; else the sentence that says why the disk does not take them."""
        return self._failure

    async def close(self) -> None:
        """Write what is queued, stop the writer and end the driver's threads. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._queue.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._readers.dispose()
        await self._writer.dispose()

    async def _write_groups(self, connection: AsyncConnection, size: int) -> None:
        try:
            while True:
                group = [await self._queue.get()]
                while len(group) < size and not self._queue.empty():
                    group.append(self._queue.get_nowait())
                await self._commit(connection, group)
                for _ in group:
                    self._queue.task_done()
        finally:
            self._writing = False
            self._refuse_queued()
            await connection.close()

    def _refuse_queued(self) -> None:
        """Nobody waits for ever for a writer that is gone."""
        while not self._queue.empty():
            self._queue.get_nowait().fail(StoreClosed())
            self._queue.task_done()

    async def _commit(self, connection: AsyncConnection, group: list[_Write]) -> None:
        try:
            async with connection.begin():
                results = [await write.statements(connection) for write in group]
        except Exception as error:  # noqa: BLE001  whatever a write raises belongs to whoever asked for it
            await self._commit_singly(connection, group, error)
        else:
            self._failure = None
            for write, result in zip(group, results, strict=True):
                write.succeed(result)

    async def _commit_singly(self, connection: AsyncConnection, group: list[_Write], error: Exception) -> None:
        if len(group) == 1:
            self._failure = _disk_failure(error) or self._failure
            group[0].fail(error)
            return
        for write in group:
            await self._commit(connection, [write])


def _disk_failure(error: Exception) -> str | None:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    if isinstance(cause, sqlite3.Error) and any(words in str(cause) for words in UNUSABLE):
        return f"The database cannot be written: {cause}."
    return None


def _engine(database: Path, begin: str, *, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}", pool_size=4 if read_only else 1, max_overflow=0)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: DBAPIConnection, _record: object) -> None:
        # The driver's own transaction handling is switched off, so that the statement below is the one that begins.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _pragmas(read_only):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _pragmas(read_only: bool) -> tuple[str, ...]:
    common = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}")
    return (*common, "query_only=ON") if read_only else common
