"""What an operation is, and how a request becomes one: the same steps, in the same order, for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from control_api import bodies
from control_api.auth import key_of, opens_link, require_scope
from control_api.context import Context, Page
from control_api.errors import conflict
from control_api.idempotency import AnswerKept, ticket
from control_api.models.base import Body, Query
from control_api.models.key import Scope
from control_api.services import Services

Handler = Callable[..., Awaitable[Any]]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the table.

    The handler is called with the context, then `body` or `query` where there is a model for it, then the path's parameters
    by name. It returns a resource, a `Page` of them, None for 204, or a ready `Response` (`media` then says of what type).
    `scope` None needs no key; `signed` is open to signed links too; `bare` answers stand
    without the envelope. Where a body is optional, a request without a media type has none.
    """

    method: Method
    path: str
    handler: Handler
    summary: str
    scope: Scope | None = "read"
    body: type[Body] | None = None
    body_optional: bool = False
    query: type[Query] | None = None
    returns: type[BaseModel] | None = None
    many: bool = False
    bare: bool = False
    status: int = 200
    errors: tuple[int, ...] = ()
    signed: bool = False
    media: str = "application/json"
    forms: tuple[str, ...] = ()
    """Of what other types its answer is when that is asked for."""

    @property
    def name(self) -> str:
        """The handler's name: the operation's id in the OpenAPI document."""
        return self.handler.__name__

    @property
    def creates(self) -> bool:
        """Whether `Idempotency-Key` is listened to."""
        return self.status == 201


async def perform(operation: Operation, request: Request, services: Services) -> Response:
    """Authenticate, read, do, answer. Raises ApiError."""
    context = Context(request, services, status=operation.status)
    if operation.scope is not None and not (operation.signed and opens_link(request, services)):
        key = await key_of(request, services)
        require_scope(key, operation.scope)
        context = replace(context, key=key)
    if operation.body is not None:
        return await _with_body(operation, operation.body, context)
    arguments = [_query(operation.query, context)] if operation.query else []
    return _answer(context, await operation.handler(context, *arguments, **request.path_params))


async def _with_body(operation: Operation, model: type[Body], context: Context) -> Response:
    bare = operation.body_optional and "content-type" not in context.request.headers
    raw = b"{}" if bare else await bodies.read(context.request)
    key = context.request.headers.get("idempotency-key")
    if key is None or not operation.creates:
        return await _done(operation, model, context, raw)
    services = context.services
    mine = ticket(key, context.organization_id, operation.name, raw, services.box)
    kept = await mine.find(services.store, services.now())
    if kept is not None:
        return kept
    try:
        return await _done(operation, model, replace(context, ticket=mine), raw)
    except AnswerKept as answer:
        return mine.replay(answer.row)


async def _done(operation: Operation, model: type[Body], context: Context, raw: bytes) -> Response:
    body = bodies.parse(model, raw)
    unknown = body.unknown()
    if bodies.is_strict(context.request):
        bodies.refuse_unknown(unknown)
    context.warnings.extend(unknown)
    try:
        return _answer(context, await operation.handler(context, body, **context.request.path_params))
    except sa.exc.IntegrityError:
        # Handlers look before they write; this is what is left when two writers of one database look at once.
        raise conflict("Something with this id or number is there already.") from None


def _query(model: type[Query], context: Context) -> Query:
    query, unknown = bodies.parse_query(model, context.request)
    passed_over = [name for name in unknown if not name.startswith("metadata.")]
    if bodies.is_strict(context.request):
        bodies.refuse_unknown(passed_over)
    context.warnings.extend(passed_over)
    return query


def _answer(context: Context, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status_code=204)
    body = context.page(result) if isinstance(result, Page) else context.envelope(result)
    return JSONResponse(body, context.status)
