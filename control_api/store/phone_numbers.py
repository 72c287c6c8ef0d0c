"""Phone numbers: which trunk they come by, which agent answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import page
from control_api.store.tables import phone_numbers

_CHANGEABLE = (
    "number", "name", "trunk_id", "agent_id", "metadata", "opening_hours", "fallback", "blocked_callers", "updated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PhoneNumberRow:
    id: str
    organization_id: str
    number: str
    name: str | None
    provider: str
    trunk_id: str | None
    agent_id: str | None
    metadata: Mapping[str, Any]
    created_at: int
    updated_at: int
    deleted_at: int | None = None
    opening_hours: Mapping[str, Any] | None = None
    fallback: Mapping[str, Any] | None = None
    blocked_callers: Sequence[str] = ()


async def insert(connection: AsyncConnection, row: PhoneNumberRow) -> None:
    """Raises IntegrityError when the id or the number is taken."""
    await connection.execute(sa.insert(phone_numbers), asdict(row))


async def get(connection: AsyncConnection, organization_id: str, number_id: str) -> PhoneNumberRow | None:
    """A number that is not deleted."""
    query = sa.select(phone_numbers).where(_living(organization_id), phone_numbers.c.id == number_id)
    found = (await connection.execute(query)).first()
    return PhoneNumberRow(**found._asdict()) if found else None


async def by_number(connection: AsyncConnection, number: str) -> PhoneNumberRow | None:
    """The number as it is written in E.164, whosever it is."""
    query = sa.select(phone_numbers).where(phone_numbers.c.number == number, phone_numbers.c.deleted_at.is_(None))
    found = (await connection.execute(query)).first()
    return PhoneNumberRow(**found._asdict()) if found else None


async def id_is_taken(connection: AsyncConnection, number_id: str) -> bool:
    """Whether a number has or had this id."""
    return await connection.scalar(sa.select(phone_numbers.c.id).where(phone_numbers.c.id == number_id)) is not None


async def all_living(connection: AsyncConnection) -> list[PhoneNumberRow]:
    rows = await connection.execute(sa.select(phone_numbers).where(phone_numbers.c.deleted_at.is_(None)))
    return [PhoneNumberRow(**row._asdict()) for row in rows]


async def answered_by(connection: AsyncConnection, agent_id: str) -> list[str]:
    """The numbers whose agent this is, or one of whose other agents."""
    return [row.number for row in await all_living(connection) if agent_id in _agents_of(row)]


def _agents_of(row: PhoneNumberRow) -> set[str | None]:
    return {
        row.agent_id,
        None if row.opening_hours is None else row.opening_hours.get("closedAgentId"),
        None if row.fallback is None else row.fallback.get("agentId"),
    }


async def list_page(
    connection: AsyncConnection, organization_id: str, limit: int, offset: int
) -> tuple[list[PhoneNumberRow], int]:
    rows, total = await page.fetch(connection, phone_numbers, [_living(organization_id)], limit, offset)
    return [PhoneNumberRow(**row) for row in rows], total


async def update(connection: AsyncConnection, row: PhoneNumberRow) -> None:
    """Raises IntegrityError when the number is taken."""
    values = {name: getattr(row, name) for name in _CHANGEABLE}
    await connection.execute(sa.update(phone_numbers).where(phone_numbers.c.id == row.id).values(values))


async def delete(connection: AsyncConnection, number_id: str, now: int) -> None:
    """The row stays for its calls; it lets go of trunk and agent."""
    values = {"deleted_at": now, "trunk_id": None, "agent_id": None}
    await connection.execute(sa.update(phone_numbers).where(phone_numbers.c.id == number_id).values(values))


def _living(organization_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(phone_numbers.c.organization_id == organization_id, phone_numbers.c.deleted_at.is_(None))
