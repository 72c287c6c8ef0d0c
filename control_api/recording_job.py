"""After an answered call: its recording in the agent's format, and from then on its link.

What cannot be encoded now, because the disk is full or the encoder died, holds up nothing: the WAV is there, and the format is made when
somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.encoding import Encoder, RecordingUnreadable
from control_api.store import agents, calls, jobs, outbox
from control_api.store.engine import Store
from control_api.store.jobs import Claim

log = structlog.get_logger(__name__)


class RecordingJob:
    """Handles jobs of kind `recording`: payload `{"callId"}`. `link_until` says until when the links open of a call that ended then."""

    def __init__(
        self,
        store: Store,
        recordings: Path,
        encoder: Encoder,
        now: Callable[[], int],
        link_until: Callable[[int, int | None], int],
    ) -> None:
        self._store = store
        self._recordings = recordings
        self._now = now
        self._encoder = encoder
        self._link_until = link_until

    async def handle(self, job: Claim) -> None:
        """Encode, then say so together with what follows."""
        call_id = job.payload["callId"]
        wanted, days = await self._store.read(lambda connection: self._settings(connection, call_id))
        recorded = False
        try:
            await self._encoder.encode(self._recordings / f"{call_id}.wav", wanted)
            recorded = True
        except FileNotFoundError:
            log.info("call without a recording", call_id=call_id)
        except RecordingUnreadable as error:
            log.warning("recording cannot be read", call_id=call_id, error=str(error))
        except OSError as error:
            log.warning("recording cannot be encoded now", call_id=call_id, error=error.strerror or str(error))
            recorded = True
        until = self._link_until(self._now(), days)

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
