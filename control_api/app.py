"""The HTTP application: the table of operations on Starlette, with one way of answering errors."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_api import docs, openapi
from control_api.errors import ApiError, busy
from control_api.operation import Operation, perform
from control_api.operations import OPERATIONS
from control_api.services import Services
from control_api.store.engine import StoreClosed

Endpoint = Callable[[Request], Awaitable[Response]]

ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)

log = structlog.get_logger(__name__)


def create_app(services: Services, operations: Sequence[Operation] = OPERATIONS) -> Starlette:
    """The application on these services."""
    document = openapi.document(operations, services.version)
    app = Starlette(
        routes=[*_routes(operations, services), *_pages(document)],
        middleware=[Middleware(RequestId)],
        exception_handlers={HTTPException: _http_error},
    )
    # A path with a slash too many is no path of ours: 404 in our form, no redirect without one.
    app.router.redirect_slashes = False
    return app


def _routes(operations: Sequence[Operation], services: Services) -> list[Route]:
    """One route for each path, so that 405 answers name every method that there is (RFC 9110 section 15.5.6)."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = _endpoint(operation, services)
    return [Route(path, _dispatcher(endpoints), methods=list(ALL_METHODS)) for path, endpoints in by_path.items()]


def _endpoint(operation: Operation, services: Services) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await perform(operation, request, services)
        except ApiError as error:
            return error.response()
        except StoreClosed:
            return busy("The node is going down.", 10).response()
        except SQLAlchemyError as error:
            failure = services.store.failure()
            return _defect(request, error) if failure is None else busy(failure, 10).response()
        except Exception as error:  # noqa: BLE001  the edge of a request: it is answered, the server goes on
            return _defect(request, error)

    return endpoint


def _dispatcher(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    allow = ", ".join(sorted({*endpoints, *(("HEAD",) if "GET" in endpoints else ())}))

    async def dispatch(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        if method not in endpoints:
            return ApiError(405, f"{request.method} is not possible here.", headers={"Allow": allow}).response()
        return await endpoints[method](request)

    return dispatch


def _pages(document: Mapping[str, object]) -> list[Route]:
    reference = docs.page(document)
    headers = {"Content-Security-Policy": docs.CONTENT_SECURITY_POLICY}

    async def show_document(_request: Request) -> Response:
        return JSONResponse(document)

    async def show_reference(_request: Request) -> Response:
        return HTMLResponse(reference, headers=headers)

    return [Route("/openapi.json", show_document), Route("/docs", show_reference)]


async def _http_error(_request: Request, error: Exception) -> Response:
    """What Starlette itself answers: paths and methods that are not there."""
    if not isinstance(error, HTTPException):
        raise error
    sentence = "There is nothing at this path." if error.status_code == 404 else f"{error.detail}."
    return ApiError(error.status_code, sentence, headers=error.headers).response()


def _defect(request: Request, error: Exception) -> Response:
    """Our mistake: logged in full, told without detail."""
    log.error("request failed", path=request.url.path, method=request.method, exc_info=error)
    return ApiError(500, "Something went wrong here; the log says more under this X-Request-Id.").response()


class RequestId:
    """Echoes `X-Request-Id`, or makes one, and binds it to what is logged meanwhile."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)
