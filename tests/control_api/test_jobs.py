"""Jobs are claimed up to the places there are, tried again after a failure, and taken over after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from control_api.jobs import ATTEMPTS, SECOND, JobRunner, Kind, up_to
from control_api.store import jobs
from control_api.store.engine import Store
from control_api.store.jobs import Claim
from control_api.store.tables import jobs as table


class Clock:
    """Microseconds that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = 1_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


class Bench:
    """A store, a clock and a runner, for one test."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()

    async def enqueue(self, kind: str, name: str, delay: int = 0) -> None:
        now = self.clock.now
        await self.store.write(
            lambda connection: jobs.enqueue(
                connection, kind, {"name": name}, now=now, run_at=now + delay, dedupe_key=f"{kind}:{name}"
            )
        )

    async def finish(self, job: Claim) -> None:
        assert await self.store.write(lambda connection: jobs.finish(connection, job))

    async def states(self) -> Mapping[str, str]:
        async def read(connection):  # type: ignore[no-untyped-def]
            return {row.payload["name"]: row.state for row in await connection.execute(table.select())}

        return await self.store.read(read)

    def runner(self, kinds: Mapping[str, Kind], owner: str = "node") -> JobRunner:
        return JobRunner(self.store, owner, kinds, self.clock)


def bench(tmp_path: Path, test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        store = await Store.open(tmp_path / "jobs.db")
        try:
            async with asyncio.timeout(20):
                await test(Bench(store))
        finally:
            await store.close()

    asyncio.run(run())


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_due_jobs_are_done_and_later_ones_wait(tmp_path: Path) -> None:
    async def test(b: Bench) -> None:
        seen: asyncio.Queue[str] = asyncio.Queue()

        async def handle(job: Claim) -> None:
            await b.finish(job)
            seen.put_nowait(job.payload["name"])

        await b.enqueue("work", "now")
        await b.enqueue("work", "later", delay=3600 * SECOND)
        runner = b.runner({"work": Kind(handle, up_to(4))})
        task = asyncio.create_task(runner.run())
        assert await seen.get() == "now"
        assert seen.empty()
        b.clock.now += 3601 * SECOND
        runner.poke()
        assert await seen.get() == "later"
        await cancelled(task)
        assert await b.states() == {"now": "done", "later": "done"}

    bench(tmp_path, test)


def test_no_more_are_taken_than_there_are_places(tmp_path: Path) -> None:
    async def test(b: Bench) -> None:
        begun: asyncio.Queue[Claim] = asyncio.Queue()
        go_on = asyncio.Event()

        async def handle(job: Claim) -> None:
            begun.put_nowait(job)
            await go_on.wait()
            await b.finish(job)

        for name in "abc":
            await b.enqueue("work", name)
        task = asyncio.create_task(b.runner({"work": Kind(handle, up_to(2))}).run())
        await begun.get()
        await begun.get()
        assert sorted((await b.states()).values()) == ["leased", "leased", "ready"]
        go_on.set()
        await begun.get()
        await cancelled(task)

    bench(tmp_path, test)


def test_a_handler_that_raises_is_tried_again_and_at_last_given_up(tmp_path: Path) -> None:
    async def test(b: Bench) -> None:
        tried: asyncio.Queue[int] = asyncio.Queue()

        async def handle(job: Claim) -> None:
            tried.put_nowait(job.attempt)
            raise RuntimeError("no luck")

        def an_hour_later() -> int:
            b.clock.now += 3600 * SECOND
            return b.clock.now

        await b.enqueue("work", "a")
        runner = JobRunner(b.store, "node", {"work": Kind(handle, up_to(1))}, an_hour_later)
        task = asyncio.create_task(runner.run())
        assert [await tried.get() for _ in range(ATTEMPTS)] == list(range(1, ATTEMPTS + 1))
        await cancelled(task)
        assert tried.empty()

    bench(tmp_path, test)


def test_what_a_killed_node_held_is_its_own_again_after_the_restart(tmp_path: Path) -> None:
    async def test(b: Bench) -> None:
        done = asyncio.Event()

        async def hang(job: Claim) -> None:
            done.set()
            await asyncio.Event().wait()

        async def finish(job: Claim) -> None:
            assert job.attempt == 2
            await b.finish(job)
            done.set()

        await b.enqueue("work", "a")
        task = asyncio.create_task(b.runner({"work": Kind(hang, up_to(1))}).run())
        await done.wait()
        await cancelled(task)
        done.clear()
        task = asyncio.create_task(b.runner({"work": Kind(finish, up_to(1))}).run())
        await done.wait()
        await cancelled(task)
        assert await b.states() == {"a": "done"}

    bench(tmp_path, test)
