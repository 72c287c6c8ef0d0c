"""The queue: leases, fencing, time. Two owners, and a clock that is a number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import jobs
from control_api.store.engine import Store
from control_api.store.jobs import Claim

KINDS = ("dial", "webhook")


class Queue:
    """The statements, each in a transaction of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def add(self, key: str, run_at: int = 0, kind: str = "dial") -> None:
        await self.store.write(
            lambda connection: jobs.enqueue(connection, kind, {"key": key}, now=0, run_at=run_at, dedupe_key=key)
        )

    async def claim(self, owner: str, now: int, limit: int = 10) -> list[Claim]:
        return await self.store.write(
            lambda connection: jobs.claim(connection, owner, KINDS, limit, now=now, lease=100)
        )

    async def do(self, statements: Callable[[AsyncConnection], Awaitable[bool]]) -> bool:
        return await self.store.write(statements)

    async def due(self) -> int | None:
        return await self.store.read(lambda connection: jobs.next_due(connection, KINDS))


def with_queue(folder: Path, test: Callable[[Queue], Awaitable[None]]) -> None:
    async def body() -> None:
        store = await Store.open(folder / "antiphon.db")
        try:
            await test(Queue(store))
        finally:
            await store.close()

    asyncio.run(body())


def test_jobs_come_when_they_are_due_oldest_first(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        for key, run_at in (("late", 30), ("early", 10), ("middle", 20)):
            await queue.add(key, run_at)
        assert await queue.due() == 10
        assert await queue.claim("a", now=9) == []
        assert [job.payload["key"] for job in await queue.claim("a", now=25)] == ["early", "middle"]
        assert await queue.due() == 30
        assert [job.payload["key"] for job in await queue.claim("a", now=30)] == ["late"]
        assert await queue.due() == 125

    with_queue(tmp_path, test)


def test_only_the_kinds_that_are_asked_for_and_no_more_than_the_limit(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        await queue.add("other", kind="analyse")
        for number in range(5):
            await queue.add(str(number), number)
        assert len(await queue.claim("a", now=10, limit=3)) == 3
        assert len(await queue.claim("b", now=10)) == 2

    with_queue(tmp_path, test)


def test_no_two_owners_get_the_same_job(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        for number in range(60):
            await queue.add(str(number))
        taken = await asyncio.gather(*(queue.claim(f"o{owner}", now=1, limit=4) for owner in range(20)))
        ids = [job.id for jobs_of_owner in taken for job in jobs_of_owner]
        assert (len(ids), len(set(ids))) == (60, 60)

    with_queue(tmp_path, test)


def test_who_lost_the_lease_is_fenced(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        await queue.add("x")
        (lost,) = await queue.claim("dead", now=0)
        assert await queue.claim("alive", now=100) == []
        (taken,) = await queue.claim("alive", now=101)
        assert (lost.attempt, taken.attempt) == (1, 2)
        assert not await queue.do(lambda connection: jobs.extend(connection, lost, now=102, lease=100))
        assert not await queue.do(lambda connection: jobs.retry(connection, lost, run_at=0, error="late"))
        assert not await queue.do(lambda connection: jobs.give_up(connection, lost, error="late"))
        assert not await queue.do(lambda connection: jobs.finish(connection, lost))
        assert await queue.do(lambda connection: jobs.finish(connection, taken))
        assert not await queue.do(lambda connection: jobs.finish(connection, taken))
        assert await queue.due() is None

    with_queue(tmp_path, test)


def test_the_same_owner_of_an_earlier_life_is_fenced_too(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        await queue.add("x")
        (before,) = await queue.claim("node", now=0)
        assert await queue.store.write(lambda connection: jobs.release(connection, "node", now=1)) == 1
        (after,) = await queue.claim("node", now=1)
        assert not await queue.do(lambda connection: jobs.finish(connection, before))
        assert await queue.do(lambda connection: jobs.finish(connection, after))

    with_queue(tmp_path, test)


def test_extended_leases_hold(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        await queue.add("x")
        (job,) = await queue.claim("a", now=0)
        assert await queue.do(lambda connection: jobs.extend(connection, job, now=90, lease=100))
        assert await queue.claim("b", now=150) == []
        assert len(await queue.claim("b", now=191)) == 1

    with_queue(tmp_path, test)


def test_trying_again_counts_and_postponing_does_not(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        await queue.add("x")
        (job,) = await queue.claim("a", now=0)
        await queue.do(lambda connection: jobs.retry(connection, job, run_at=50, error="busy"))
        assert await queue.claim("a", now=49) == []
        (job,) = await queue.claim("a", now=50)
        assert job.attempt == 2
        await queue.do(lambda connection: jobs.postpone(connection, job, run_at=60))
        (job,) = await queue.claim("a", now=60)
        assert job.attempt == 2
        assert await queue.do(lambda connection: jobs.give_up(connection, job, error="no more"))
        assert await queue.claim("a", now=10_000) == []

    with_queue(tmp_path, test)


def test_a_subject_has_one_job_of_a_kind(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        await queue.add("x")
        with pytest.raises(sa.exc.IntegrityError):
            await queue.add("x")
        (job,) = await queue.claim("a", now=0)
        await queue.store.write(lambda connection: jobs.cancel(connection, "x"))
        assert not await queue.do(lambda connection: jobs.finish(connection, job))
        assert await queue.due() is None

    with_queue(tmp_path, test)


def test_old_jobs_that_were_done_are_forgotten(tmp_path: Path) -> None:
    async def test(queue: Queue) -> None:
        await queue.add("done")
        (job,) = await queue.claim("a", now=0)
        await queue.do(lambda connection: jobs.finish(connection, job))
        await queue.add("waiting")
        assert await queue.store.write(lambda connection: jobs.purge(connection, before=1)) == 1
        assert len(await queue.claim("a", now=0)) == 1

    with_queue(tmp_path, test)


def test_the_statements_are_those_of_postgresql_too() -> None:
    """Every table can be made there, and the picking skips what others have locked."""
    dialect = sa.dialects.registry.load("postgresql")()
    for table in jobs.jobs.metadata.sorted_tables:
        assert f"CREATE TABLE {table.name}" in str(sa.schema.CreateTable(table).compile(dialect=dialect))
    pick = sa.select(jobs.jobs.c.id).with_for_update(skip_locked=True)
    assert "SKIP LOCKED" in str(pick.compile(dialect=dialect))
