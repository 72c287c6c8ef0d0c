"""At start: calls that a killed server left behind are ended, so that each gets its analysis, its recording and its webhook.

An answered call becomes `completed/node_lost` with what was kept; its end is taken from its recording, or else from the last
thing that was said. A call that was not answered becomes `failed/node_lost`, and is never dialled again. Calls that only waited
to be placed go on waiting: their jobs are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from control_api.calllog import end_call
from control_api.store import calls, transcripts
from control_api.store.calls import CallRow
from control_api.store.engine import Store
from sipserver.protocols import CallEnd, CallStatus, EndedReason

Repair = Callable[[Path], float | None]
"""Makes the recording that a killed server left playable, and returns its seconds; None where there is none. May block, and
raises OSError or ValueError for a file that is past help."""

log = structlog.get_logger(__name__)


async def recover(store: Store, node: str, recording_path: Callable[[str], str], repair: Repair, now: int) -> int:
    """End every call that this node held when it was killed; returns how many. Before any call is taken."""
    lost = await store.read(lambda connection: calls.held_by(connection, node))
    for call in lost:
        seconds = await _repaired(call, Path(recording_path(call.id)), repair)
        end = await _end(store, call, seconds, now)
        await store.write(lambda connection, call=call, end=end: end_call(connection, call.id, end, now))  # type: ignore[misc]
        log.warning("call lost with the server", call_id=call.id, status=end.status)
    return len(lost)


async def _repaired(call: CallRow, recording: Path, repair: Repair) -> float | None:
    try:
        return await asyncio.to_thread(repair, recording)
    except (OSError, ValueError) as error:
        log.error("a lost call's recording cannot be repaired", call_id=call.id, error=str(error))
        return None


async def _end(store: Store, call: CallRow, seconds: float | None, now: int) -> CallEnd:
    if call.started_at is None:
        return CallEnd(CallStatus.FAILED, EndedReason.NODE_LOST, now)
    spoken = await store.read(lambda connection: transcripts.last_ms(connection, call.id))
    lasted = max(spoken * 1000, round((seconds or 0) * 1_000_000))
    return CallEnd(CallStatus.COMPLETED, EndedReason.NODE_LOST, min(now, call.started_at + lasted))
