"""The queue: rows with a time, taken under a lease. The same statements on SQLite and PostgreSQL.

A job is `ready`, then `leased` by an owner until a time, then `done`, or `dead` when it is given up. Who dies with a lease loses
it when it runs out, and somebody else takes the job. Fencing: what the first one still wants to say about the job is refused,
because owner and attempt no longer match; so `finish` and its fellows stand in the transaction that acts on the job's result.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store.direct import prepared
from control_api.store.tables import jobs

READY, LEASED, DONE, DEAD = "ready", "leased", "done", "dead"


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in somebody's hands. `attempt` counts from 1."""

    id: str
    kind: str
    payload: Mapping[str, Any] = field(hash=False)
    attempt: int
    owner: str
    run_at: int


_INSERT = prepared(sa.insert(jobs))
_CANCEL = sa.update(jobs).where(
    jobs.c.dedupe_key.in_(sa.bindparam("keys", expanding=True)), jobs.c.state.in_((READY, LEASED))
)


async def enqueue(
    connection: AsyncConnection, kind: str, payload: Mapping[str, Any], *, now: int, run_at: int, dedupe_key: str
) -> None:
    """Put a job into the queue, in the transaction of what made it necessary. Raises IntegrityError for a known `dedupe_key`."""
    row = {
        "id": str(uuid.uuid4()),
        "kind": kind,
        "payload": payload,
        "state": READY,
        "run_at": run_at,
        "attempt": 0,
        "dedupe_key": dedupe_key,
        "created_at": now,
    }
    await connection.execute(_INSERT, row)


async def claim(
    connection: AsyncConnection, owner: str, kinds: Sequence[str], limit: int, *, now: int, lease: int
) -> list[Claim]:
    """Take up to `limit` due jobs of these kinds, oldest first, for `lease` microseconds."""
    due = sa.or_(
        sa.and_(jobs.c.state == READY, jobs.c.run_at <= now),
        sa.and_(jobs.c.state == LEASED, jobs.c.lease_until < now),
    )
    pick = sa.select(jobs.c.id).where(jobs.c.kind.in_(kinds), due).order_by(jobs.c.run_at).limit(limit)
    take = (
        sa.update(jobs)
        .where(jobs.c.id.in_(pick.with_for_update(skip_locked=True)))
        .values(state=LEASED, owner=owner, lease_until=now + lease, attempt=jobs.c.attempt + 1)
        .returning(jobs.c.id, jobs.c.kind, jobs.c.payload, jobs.c.attempt, jobs.c.owner, jobs.c.run_at)
    )
    taken = [Claim(**row._asdict()) for row in await connection.execute(take)]
    return sorted(taken, key=lambda job: job.run_at)


async def finish(connection: AsyncConnection, job: Claim) -> bool:
    """The job is done. False when it is no longer ours: then undo everything else of the transaction."""
    return await _settle(connection, job, state=DONE, error=None)


async def retry(connection: AsyncConnection, job: Claim, *, run_at: int, error: str) -> bool:
    """Try again at `run_at`. False when the job is no longer ours."""
    return await _settle(connection, job, state=READY, run_at=run_at, error=error)


async def postpone(connection: AsyncConnection, job: Claim, *, run_at: int) -> bool:
    """Come back at `run_at`; this was no attempt (no channel was free). False when the job is no longer ours."""
    return await _settle(connection, job, state=READY, run_at=run_at, attempt=job.attempt - 1)


async def give_up(connection: AsyncConnection, job: Claim, *, error: str) -> bool:
    """The job failed for good. False when it is no longer ours."""
    return await _settle(connection, job, state=DEAD, error=error)


async def extend(connection: AsyncConnection, job: Claim, *, now: int, lease: int) -> bool:
    """Hold the job for longer. False when it is no longer ours."""
    change = sa.update(jobs).where(*_ours(job)).values(lease_until=now + lease)
    return (await connection.execute(change)).rowcount == 1


async def release(connection: AsyncConnection, owner: str, *, now: int) -> int:
    """Give back what this owner held in an earlier life; its work starts again at once. Returns how many."""
    change = sa.update(jobs).where(jobs.c.state == LEASED, jobs.c.owner == owner)
    return (await connection.execute(change.values(state=READY, run_at=now, owner=None, lease_until=None))).rowcount


async def cancel(connection: AsyncConnection, *dedupe_keys: str) -> None:
    """These jobs are not needed any more; one that is under way is fenced."""
    values = {"keys": dedupe_keys, "state": DONE, "owner": None, "lease_until": None}
    await connection.execute(_CANCEL, values)


async def next_due(connection: AsyncConnection, kinds: Sequence[str]) -> int | None:
    """When the next job of these kinds becomes due; None when none waits."""
    when = sa.case((jobs.c.state == READY, jobs.c.run_at), else_=jobs.c.lease_until)
    query = sa.select(sa.func.min(when)).where(jobs.c.kind.in_(kinds), jobs.c.state.in_((READY, LEASED)))
    found: int | None = await connection.scalar(query)
    return found


async def purge(connection: AsyncConnection, before: int) -> int:
    """Forget jobs that were done and were made before this time. Returns how many."""
    gone = await connection.execute(sa.delete(jobs).where(jobs.c.state == DONE, jobs.c.created_at < before))
    return gone.rowcount


async def _settle(connection: AsyncConnection, job: Claim, **values: object) -> bool:
    change = sa.update(jobs).where(*_ours(job)).values(owner=None, lease_until=None, **values)
    return (await connection.execute(change)).rowcount == 1


def _ours(job: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        jobs.c.id == job.id,
        jobs.c.state == LEASED,
        jobs.c.owner == job.owner,
        jobs.c.attempt == job.attempt,
    )
