"""What can be done on the data folder itself, also beside a running server: keys for the command line."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.folder import DataFolder
from control_api.keytext import digest, new_key
from control_api.models.key import Scope
from control_api.secrets import open_box
from control_api.store import keys, organizations
from control_api.store.engine import Store
from control_api.store.keys import KeyRow

T = TypeVar("T")


class NoSuchKey(Exception):
    """There is no such key, or it is revoked already."""


def create_key(data_dir: Path, name: str, scope: Scope) -> str:
    """Make a key of the default organization and return its text, which is kept nowhere. Makes the folder where it is missing."""
    text, now = new_key(), _now()

    async def write(connection: AsyncConnection) -> None:
        owner = await organizations.ensure_default(connection, now)
        row = KeyRow(
            id=str(uuid.uuid4()),
            organization_id=owner.id,
            name=name,
            scope=scope,
            digest=digest(text),
            created_at=now,
        )
        await keys.insert(connection, row)

    _run(data_dir, lambda store: store.write(write))
    return text


def list_keys(data_dir: Path) -> list[KeyRow]:
    """The keys of the default organization, newest first, revoked ones among them."""

    async def read(connection: AsyncConnection) -> list[KeyRow]:
        rows, _ = await keys.list_page(connection, organizations.DEFAULT_ID, limit=10_000, offset=0)
        return rows

    return _run(data_dir, lambda store: store.read(read))


def revoke_key(data_dir: Path, key_id: str) -> None:
    """Raises NoSuchKey."""
    now = _now()
    revoked = _run(
        data_dir,
        lambda store: store.write(lambda connection: keys.revoke(connection, organizations.DEFAULT_ID, key_id, now)),
    )
    if not revoked:
        raise NoSuchKey(f"There is no key with the id {key_id}, or it is revoked already.")


def initialise(data_dir: Path) -> None:
    """Make the folder, its master key, its database and the default organization. Idempotent."""
    now = _now()
    _run(data_dir, lambda store: store.write(lambda connection: organizations.ensure_default(connection, now)))


def _run(data_dir: Path, work: Callable[[Store], Awaitable[T]]) -> T:
    folder = DataFolder(data_dir)
    folder.prepare()
    open_box(folder.master_key)

    async def run() -> T:
        store = await Store.open(folder.database)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def _now() -> int:
    return time.time_ns() // 1000
