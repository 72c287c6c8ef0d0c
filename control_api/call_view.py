"""A call's rows as the contract's resource, for answers and for webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from control_api.models.base import iso, iso_or_none
from control_api.models.call import Call, CallItem
from control_api.signing import LinkSigner
from control_api.store.calls import FINAL, CallRow
from control_api.transfer_view import transcript_items, transfer_fields
from sipserver.protocols import Problem, TransferRecord, Utterance

SECOND = 1_000_000


def call_item(
    row: CallRow, problems: Sequence[Problem], transfers: Sequence[TransferRecord], links: LinkSigner
) -> CallItem:
    """The call as it stands in a list."""
    return CallItem(**_fields(row, problems, links), **transfer_fields(transfers))


def call_resource(
    row: CallRow,
    transcript: Sequence[Utterance],
    problems: Sequence[Problem],
    transfers: Sequence[TransferRecord],
    links: LinkSigner,
) -> Call:
    """The whole call."""
    return Call(
        **_fields(row, problems, links),
        **transfer_fields(transfers),
        transcript=transcript_items(transcript),
        analysis=None if row.analysis is None else {"summary": None, "extractions": {}, **row.analysis},
        tool_calls=[],
    )


def duration_seconds(row: CallRow) -> int | None:
    """Whole seconds from the answer to the end; 0 for a call that ended unanswered, None for one that is not over."""
    if row.ended_at is None:
        return None
    return 0 if row.started_at is None else max(0, row.ended_at - row.started_at) // SECOND


def recording_url(row: CallRow, links: LinkSigner) -> str | None:
    """A link to the recording, once there is one."""
    if row.recorded_at is None or row.recording_until is None:
        return None
    return links.link(f"/v1/calls/{row.id}/recording", row.recording_until)


def transcript_url(row: CallRow, links: LinkSigner, until: int) -> str:
    """A link to the transcript."""
    return links.link(f"/v1/calls/{row.id}/transcript", until)


def is_over(row: CallRow) -> bool:
    return row.status in FINAL


def _fields(row: CallRow, problems: Sequence[Problem], links: LinkSigner) -> dict[str, Any]:
    return {
        "id": row.id,
        "organization_id": row.organization_id,
        "agent_id": row.agent_id,
        "phone_number_id": row.phone_number_id,
        "call_sid": row.sip_call_id,
        "provider": row.provider,
        "direction": row.direction,
        "status": row.status,
        "customer_number": row.customer_number,
        "duration_seconds": duration_seconds(row),
        "cost": None if row.cost is None else row.cost / 1_000_000,
        "recording_url": recording_url(row, links),
        "turn_count": row.turn_count,
        "ended_reason": row.ended_reason,
        "context_variables": dict(row.context_variables),
        "metadata": dict(row.metadata),
        "parent_call_id": None,
        "started_at": iso_or_none(row.started_at),
        "ended_at": iso_or_none(row.ended_at),
        "created_at": iso(row.created_at),
        "cost_breakdown": None,
        "sip": None if row.sip_code is None else {"code": row.sip_code, "reason": row.sip_reason},
        "quality": row.quality,
        "latency": row.latency,
        "retry_of": None,
        "opt_out": row.opt_out,
        "problems": [{"at": iso(item.at), "part": item.part, "message": item.message} for item in problems],
    }
