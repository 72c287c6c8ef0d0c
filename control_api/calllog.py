"""Who keeps the calls: `sipserver.protocols.CallLog` on the store, and on the watchers' queues."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.backlog import Backlog
from control_api.live import LiveEvents
from control_api.quality_view import quality_fields
from control_api.store import calls, outbox, transcripts, transfers
from control_api.store.calls import CallRow, FinalCall
from control_api.store.engine import Store
from media.call_report import MediaReport
from sipserver.protocols import (
    CallEnd,
    CallStatus,
    EndedReason,
    InboundCall,
    LiveEvent,
    Problem,
    TransferRecord,
    Utterance,
    Variables,
)

MEBIBYTE = 1024 * 1024
LOOK_AGAIN = 1_000_000
"""Microseconds for which a look at the disk holds: it is asked for every INVITE."""

log = structlog.get_logger(__name__)


class StoredCallLog:
    """Writes what happens in calls, and shows it: `status`, `utterance`, `transfer` and `problem` events come from here.

    What happens in a call that is there already and cannot be written because the disk fails waits in memory until it can.

    `on_jobs` is called when a call's end has put jobs into the queue.
    """

    def __init__(
        self,
        store: Store,
        live: LiveEvents,
        recordings: Path,
        node: str,
        now: Callable[[], int],
        min_free_mb: int = 0,
        on_jobs: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._backlog = Backlog(store)
        self._live = live
        self._recordings = recordings
        self._node = node
        self._now = now
        self._min_free = min_free_mb * MEBIBYTE
        self._on_jobs = on_jobs
        self._looked_at = 0
        self._disk_refusal: str | None = None

    async def begin(self, call: InboundCall) -> None:
        """Write an inbound call's row, status `ringing`."""
        row = CallRow(
            id=call.call_id,
            organization_id=call.route.organization_id,
            agent_id=call.route.agent.id if call.route.agent else None,
            phone_number_id=call.route.phone_number_id,
            node=self._node,
            direction="inbound",
            status=CallStatus.RINGING,
            sip_call_id=call.sip_call_id,
            customer_number=call.customer_number,
            agent_number=call.route.number,
            context_variables=dict(call.variables),
            created_at=call.at,
        )
        await self._store.write(lambda connection: calls.insert(connection, row))
        self._show_status(call.call_id, CallStatus.RINGING, None)

    async def ringing(self, call_id: str, sip_call_id: str, at: int) -> None:
        """An outbound call got its first 18x."""
        await self._backlog.write(
            call_id,
            lambda connection: calls.ringing(connection, call_id, sip_call_id),
            lambda changed: self._show_change(changed, call_id, CallStatus.RINGING),
        )

    async def answered(self, call_id: str, sip_call_id: str, at: int) -> None:
        """The call is `in_progress`; `at` is `startedAt`."""
        await self._backlog.write(
            call_id,
            lambda connection: calls.answered(connection, call_id, sip_call_id, at),
            lambda changed: self._show_change(changed, call_id, CallStatus.IN_PROGRESS),
        )

    async def utterance(self, call_id: str, item: Utterance) -> None:
        """Append to the transcript."""
        await self._backlog.write(call_id, lambda connection: transcripts.append(connection, call_id, item))
        self.publish(
            call_id,
            LiveEvent(
                "utterance",
                {
                    "role": item.role,
                    "text": item.text,
                    "startMs": item.start_ms,
                    "endMs": item.end_ms,
                    "interrupted": item.interrupted,
                },
            ),
        )

    async def captured(self, call_id: str, values: Variables) -> None:
        """Keep what the conversation has learnt so far."""
        await self._backlog.write(call_id, lambda connection: calls.merge_captured(connection, call_id, values))

    async def problem(self, call_id: str, problem: Problem) -> None:
        """Append to the call's problems."""
        await self._backlog.write(call_id, lambda connection: transcripts.append_problem(connection, call_id, problem))
        self.publish(call_id, LiveEvent("problem", {"part": problem.part, "message": problem.message}))

    async def transfer(self, call_id: str, record: TransferRecord) -> None:
        """Keep how a transfer stands."""
        await self._backlog.write(call_id, lambda connection: transfers.put(connection, call_id, record))
        data = {"transferType": record.mode, "transferStatus": record.status, "label": record.label}
        self.publish(call_id, LiveEvent("transfer", {**data, "failureReason": record.failure}))

    async def ended(self, call_id: str, end: CallEnd) -> None:
        """Make the call final, and queue what follows in the same transaction."""
        now = self._now()
        await self._backlog.write(
            call_id,
            lambda connection: end_call(connection, call_id, end, now),
            lambda row: None if row is None else self._after_end(call_id, end),
        )

    async def catch_up(self) -> None:
        """Write what a failing disk did not take, whenever it takes it, until cancelled."""
        await self._backlog.catch_up()

    async def flush(self) -> None:
        """Write what waits for the disk, as far as it takes it."""
        await self._backlog.flush()

    async def cancel(self, call_id: str) -> bool:
        """End a call that waits to be placed, as `canceled`. False when it is being placed already, or is over."""
        now = self._now()
        end = CallEnd(CallStatus.FAILED, EndedReason.CANCELED, now)

        async def write(connection: AsyncConnection) -> bool:
            # Marked as dialled, so that the worker cannot begin with it in the meantime.
            if await calls.begin_dialling(connection, call_id, self._node, now) is None:
                return False
            return await end_call(connection, call_id, end, now) is not None

        if not await self._store.write(write):
            return False
        self._after_end(call_id, end)
        return True

    def publish(self, call_id: str, event: LiveEvent) -> None:
        """Show something to whoever watches. Never blocks, never fails."""
        self._live.publish(call_id, event)

    def recording_path(self, call_id: str) -> str:
        """Where the call's WAV is written."""
        return str(self._recordings / f"{call_id}.wav")

    def accepting(self) -> str | None:
        """None while calls can be kept; else the sentence that says why not."""
        now = self._now()
        if not 0 <= now - self._looked_at < LOOK_AGAIN:
            self._looked_at, self._disk_refusal = now, self._look_at_disk()
        return self._disk_refusal or self._store.failure()

    def _look_at_disk(self) -> str | None:
        try:
            free = shutil.disk_usage(self._recordings).free
        except OSError as error:
            return f"The recordings' folder cannot be read: {error.strerror}."
        if free < self._min_free:
            return f"Only {free // MEBIBYTE} MiB of disk are free; recording.min_free_mb asks for more."
        return None

    def _after_end(self, call_id: str, end: CallEnd) -> None:
        if end.media is not None:
            self.publish(call_id, LiveEvent("quality", _quality(end.media)))
        self._show_status(call_id, end.status, end.reason)
        self._live.end(call_id)
        self._on_jobs()

    def _show_change(self, changed: bool, call_id: str, status: CallStatus) -> None:
        if changed:
            self._show_status(call_id, status, None)

    def _show_status(self, call_id: str, status: CallStatus, reason: EndedReason | None) -> None:
        log.info("call status", call_id=call_id, status=status, reason=reason)
        self.publish(call_id, LiveEvent("status", {"status": status, "endedReason": reason}))


async def end_call(connection: AsyncConnection, call_id: str, end: CallEnd, now: int) -> FinalCall | None:
    """Make a call final in this transaction, jobs and webhook row with it; None when it was final before."""
    if end.conversation is not None and end.conversation.captured:
        await calls.merge_captured(connection, call_id, end.conversation.captured)
    if end.media is not None and end.media.problem is not None:
        await transcripts.append_problem(connection, call_id, Problem(end.at, "media", end.media.problem))
    row = await calls.end(connection, call_id, _columns(end))
    if row is not None:
        if row.in_transfer:
            await transfers.close(connection, call_id, end.at)
        await outbox.after_end(connection, row, now)
    return row


def _columns(end: CallEnd) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "status": str(end.status),
        "ended_reason": str(end.reason),
        "ended_at": end.at,
        "sip_code": end.sip_code,
        "sip_reason": end.sip_reason,
        "quality": _quality(end.media) if end.media else None,
    }
    if end.sip_call_id is not None:
        columns["sip_call_id"] = end.sip_call_id
    if end.conversation is not None:
        columns["turn_count"] = end.conversation.turn_count
        columns["opt_out"] = end.conversation.opt_out
        columns["latency"] = _latency(end.conversation.turn_latencies_ms)
    return columns


def _quality(report: MediaReport) -> dict[str, Any]:
    expected = report.packets_received + report.packets_lost
    return {
        "mos": report.mos,
        "lossPercent": round(100 * report.packets_lost / expected, 2) if expected else 0.0,
        "jitterMs": round(report.jitter_ms, 2),
        "packetsSent": report.packets_sent,
        "packetsReceived": report.packets_received,
        "packetsLost": report.packets_lost,
        "packetsLate": report.packets_late,
        "codec": report.codec,
        **quality_fields(report.quality),
    }


def _latency(turns: Sequence[int]) -> dict[str, int] | None:
    """The middle turn, and the one that 95 of 100 are not slower than (nearest rank)."""
    if not turns:
        return None
    ordered = sorted(turns)
    return {"turnP50Ms": _rank(ordered, 50), "turnP95Ms": _rank(ordered, 95)}


def _rank(ordered: Sequence[int], percent: int) -> int:
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
