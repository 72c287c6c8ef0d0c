"""The worker that takes jobs from the table and has them done.

One loop claims what is due, as many as each kind has places for, and starts a task for each. A task's lease is held while it works.
What a handler decides about its job (done, again later, given up) it writes in the transaction of its result; a handler that
raises has its job tried again later, and at last given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from control_api.store import jobs
from control_api.store.engine import Store
from control_api.store.jobs import Claim

SECOND = 1_000_000
LEASE = 60 * SECOND
LONGEST_NAP = 5.0
"""Seconds after which the table is looked at in any case: another process may have written to it."""
ATTEMPTS = 8

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: who does it, and how many more may be begun now, given how many are under way."""

    handle: Callable[[Claim], Awaitable[None]]
    places: Callable[[int], int]


def up_to(limit: int) -> Callable[[int], int]:
    """`places` for at most `limit` at once."""
    return lambda under_way: limit - under_way


class JobRunner:
    """Claims and runs jobs until cancelled. `owner` is the node's name: what it held when it was killed is its again at once.

    `wake` is set by whoever puts a job into the table before there is a runner to be poked.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        kinds: Mapping[str, Kind],
        now: Callable[[], int],
        wake: asyncio.Event | None = None,
    ) -> None:
        self._store = store
        self._owner = owner
        self._kinds = kinds
        self._now = now
        self._poked = wake or asyncio.Event()
        self._changed = asyncio.Event()
        self._under_way: dict[str, dict[str, Claim]] = {kind: {} for kind in kinds}

    def poke(self) -> None:
        """A job was put into the table, or a place became free."""
        self._poked.set()

    def idle(self) -> bool:
        """Nothing is under way."""
        return not any(self._under_way.values())

    async def run(self) -> None:
        """Work until cancelled. Jobs under way are then cancelled too, and begun again after a restart."""
        await self._store.write(lambda connection: jobs.release(connection, self._owner, now=self._now()))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold_leases(), name="job-leases")
            while True:
                try:
                    await self._round(group)
                except SQLAlchemyError as error:
                    log.error("the queue cannot be read", error=str(error))
                    await asyncio.sleep(LONGEST_NAP)

    async def settled(self) -> None:
        """Until nothing is under way and nothing is due."""
        while not self.idle() or await self._due_in() <= 0:
            await self._changed.wait()

    async def _round(self, group: asyncio.TaskGroup) -> None:
        self._poked.clear()
        for kind in self._kinds:
            await self._begin(kind, group)
        await self._nap()

    async def _begin(self, name: str, group: asyncio.TaskGroup) -> None:
        kind = self._kinds[name]
        places = kind.places(len(self._under_way[name]))
        if places <= 0:
            return
        taken = await self._store.write(
            lambda connection: jobs.claim(connection, self._owner, (name,), places, now=self._now(), lease=LEASE)
        )
        for job in taken:
            self._under_way[name][job.id] = job
            group.create_task(self._work(kind, job), name=f"job-{name}")

    async def _work(self, kind: Kind, job: Claim) -> None:
        try:
            await kind.handle(job)
        except Exception as error:  # the edge of a job: it is tried again, the worker goes on
            log.exception("job failed", kind=job.kind, job=job.id, attempt=job.attempt)
            await self._again(job, f"{type(error).__name__}: {error}")
        finally:
            self._under_way[job.kind].pop(job.id, None)
            self.poke()
            self._changed.set()
            self._changed.clear()

    async def _again(self, job: Claim, error: str) -> None:
        later = self._now() + 5 * SECOND * 2**job.attempt
        try:
            if job.attempt >= ATTEMPTS:
                await self._store.write(lambda connection: jobs.give_up(connection, job, error=error))
            else:
                await self._store.write(lambda connection: jobs.retry(connection, job, run_at=later, error=error))
        except SQLAlchemyError as trouble:
            log.error("a failed job cannot be put back; it comes again when its lease ends", error=str(trouble))

    async def _nap(self) -> None:
        seconds = await self._due_in()
        try:
            async with asyncio.timeout(min(LONGEST_NAP, max(0.0, seconds))):
                await self._poked.wait()
        except TimeoutError:
            return

    async def _due_in(self) -> float:
        """Seconds until a job is due for which there is a place."""
        kinds = [name for name, kind in self._kinds.items() if kind.places(len(self._under_way[name])) > 0]
        due = await self._store.read(lambda connection: jobs.next_due(connection, kinds)) if kinds else None
        return float("inf") if due is None else (due - self._now()) / SECOND

    async def _hold_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE / SECOND / 3)
            held = [job for under_way in self._under_way.values() for job in under_way.values()]
            try:
                for job in held:
                    await self._extend(job)
            except SQLAlchemyError as error:
                log.error("leases cannot be held", error=str(error))

    async def _extend(self, job: Claim) -> None:
        await self._store.write(lambda connection: jobs.extend(connection, job, now=self._now(), lease=LEASE))
