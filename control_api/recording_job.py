"""After an answered call: its recording in the agent's format, and from then on its link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.encoding import RecordingUnreadable, encoded
from control_api.store import agents, calls, jobs, outbox
from control_api.store.engine import Store
from control_api.store.jobs import Claim

DAY = 86_400_000_000

log = structlog.get_logger(__name__)


class RecordingJob:
    """Handles jobs of kind `recording`: payload `{"callId"}`. `url_days`: how long a link opens where no retention is set."""

    def __init__(self, store: Store, recordings: Path, now: Callable[[], int], url_days: int) -> None:
        self._store = store
        self._recordings = recordings
        self._now = now
        self._url_days = url_days

    async def handle(self, job: Claim) -> None:
        """Encode, then say so together with what follows. A full disk raises, and the job comes again."""
        call_id = job.payload["callId"]
        wanted, days = await self._store.read(lambda connection: self._settings(connection, call_id))
        recorded = False
        try:
            await asyncio.to_thread(encoded, self._recordings / f"{call_id}.wav", wanted)
            recorded = True
        except FileNotFoundError:
            log.info("call without a recording", call_id=call_id)
        except RecordingUnreadable as error:
            log.warning("recording cannot be read", call_id=call_id, error=str(error))
        until = self._now() + (days or self._url_days) * DAY

        async def settle(connection: AsyncConnection) -> None:
            if not await jobs.finish(connection, job):
                return
            if recorded:
                await calls.set_recorded(connection, call_id, self._now(), until)
            await outbox.after_recording(connection, call_id, self._now())

        await self._store.write(settle)

    async def _settings(self, connection: AsyncConnection, call_id: str) -> tuple[str, int | None]:
        """Format and days of retention, by the agent that served the call."""
        call = await calls.get_any(connection, call_id)
        agent = await agents.get_any(connection, call.agent_id) if call and call.agent_id else None
        settings = (agent.settings.get("recording") if agent else None) or {}
        return settings.get("format") or "mp3", settings.get("retentionDays")
