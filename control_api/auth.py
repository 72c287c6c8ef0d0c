"""Who asks: an API key in the Authorization header, or a signed link."""

from __future__ import annotations

from starlette.requests import Request

from control_api.errors import ApiError
from control_api.keytext import digest, is_well_formed
from control_api.models.key import Scope
from control_api.services import Services
from control_api.store import keys
from control_api.store.keys import KeyRow

SCOPES: tuple[Scope, ...] = ("read", "calls", "admin")
"""Each holds the ones before it."""


async def key_of(request: Request, services: Services) -> KeyRow:
    """The key that the request carries. Raises ApiError 401, the same for every way of having none."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() == "bearer" and is_well_formed(text):
        found = await services.store.read(lambda connection: keys.by_digest(connection, digest(text)))
        if found is not None:
            return found
    raise ApiError(401, "Give an API key: `Authorization: Bearer ak_…`.", headers={"WWW-Authenticate": "Bearer"})


def require_scope(key: KeyRow, scope: Scope) -> None:
    """Raises ApiError 403 when the key's scope does not hold this one."""
    if SCOPES.index(scope) > SCOPES.index(_scope(key)):
        raise ApiError(403, f"This needs a key of scope {scope}; the key that was given has scope {key.scope}.")


def opens_link(request: Request, services: Services) -> bool:
    """Whether the request came by a link that we signed, and that is still good."""
    query = request.query_params
    if "signature" not in query:
        return False
    if services.links.opens(request.url.path, query.get("expires", ""), query["signature"], services.now()):
        return True
    raise ApiError(401, "This link is not valid, or not any more.", headers={"WWW-Authenticate": "Bearer"})


def _scope(key: KeyRow) -> Scope:
    """A scope that a later version may know is none here."""
    return next((scope for scope in SCOPES if scope == key.scope), "read")
