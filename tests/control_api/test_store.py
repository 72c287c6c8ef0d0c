"""The store: its schema, its one writer that commits groups, and what a failing write does to its neighbours."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import organizations
from control_api.store.direct import prepared
from control_api.store.engine import GROUP, Store, StoreClosed
from control_api.store.migrate import upgrade
from control_api.store.tables import metadata
from control_api.store.tables import organizations as organizations_table


def with_store(folder: Path, test: Callable[[Store], Awaitable[None]]) -> None:
    async def body() -> None:
        store = await Store.open(folder / "antiphon.db")
        try:
            await test(store)
        finally:
            await store.close()

    asyncio.run(body())


async def names(store: Store) -> list[str]:
    async def read(connection: AsyncConnection) -> list[str]:
        return list(await connection.scalars(sa.text("SELECT name FROM organizations ORDER BY name")))

    return await store.read(read)


def adding(name: str) -> Callable[[AsyncConnection], Awaitable[None]]:
    return lambda connection: organizations.insert(connection, name, name, 0)


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    upgrade(tmp_path / "new.db")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    engine.dispose()
    assert found == []
    assert journal == "wal"


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    upgrade(tmp_path / "new.db")
    before = _schema(tmp_path / "new.db")
    upgrade(tmp_path / "new.db")
    assert _schema(tmp_path / "new.db") == before
    assert any("CREATE TABLE calls" in line for line in before)


def _schema(database: Path) -> list[str]:
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    connection.close()
    return [row[0] for row in rows]


def test_writes_that_queue_together_are_committed_together(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        commits = 0

        def count(_connection: object) -> None:
            nonlocal commits
            commits += 1

        sa.event.listen(store._writer, "commit", count)
        await asyncio.gather(*(store.write(adding(f"{number:03}")) for number in range(100)))
        assert len(await names(store)) == 100
        assert commits == 2

    with_store(tmp_path, test)


def test_a_failing_write_is_undone_alone(tmp_path: Path) -> None:
    async def failing(connection: AsyncConnection) -> None:
        await organizations.insert(connection, "lost", "lost", 0)
        raise ValueError("no")

    async def test(store: Store) -> None:
        results = await asyncio.gather(
            store.write(adding("a")),
            store.write(failing),
            store.write(adding("b")),
            store.write(adding("a")),
            return_exceptions=True,
        )
        assert [type(result).__name__ for result in results] == ["NoneType", "ValueError", "NoneType", "IntegrityError"]
        assert await names(store) == ["a", "b"]
        assert store.failure() is None

    with_store(tmp_path, test)


def test_a_write_is_there_when_it_returns(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        await store.write(adding("a"))
        other = sqlite3.connect(tmp_path / "antiphon.db")
        assert other.execute("SELECT count(*) FROM organizations").fetchone() == (1,)
        other.close()

    with_store(tmp_path, test)


def test_a_cancelled_writer_does_not_stop_the_others(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        impatient = asyncio.create_task(store.write(adding("a")))
        await asyncio.sleep(0)
        impatient.cancel()
        await store.write(adding("b"))
        assert await names(store) == ["a", "b"]
        assert impatient.cancelled()

    with_store(tmp_path, test)


def test_a_write_that_waits_for_something_else_is_a_defect(tmp_path: Path) -> None:
    """It would hold up every other write."""

    async def waiting(connection: AsyncConnection) -> None:
        await organizations.insert(connection, "lost", "lost", 0)
        await asyncio.sleep(0)

    async def test(store: Store) -> None:
        with pytest.raises(RuntimeError, match="not its connection"):
            await store.write(waiting)
        await store.write(adding("a"))
        assert await names(store) == ["a"]

    with_store(tmp_path, test)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            await store.read(adding("a"))

    with_store(tmp_path, test)


def test_a_full_disk_is_told_and_forgotten_when_there_is_room_again(tmp_path: Path) -> None:
    """`max_page_count` makes SQLite say what it says on a full disk."""

    async def pages(connection: AsyncConnection, limit: int) -> None:
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")

    async def fill(connection: AsyncConnection) -> None:
        await organizations.insert(connection, "big", "x" * 1_000_000, 0)

    async def test(store: Store) -> None:
        await store.write(lambda connection: pages(connection, 1))
        with pytest.raises(sa.exc.OperationalError, match="full"):
            await store.write(fill)
        assert store.failure() == "The database cannot be written: database or disk is full."
        await store.write(lambda connection: pages(connection, 1_000_000))
        await store.write(fill)
        assert store.failure() is None

    with_store(tmp_path, test)


def test_an_idle_store_finds_out_by_itself_that_there_is_room_again(tmp_path: Path) -> None:
    """The limit on the size of files stops the write-ahead log as a full disk does."""

    async def nothing(connection: AsyncConnection) -> None:
        await connection.execute(sa.text("UPDATE organizations SET name = '' WHERE id = 'nobody'"))

    async def test(store: Store) -> None:
        await store.write(adding("a"))
        await store.usable()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "antiphon.db-wal").stat().st_size, before[1]))
        try:
            with pytest.raises(sa.exc.OperationalError):
                await store.write(adding("b"))
            # A write that changes nothing succeeds on any disk, and proves nothing.
            await store.write(nothing)
            assert str(store.failure()).startswith("The database cannot be written: ")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        async with asyncio.timeout(5):
            await store.usable()
        assert store.failure() is None
        await store.write(adding("b"))

    with_store(tmp_path, test)


def test_a_closed_store_refuses_and_has_written_everything(tmp_path: Path) -> None:
    async def body() -> None:
        store = await Store.open(tmp_path / "antiphon.db")
        waiting = [asyncio.create_task(store.write(adding(str(number)))) for number in range(10)]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*waiting)
        await store.close()
        for refused in (store.read, store.write):
            with pytest.raises(StoreClosed):
                await refused(adding("late"))

    asyncio.run(body())
    connection = sqlite3.connect(tmp_path / "antiphon.db")
    assert connection.execute("SELECT count(*) FROM organizations").fetchone() == (10,)
    connection.close()


def commits_of(store: Store) -> list[object]:
    commits: list[object] = []
    sa.event.listen(store._writer, "commit", commits.append)
    return commits


def test_writes_that_nobody_waits_for_go_with_the_one_that_somebody_does(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        commits = commits_of(store)
        patient = [asyncio.create_task(store.write(adding(name), urgent=False)) for name in ("a", "b")]
        await asyncio.sleep(0)
        await asyncio.gather(store.write(adding("c")), *patient)
        assert await names(store) == ["a", "b", "c"]
        assert len(commits) == 1

    with_store(tmp_path, test)


def test_a_write_that_nobody_waits_for_is_written_all_the_same(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        for name in ("a", "b"):  # The second one shows that the timer is wound up again.
            await store.write(adding(name), urgent=False)
        await asyncio.gather(*(store.write(adding(f"{number:02}"), urgent=False) for number in range(GROUP)))
        assert len(await names(store)) == GROUP + 2

    with_store(tmp_path, test)


def test_closing_writes_what_still_waited_for_company(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        waiting = asyncio.create_task(store.write(adding("a"), urgent=False))
        await asyncio.sleep(0)
        await store.close()
        await waiting

    with_store(tmp_path, test)


def test_a_prepared_statement_fails_with_the_errors_of_all_others(tmp_path: Path) -> None:
    statement = prepared(sa.insert(organizations_table))

    async def test(store: Store) -> None:
        def add(connection: AsyncConnection) -> Awaitable[sa.CursorResult[object]]:
            return connection.execute(statement, {"id": "a", "name": "a", "created_at": 0})

        await store.write(add)
        with pytest.raises(sa.exc.IntegrityError):
            await store.write(add)
        assert await names(store) == ["a"]

    with_store(tmp_path, test)
