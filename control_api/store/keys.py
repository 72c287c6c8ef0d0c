"""API keys. Only the digest of a key's text is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import page
from control_api.store.tables import keys


@dataclass(frozen=True, slots=True)
class KeyRow:
    id: str
    organization_id: str
    name: str
    scope: str
    digest: str
    created_at: int
    revoked_at: int | None = None


async def insert(connection: AsyncConnection, row: KeyRow) -> None:
    await connection.execute(sa.insert(keys), asdict(row))


async def by_digest(connection: AsyncConnection, digest: str) -> KeyRow | None:
    """The key with this digest, unless it is revoked."""
    query = sa.select(keys).where(keys.c.digest == digest, keys.c.revoked_at.is_(None))
    found = (await connection.execute(query)).first()
    return KeyRow(**found._asdict()) if found else None


async def id_is_taken(connection: AsyncConnection, key_id: str) -> bool:
    return await connection.scalar(sa.select(keys.c.id).where(keys.c.id == key_id)) is not None


async def list_page(
    connection: AsyncConnection, organization_id: str, limit: int, offset: int
) -> tuple[list[KeyRow], int]:
    """Keys, revoked ones among them."""
    rows, total = await page.fetch(connection, keys, [keys.c.organization_id == organization_id], limit, offset)
    return [KeyRow(**row) for row in rows], total


async def revoke(connection: AsyncConnection, organization_id: str, key_id: str, now: int) -> bool:
    """False when there is no such key, or it is revoked already."""
    change = sa.update(keys).where(
        keys.c.id == key_id, keys.c.organization_id == organization_id, keys.c.revoked_at.is_(None)
    )
    return (await connection.execute(change.values(revoked_at=now))).rowcount == 1
