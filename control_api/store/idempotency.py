"""Answers kept for repeated requests. An answer is written in the transaction that it tells of, so neither is ever there alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store.tables import idempotency


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """`answer` is sealed, for it may hold a new API key."""

    organization_id: str
    key: str
    operation: str
    request_hash: str
    status: int
    answer: str
    created_at: int


async def insert(connection: AsyncConnection, row: AnswerRow) -> None:
    """Raises IntegrityError when an answer is kept under this key already."""
    await connection.execute(sa.insert(idempotency), asdict(row))


async def get(connection: AsyncConnection, organization_id: str, key: str) -> AnswerRow | None:
    query = sa.select(idempotency).where(idempotency.c.organization_id == organization_id, idempotency.c.key == key)
    found = (await connection.execute(query)).first()
    return AnswerRow(**found._asdict()) if found else None


async def forget(connection: AsyncConnection, before: int) -> None:
    await connection.execute(sa.delete(idempotency).where(idempotency.c.created_at < before))
