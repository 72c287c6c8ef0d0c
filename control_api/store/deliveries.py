"""Webhook deliveries. A row is written in the transaction that ends its call; its id is the `webhook-id`, for ever."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store.direct import prepared
from control_api.store.tables import webhook_deliveries as deliveries

WAITING, PENDING, DELIVERED, FAILED = "waiting", "pending", "delivered", "failed"

_INSERT = prepared(sa.insert(deliveries))


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """`waiting` for the analysis, then `pending` with its payload, then `delivered` or `failed`."""

    id: str
    organization_id: str
    call_id: str
    agent_id: str
    event: str
    url: str
    state: str
    payload: str | None
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: int
    attempted_at: int | None
    delivered_at: int | None


async def insert(
    connection: AsyncConnection, delivery_id: str, organization_id: str, call_id: str, agent_id: str, url: str, now: int
) -> None:
    row = {
        "id": delivery_id,
        "organization_id": organization_id,
        "call_id": call_id,
        "agent_id": agent_id,
        "event": "call.completed",
        "url": url,
        "state": WAITING,
        "attempts": 0,
        "created_at": now,
    }
    await connection.execute(_INSERT, row)


async def get(connection: AsyncConnection, delivery_id: str) -> DeliveryRow | None:
    found = (await connection.execute(sa.select(deliveries).where(deliveries.c.id == delivery_id))).first()
    return DeliveryRow(**found._asdict()) if found else None


async def of_call(connection: AsyncConnection, call_id: str) -> list[DeliveryRow]:
    rows = await connection.execute(sa.select(deliveries).where(deliveries.c.call_id == call_id))
    return [DeliveryRow(**row._asdict()) for row in rows]


async def fill(connection: AsyncConnection, delivery_id: str, payload: str) -> None:
    """The analysis is there: this text is what every attempt sends, byte for byte."""
    change = sa.update(deliveries).where(deliveries.c.id == delivery_id, deliveries.c.payload.is_(None))
    await connection.execute(change.values(payload=payload, state=PENDING))


async def record_attempt(
    connection: AsyncConnection, delivery_id: str, state: str, status: int | None, error: str | None, now: int
) -> None:
    """What came of one attempt; `state` is what the delivery is in now."""
    values = {
        "state": state,
        "attempts": deliveries.c.attempts + 1,
        "last_status": status,
        "last_error": error,
        "attempted_at": now,
        "delivered_at": now if state == DELIVERED else None,
    }
    await connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(values))
