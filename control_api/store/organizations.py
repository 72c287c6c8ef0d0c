"""Organizations: whose calls, agents and keys they are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store.tables import organizations

DEFAULT_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "antiphon:organization:default"))


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    id: str
    name: str
    created_at: int


async def ensure_default(connection: AsyncConnection, now: int) -> OrganizationRow:
    """The organization that every installation has; made when it is missing."""
    found = await get(connection, DEFAULT_ID)
    if found is not None:
        return found
    await insert(connection, DEFAULT_ID, "default", now)
    return OrganizationRow(id=DEFAULT_ID, name="default", created_at=now)


async def get(connection: AsyncConnection, organization_id: str) -> OrganizationRow | None:
    found = (await connection.execute(sa.select(organizations).where(organizations.c.id == organization_id))).first()
    return OrganizationRow(**found._asdict()) if found else None


async def insert(connection: AsyncConnection, organization_id: str, name: str, now: int) -> None:
    """Raises IntegrityError when the id is taken."""
    await connection.execute(sa.insert(organizations).values(id=organization_id, name=name, created_at=now))
