"""`Idempotency-Key`: a request that is sent twice is done once, and answered twice.

The answer is kept in the transaction that does what was asked, so there is no moment in which one is there without the other,
whatever kills the process. Of two that run at once the second finds the first one's answer when it wants to keep its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from control_api.errors import ApiError, invalid
from control_api.secrets import SecretBox
from control_api.store import idempotency
from control_api.store.engine import Store
from control_api.store.idempotency import AnswerRow

LIFETIME = 24 * 3600 * 1_000_000
MAX_LENGTH = 255


@dataclass(slots=True)
class AnswerKept(Exception):
    """An answer to this very key is there already; what wanted to keep another is undone."""

    row: AnswerRow


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request with an Idempotency-Key."""

    organization_id: str
    key: str
    operation: str
    request_hash: str
    box: SecretBox

    async def find(self, store: Store, now: int) -> Response | None:
        """The first answer again, where there is one. Raises ApiError 422 when the key was used for something else."""
        row = await store.read(lambda connection: idempotency.get(connection, self.organization_id, self.key))
        return self.replay(row) if row is not None and row.created_at >= now - LIFETIME else None

    def replay(self, row: AnswerRow) -> Response:
        """That answer. Raises ApiError 422 when it answered another request."""
        if (row.operation, row.request_hash) != (self.operation, self.request_hash):
            raise ApiError(422, "This Idempotency-Key was used for another request.")
        headers = {"Idempotent-Replayed": "true"}
        return Response(self.box.open(row.answer), row.status, headers, media_type="application/json")

    async def keep(self, connection: AsyncConnection, status: int, answer: str, now: int) -> None:
        """Raises AnswerKept when there is one."""
        await idempotency.forget(connection, now - LIFETIME)
        found = await idempotency.get(connection, self.organization_id, self.key)
        if found is not None:
            raise AnswerKept(found)
        row = AnswerRow(
            organization_id=self.organization_id,
            key=self.key,
            operation=self.operation,
            request_hash=self.request_hash,
            status=status,
            answer=self.box.seal(answer),
            created_at=now,
        )
        await idempotency.insert(connection, row)


def ticket(key: str, organization_id: str, operation: str, body: bytes, box: SecretBox) -> Ticket:
    """Raises ApiError 400 for a key that cannot be kept."""
    if not key or len(key) > MAX_LENGTH or not key.isprintable():
        raise invalid(("Idempotency-Key", f"must be 1 to {MAX_LENGTH} printable characters"))
    return Ticket(organization_id, key, operation, hashlib.sha256(body).hexdigest(), box)
