"""Trunks: one row for each way to the telephone network, however many numbers use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store.tables import phone_numbers, trunks


@dataclass(frozen=True, slots=True)
class TrunkRow:
    """`identity` tells trunks of an organization apart; `password` is sealed."""

    id: str
    organization_id: str
    identity: str
    mode: str
    host: str
    port: int
    transport: str
    sources: Sequence[str]
    outbound_proxy: str | None
    username: str | None
    auth_user: str | None
    password: str | None
    created_at: int
    updated_at: int


async def create_or_share(connection: AsyncConnection, row: TrunkRow) -> TrunkRow:
    """The trunk of this identity: the one that is there with the newer settings, or this one."""
    query = sa.select(trunks).where(trunks.c.organization_id == row.organization_id, trunks.c.identity == row.identity)
    found = (await connection.execute(query)).first()
    if found is None:
        await connection.execute(sa.insert(trunks), asdict(row))
        return row
    shared = replace(row, id=found.id, created_at=found.created_at)
    await connection.execute(sa.update(trunks).where(trunks.c.id == shared.id).values(asdict(shared)))
    return shared


async def get(connection: AsyncConnection, trunk_id: str) -> TrunkRow | None:
    found = (await connection.execute(sa.select(trunks).where(trunks.c.id == trunk_id))).first()
    return TrunkRow(**found._asdict()) if found else None


async def by_ids(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, TrunkRow]:
    rows = await connection.execute(sa.select(trunks).where(trunks.c.id.in_(ids)))
    return {row.id: TrunkRow(**row._asdict()) for row in rows}


async def all_trunks(connection: AsyncConnection) -> list[TrunkRow]:
    return [TrunkRow(**row._asdict()) for row in await connection.execute(sa.select(trunks))]


async def delete_if_unused(connection: AsyncConnection, trunk_id: str) -> None:
    """Erase a trunk, credentials and all, when no number uses it any more."""
    used = sa.exists().where(phone_numbers.c.trunk_id == trunk_id)
    await connection.execute(sa.delete(trunks).where(trunks.c.id == trunk_id, ~used))
