"""Agents. `settings` is the contract's object as it was accepted; the webhook's secret stands apart, sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import page
from control_api.store.tables import agents


@dataclass(frozen=True, slots=True)
class AgentRow:
    id: str
    organization_id: str
    settings: Mapping[str, Any]
    webhook_secret: str | None
    created_at: int
    updated_at: int
    deleted_at: int | None = None


_BY_ID = sa.select(agents).where(agents.c.id == sa.bindparam("agent_id"))


async def insert(connection: AsyncConnection, row: AgentRow) -> None:
    """Raises IntegrityError when the id is taken."""
    await connection.execute(sa.insert(agents), asdict(row))


async def get(connection: AsyncConnection, organization_id: str, agent_id: str) -> AgentRow | None:
    """An agent that is not deleted."""
    query = sa.select(agents).where(_living(organization_id), agents.c.id == agent_id)
    found = (await connection.execute(query)).first()
    return AgentRow(**found._asdict()) if found else None


async def get_any(connection: AsyncConnection, agent_id: str) -> AgentRow | None:
    """An agent, deleted or not: calls that it served are still analysed and told to its webhook."""
    found = (await connection.execute(_BY_ID, {"agent_id": agent_id})).first()
    return AgentRow(**found._asdict()) if found else None


async def all_living(connection: AsyncConnection) -> list[AgentRow]:
    rows = await connection.execute(sa.select(agents).where(agents.c.deleted_at.is_(None)))
    return [AgentRow(**row._asdict()) for row in rows]


async def list_page(
    connection: AsyncConnection, organization_id: str, limit: int, offset: int
) -> tuple[list[AgentRow], int]:
    rows, total = await page.fetch(connection, agents, [_living(organization_id)], limit, offset)
    return [AgentRow(**row) for row in rows], total


async def update(connection: AsyncConnection, row: AgentRow) -> None:
    values = {"settings": row.settings, "webhook_secret": row.webhook_secret, "updated_at": row.updated_at}
    await connection.execute(sa.update(agents).where(agents.c.id == row.id).values(values))


async def delete(connection: AsyncConnection, agent_id: str, now: int) -> None:
    await connection.execute(sa.update(agents).where(agents.c.id == agent_id).values(deleted_at=now))


def _living(organization_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(agents.c.organization_id == organization_id, agents.c.deleted_at.is_(None))


async def retention_days(connection: AsyncConnection) -> dict[str, int]:
    """For how many days recordings are kept, by agent, deleted ones too; without those that keep them for ever."""
    rows = await connection.execute(sa.select(agents.c.id, agents.c.settings))
    days = {row.id: (row.settings.get("recording") or {}).get("retentionDays") for row in rows}
    return {agent_id: kept for agent_id, kept in days.items() if kept}
