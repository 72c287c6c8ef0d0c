"""API keys: list, create, revoke."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.context import Context, Page
from control_api.errors import conflict, not_found
from control_api.keytext import digest, new_key
from control_api.models.base import PageQuery, iso, iso_or_none
from control_api.models.key import Key, KeyCreate, NewKey
from control_api.store import keys
from control_api.store.keys import KeyRow


async def create_key(context: Context, body: KeyCreate) -> NewKey:
    text = new_key()
    row = KeyRow(
        id=body.id or str(uuid.uuid4()),
        organization_id=context.organization_id,
        name=body.name,
        scope=body.scope,
        digest=digest(text),
        created_at=context.services.now(),
    )
    key = NewKey(**resource(row).model_dump(), key=text)

    async def write(connection: AsyncConnection) -> None:
        await context.keep(connection, key)
        if await keys.id_is_taken(connection, row.id):
            raise conflict("There is a key with this id already.")
        await keys.insert(connection, row)

    await context.services.store.write(write)
    return key


async def list_keys(context: Context, query: PageQuery) -> Page[Key]:
    rows, total = await context.services.store.read(
        lambda connection: keys.list_page(connection, context.organization_id, query.limit, query.offset)
    )
    return Page([resource(row) for row in rows], total, query.limit, query.offset)


async def revoke_key(context: Context, key_id: str) -> None:
    now = context.services.now()
    if not await context.services.store.write(
        lambda connection: keys.revoke(connection, context.organization_id, key_id, now)
    ):
        raise not_found("key")


def resource(row: KeyRow) -> Key:
    return Key.model_validate(
        {
            "id": row.id,
            "organizationId": row.organization_id,
            "name": row.name,
            "scope": row.scope,
            "createdAt": iso(row.created_at),
            "revokedAt": iso_or_none(row.revoked_at),
        }
    )
