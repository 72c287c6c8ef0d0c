"""A call's transfers as the contract's `transferCalls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from control_api.models.base import iso_or_none
from control_api.models.call import Status, TranscriptItem, TransferCall
from sipserver.protocols import TransferFailure, TransferRecord, TransferStatus, Utterance

SECOND = 1_000_000

_BEFORE_THE_ANSWER: dict[TransferStatus, Status] = {
    TransferStatus.INITIATED: "queued",
    TransferStatus.RINGING: "ringing",
    TransferStatus.COMPLETED: "completed",
    TransferStatus.FAILED: "failed",
    TransferStatus.CANCELED: "failed",
}


def transfer_fields(transfers: Sequence[TransferRecord]) -> dict[str, Any]:
    """What a call says of its transfers; `transferType` and `transferStatus` are those of the last one."""
    last = transfers[-1] if transfers else None
    return {
        "transfer_type": None if last is None else last.mode,
        "transfer_status": None if last is None else last.status,
        "transfer_calls": [_item(record) for record in transfers],
    }


def transcript_items(transcript: Sequence[Utterance]) -> list[TranscriptItem]:
    """What was said, as it is answered."""
    return [
        TranscriptItem(
            role=item.role,
            content=item.text,
            start_ms=item.start_ms,
            end_ms=item.end_ms,
            interrupted=item.interrupted,
        )
        for item in transcript
    ]


def _item(record: TransferRecord) -> TransferCall:
    return TransferCall(
        id=record.id,
        transfer_type=record.mode.value,
        transfer_status=record.status.value,
        duration_seconds=_duration_seconds(record),
        customer_number=record.to,
        # What was said over a bridge is in the recording of the call itself.
        recording_url=None,
        transcript=transcript_items(record.transcript),
        started_at=iso_or_none(record.started_at),
        ended_at=iso_or_none(record.ended_at),
        cost=None,
        status=_status(record),
        label=record.label,
        failure_reason=record.failure,
    )


def _status(record: TransferRecord) -> Status:
    """Where the leg stands, in the words of calls."""
    if record.started_at is not None:
        return "in_progress" if record.ended_at is None else "completed"
    if record.failure is TransferFailure.NO_ANSWER:
        return "no_answer"
    return _BEFORE_THE_ANSWER.get(record.status, "in_progress")


def _duration_seconds(record: TransferRecord) -> int | None:
    if record.ended_at is None:
        return None
    return 0 if record.started_at is None else max(0, record.ended_at - record.started_at) // SECOND
