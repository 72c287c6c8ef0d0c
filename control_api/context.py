"""One request, as its handler sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import JSONResponse

from control_api.idempotency import Ticket
from control_api.services import Services
from control_api.store.keys import KeyRow

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and how long all of it is."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class Context:
    """`key` is None for what needs none: health, and signed links. `warnings` names the fields that were passed over."""

    request: Request
    services: Services
    key: KeyRow | None = None
    status: int = 200
    ticket: Ticket | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def organization_id(self) -> str:
        """Whose key it is. Only for operations that need a key."""
        if self.key is None:
            raise LookupError("an operation without a key has no organization")
        return self.key.organization_id

    def envelope(self, item: BaseModel) -> dict[str, Any]:
        """The body of an answer with one resource."""
        body: dict[str, Any] = {"data": item.model_dump(mode="json", by_alias=True)}
        return {**body, "warnings": self.warnings} if self.warnings else body

    def page(self, page: Page[Any]) -> dict[str, Any]:
        """The body of an answer with a list."""
        body: dict[str, Any] = {
            "data": [item.model_dump(mode="json", by_alias=True) for item in page.items],
            "pagination": {"total": page.total, "limit": page.limit, "offset": page.offset},
        }
        return {**body, "warnings": self.warnings} if self.warnings else body

    async def keep(self, connection: AsyncConnection, item: BaseModel) -> None:
        """Keep the answer for the request's Idempotency-Key, in the transaction that makes it true. Raises AnswerKept."""
        if self.ticket is not None:
            text = JSONResponse(self.envelope(item)).body
            await self.ticket.keep(connection, self.status, bytes(text).decode(), self.services.now())
