"""What follows a call: each step is queued in the transaction that makes it necessary, so none is ever forgotten.

    call ends ──→ `recording` (where there is one) ──→ `analyse` ──→ `webhook` (where the agent has an address)

The webhook's row, with its `webhook-id`, is written with the call's end; its payload when the analysis is there.
"""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import deliveries, jobs
from control_api.store.calls import CallRow, FinalCall

DIAL, EXPIRE, RECORDING, ANALYSE, WEBHOOK = "dial", "expire", "recording", "analyse", "webhook"


async def after_creation(connection: AsyncConnection, call: CallRow, now: int) -> None:
    """An outbound call was made: dial it when its time has come, or let it expire where no channel becomes free."""
    await _enqueue(connection, DIAL, call.id, now, run_at=call.scheduled_at or now)
    if call.expires_at is not None:
        await _enqueue(connection, EXPIRE, call.id, now, run_at=call.expires_at)


async def after_end(connection: AsyncConnection, call: FinalCall, now: int) -> None:
    """A call became final. An answered one may have a recording to be finished first."""
    if call.direction == "outbound":
        await jobs.cancel(connection, dedupe_key(DIAL, call.id), dedupe_key(EXPIRE, call.id))
    if call.agent_id is not None and call.webhook_url:
        delivery_id, url = f"msg_{uuid.uuid4().hex}", call.webhook_url
        await deliveries.insert(connection, delivery_id, call.organization_id, call.id, call.agent_id, url, now)
    await _enqueue(connection, RECORDING if call.started_at is not None else ANALYSE, call.id, now)


async def after_recording(connection: AsyncConnection, call_id: str, now: int) -> None:
    """The recording is final, or there is none: the analysis is next."""
    await _enqueue(connection, ANALYSE, call_id, now)


async def after_analysis(connection: AsyncConnection, call_id: str, payload: str, now: int) -> None:
    """The analysis is kept: the webhook goes out with this text, to whom the call's end named."""
    for delivery in await deliveries.of_call(connection, call_id):
        await deliveries.fill(connection, delivery.id, payload)
        await jobs.enqueue(
            connection,
            WEBHOOK,
            {"deliveryId": delivery.id, "callId": call_id},
            now=now,
            run_at=now,
            dedupe_key=dedupe_key(WEBHOOK, delivery.id),
        )


def dedupe_key(kind: str, subject_id: str) -> str:
    """One job of a kind for each subject."""
    return f"{kind}:{subject_id}"


async def _enqueue(connection: AsyncConnection, kind: str, call_id: str, now: int, run_at: int | None = None) -> None:
    key = dedupe_key(kind, call_id)
    await jobs.enqueue(connection, kind, {"callId": call_id}, now=now, run_at=run_at or now, dedupe_key=key)
