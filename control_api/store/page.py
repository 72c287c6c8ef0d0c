"""A page of a list: newest first, with the count of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


async def fetch(
    connection: AsyncConnection, table: sa.Table, conditions: Sequence[sa.ColumnElement[bool]], limit: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Rows `offset` to `offset + limit` as dicts, and how many there are in all. The id settles ties of time."""
    total = await connection.scalar(sa.select(sa.func.count()).select_from(table).where(*conditions))
    newest = sa.select(table).where(*conditions).order_by(table.c.created_at.desc(), table.c.id.desc())
    rows = await connection.execute(newest.limit(limit).offset(offset))
    return [row._asdict() for row in rows], total or 0
