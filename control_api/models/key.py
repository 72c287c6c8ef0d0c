"""API keys."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from control_api.models.base import Body, Id, Resource, Time

Scope = Literal["read", "calls", "admin"]


class KeyCreate(Body):
    """Each scope holds the ones before it: read, calls, admin."""

    READ_ONLY: ClassVar[frozenset[str]] = frozenset({"organizationId", "createdAt", "revokedAt", "key"})

    name: Annotated[str, Field(min_length=1, max_length=255)]
    scope: Scope
    id: Id | None = None


class Key(Resource):
    """A key without its text, of which only a digest is kept."""

    id: Id
    organization_id: Id
    name: str
    scope: Scope
    created_at: Time
    revoked_at: Time | None


class NewKey(Key):
    """A key with its text, which is never shown again."""

    key: str
