"""Transfers of calls: a row for each attempt to hand a caller over. While the call is live a row follows its transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store.tables import calls, transfers
from sipserver.protocols import TransferFailure, TransferMode, TransferRecord, TransferStatus, Utterance

FINAL = ("completed", "failed", "no_answer")

_UNDER_WAY = (TransferStatus.INITIATED, TransferStatus.RINGING, TransferStatus.ANSWERED)


async def put(connection: AsyncConnection, call_id: str, record: TransferRecord) -> bool:
    """Write the transfer as it stands, over what was written of it before. False, and nothing, when the call is final."""
    live = sa.select(calls.c.id).where(calls.c.id == call_id, calls.c.status.not_in(FINAL))
    if await connection.scalar(live) is None:
        return False
    values = _columns(record)
    change = sa.update(transfers).where(transfers.c.id == record.id).values(values)
    if (await connection.execute(change)).rowcount == 0:
        await connection.execute(sa.insert(transfers).values(id=record.id, call_id=call_id, **values))
    return True


async def close(connection: AsyncConnection, call_id: str, at: int) -> None:
    """The call ends: what was under way is canceled, and whoever had taken the caller over is with nobody any more."""
    mine = (transfers.c.call_id == call_id, transfers.c.ended_at.is_(None))
    canceled = sa.update(transfers).where(*mine, transfers.c.transfer_status.in_(_UNDER_WAY))
    await connection.execute(canceled.values(transfer_status=TransferStatus.CANCELED, ended_at=at))
    await connection.execute(sa.update(transfers).where(*mine).values(ended_at=at))


async def of_call(connection: AsyncConnection, call_id: str) -> list[TransferRecord]:
    """A call's transfers, the first one first."""
    return (await of_calls(connection, [call_id])).get(call_id, [])


async def of_calls(connection: AsyncConnection, call_ids: Sequence[str]) -> dict[str, list[TransferRecord]]:
    """The transfers of several calls, by call; calls without any are not in it."""
    query = sa.select(transfers).where(transfers.c.call_id.in_(call_ids))
    found: dict[str, list[TransferRecord]] = {}
    for row in await connection.execute(query.order_by(transfers.c.created_at, transfers.c.id)):
        found.setdefault(row.call_id, []).append(_record(row))
    return found


def _columns(record: TransferRecord) -> dict[str, Any]:
    return {
        "transfer_type": record.mode,
        "transfer_status": record.status,
        "label": record.label,
        "customer_number": record.to,
        "failure": record.failure,
        "sip_code": record.sip_code,
        "transcript": [asdict(item) for item in record.transcript],
        "created_at": record.created_at,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
    }


def _record(row: sa.Row[Any]) -> TransferRecord:
    return TransferRecord(
        id=row.id,
        mode=TransferMode(row.transfer_type),
        status=TransferStatus(row.transfer_status),
        label=row.label,
        to=row.customer_number,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        failure=None if row.failure is None else TransferFailure(row.failure),
        sip_code=row.sip_code,
        transcript=tuple(Utterance(**item) for item in row.transcript),
    )
