"""Trunks: one row for each way to the telephone network, however many numbers use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.store import page
from control_api.store.tables import phone_numbers, trunks


@dataclass(frozen=True, slots=True)
class TrunkRow:
    """`identity` tells trunks of an organization apart; `password` and `inbound_password` are sealed; `options` are the contract's,
    as they were given.

    A `standalone` trunk was made by itself, and stays when no number comes by it.
    """

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
    name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    standalone: bool = False
    inbound_username: str | None = None
    inbound_password: str | None = None


async def create_or_share(connection: AsyncConnection, row: TrunkRow) -> TrunkRow:
    """The trunk of this identity: the one that is there with the newer settings, or this one."""
    found = await by_identity(connection, row.organization_id, row.identity)
    if found is None:
        await insert(connection, row)
        return row
    own = ("id", "created_at", "name", "options", "standalone", "inbound_username", "inbound_password")
    kept = {name: getattr(found, name) for name in own}
    shared = replace(row, **kept)
    await update(connection, shared)
    return shared


async def insert(connection: AsyncConnection, row: TrunkRow) -> None:
    """Raises IntegrityError when the id or the identity is taken."""
    await connection.execute(sa.insert(trunks), asdict(row))


async def update(connection: AsyncConnection, row: TrunkRow) -> None:
    """Raises IntegrityError when the identity is taken."""
    await connection.execute(sa.update(trunks).where(trunks.c.id == row.id).values(asdict(row)))


async def delete(connection: AsyncConnection, trunk_id: str) -> None:
    """Erase it, credentials and all."""
    await connection.execute(sa.delete(trunks).where(trunks.c.id == trunk_id))


async def by_identity(connection: AsyncConnection, organization_id: str, identity: str) -> TrunkRow | None:
    query = sa.select(trunks).where(trunks.c.organization_id == organization_id, trunks.c.identity == identity)
    found = (await connection.execute(query)).first()
    return TrunkRow(**found._asdict()) if found else None


async def by_inbound_username(connection: AsyncConnection, username: str) -> TrunkRow | None:
    """Of any organization: who calls shows nothing but the name."""
    found = (await connection.execute(sa.select(trunks).where(trunks.c.inbound_username == username))).first()
    return TrunkRow(**found._asdict()) if found else None


async def list_page(
    connection: AsyncConnection, organization_id: str, limit: int, offset: int
) -> tuple[list[TrunkRow], int]:
    rows, total = await page.fetch(connection, trunks, [trunks.c.organization_id == organization_id], limit, offset)
    return [TrunkRow(**row) for row in rows], total


async def counts(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, int]:
    """How many numbers come by each of these trunks; those with none are left out."""
    used = phone_numbers.c.trunk_id
    rows = await connection.execute(sa.select(used, sa.func.count()).where(used.in_(ids)).group_by(used))
    return {row[0]: row[1] for row in rows}


async def get(connection: AsyncConnection, trunk_id: str) -> TrunkRow | None:
    found = (await connection.execute(sa.select(trunks).where(trunks.c.id == trunk_id))).first()
    return TrunkRow(**found._asdict()) if found else None


async def by_ids(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, TrunkRow]:
    rows = await connection.execute(sa.select(trunks).where(trunks.c.id.in_(ids)))
    return {row.id: TrunkRow(**row._asdict()) for row in rows}


async def all_trunks(connection: AsyncConnection) -> list[TrunkRow]:
    return [TrunkRow(**row._asdict()) for row in await connection.execute(sa.select(trunks))]


async def caught_by(connection: AsyncConnection, agent_id: str) -> bool:
    """Whether this agent answers all calls of some trunk."""
    return any(row.options.get("catchAllAgentId") == agent_id for row in await all_trunks(connection))


async def delete_if_unused(connection: AsyncConnection, trunk_id: str) -> None:
    """Erase a trunk that came with numbers, credentials and all, when no number uses it any more."""
    used = sa.exists().where(phone_numbers.c.trunk_id == trunk_id)
    await connection.execute(sa.delete(trunks).where(trunks.c.id == trunk_id, ~trunks.c.standalone, ~used))
