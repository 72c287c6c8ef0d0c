"""What is cleared away, once an hour: jobs that were done a week ago, answers kept for repeated requests, recordings whose time is over.

A recording is kept for its agent's `recording.retentionDays`, counted from the call's end, as the agent has them now; where it has
none, for the node's `recording.retention_days`, or else for ever. A call's SIP trace goes after `trace.days`, and with its recording.
The call's row forgets the recording first, then its files go: whenever the process is killed in between, nothing is promised that is
not there, and the next round finds the files. Where sealed recordings have a new master key, theirs are wrapped with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.idempotency import LIFETIME
from control_api.sealing import RecordingVault
from control_api.services import DAY
from control_api.store import agents, calls, idempotency, jobs
from control_api.store.calls import CallEnded
from control_api.store.engine import Store

EVERY = 3600.0
"""Seconds between two rounds."""
JOBS_KEPT = 7 * DAY
BATCH = 200
"""Calls whose recordings go at a time."""

log = structlog.get_logger(__name__)


class Housekeeping:
    """`now` in microseconds since the epoch."""

    def __init__(
        self,
        store: Store,
        recordings: Path,
        now: Callable[[], int],
        traces: Path | None = None,
        trace_days: int = 0,
        retention_days: int | None = None,
        vault: RecordingVault | None = None,
    ) -> None:
        self._store = store
        self._traces = traces
        self._trace_days = trace_days
        self._recordings = recordings
        self._retention_days = retention_days
        self._vault = vault
        self._now = now

    async def run(self) -> None:
        """A round at once, then one every hour, until cancelled. A round that fails is tried again with the next."""
        while True:
            try:
                await self.tidy()
            except (SQLAlchemyError, OSError) as error:
                log.error("housekeeping failed", error=str(error))
            await asyncio.sleep(EVERY)

    async def tidy(self) -> None:
        """One round. Raises SQLAlchemyError, OSError."""
        now = self._now()

        async def forget(connection: AsyncConnection) -> None:
            await jobs.purge(connection, now - JOBS_KEPT)
            await idempotency.forget(connection, now - LIFETIME)

        await self._store.write(forget)
        await self._drop_recordings(now)
        if self._vault is not None:
            await self._vault.change_keys()
        if self._traces is not None:
            await asyncio.to_thread(_drop_older, self._traces, now - self._trace_days * DAY)

    async def _drop_recordings(self, now: int) -> None:
        days = await self._store.read(agents.retention_days)
        if not days and self._retention_days is None:
            return
        terms = Terms(days, self._retention_days)
        files = await asyncio.to_thread(_files_by_call, self._recordings, *([self._traces] if self._traces else []))
        for some in _batches(sorted(files)):
            over = await self._store.write(lambda connection, some=some: _forgotten(connection, some, terms, now))  # type: ignore[misc]
            await asyncio.to_thread(_delete, [path for call_id in over for path in files[call_id]])
            if over:
                log.info("recordings deleted", calls=len(over))


@dataclass(frozen=True, slots=True)
class Terms:
    """For how many days recordings are kept, by agent, and of all others; None: for ever."""

    of_agents: Mapping[str, int]
    otherwise: int | None

    def until(self, ended: CallEnded) -> int | None:
        """Until when a call's recording is kept."""
        days = self.of_agents.get(ended.agent_id, self.otherwise)
        return None if days is None else ended.ended_at + days * DAY


async def _forgotten(connection: AsyncConnection, call_ids: Sequence[str], terms: Terms, now: int) -> list[str]:
    """Of these calls, those whose recordings are to go; their rows no longer know of one."""
    ended = await calls.ends_of(connection, call_ids)
    over = [call.id for call in ended if (until := terms.until(call)) is not None and until < now]
    await calls.forget_recordings(connection, over)
    return over


def _files_by_call(*folders: Path) -> dict[str, list[Path]]:
    """A recording's files (the WAV, what was encoded from it, what a killed encoder left) and a trace begin with the id of their call."""
    found: dict[str, list[Path]] = {}
    for path in (path for folder in folders for path in folder.iterdir()):
        found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


def _drop_older(folder: Path, than: int) -> None:
    """Delete the files that were written before then (µs since the epoch)."""
    for path in folder.iterdir():
        if path.stat().st_mtime_ns < than * 1000:
            path.unlink(missing_ok=True)


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + BATCH] for at in range(0, len(ids), BATCH))
