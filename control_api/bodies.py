"""Reading what a client sent: bodies of JSON, and parameters of lists."""

from __future__ import annotations

import asyncio
import math
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from control_api.errors import ApiError, from_validation, invalid
from control_api.models.base import Body, Query

MAX_BODY = 1024 * 1024
BODY_SECONDS = 30.0

B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=Query)


async def read(request: Request, seconds: float = BODY_SECONDS) -> bytes:
    """The body, of JSON's media type, at most 1 MiB, all of it here within so many seconds. Raises ApiError 413, 415, 400."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(415, "Send JSON, with `Content-Type: application/json`.")
    received = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                received += piece
                if len(received) > MAX_BODY:
                    raise ApiError(413, f"The body is larger than {MAX_BODY} bytes.")
    except ClientDisconnect:
        raise ApiError(400, "The body broke off.") from None
    except TimeoutError:
        raise ApiError(400, f"The body was not here after {seconds:g} s.", headers={"Connection": "close"}) from None
    return bytes(received)


def parse(model: type[B], raw: bytes) -> B:
    """The body as its model. Raises ApiError 400."""
    try:
        body = model.model_validate_json(raw)
    except ValidationError as error:
        raise from_validation(error) from None
    _check_values(from_json(raw), "")
    return body


def parse_query(model: type[Q], request: Request) -> tuple[Q, dict[str, str]]:
    """The parameters as their model, and those that it does not know. Raises ApiError 400."""
    given = dict(request.query_params)
    for name, value in given.items():
        _check_values(value, name)
    try:
        query = model.model_validate(given)
    except ValidationError as error:
        raise from_validation(error) from None
    return query, {name: str(value) for name, value in (query.model_extra or {}).items()}


def is_strict(request: Request) -> bool:
    """`Prefer: handling=strict` (RFC 7240 section 4.4): refuse what would be passed over."""
    preferences = ",".join(request.headers.getlist("prefer")).replace(" ", "").lower().split(",")
    return "handling=strict" in preferences


def refuse_unknown(fields: list[str]) -> None:
    """Raises ApiError 400, naming the fields."""
    if fields:
        raise invalid(*((field, "There is no such field.") for field in fields))


def _check_values(value: Any, path: str) -> None:
    """What JSON can write and a database, or JSON again, cannot: NUL characters, and numbers beyond a double's range."""
    if isinstance(value, str) and "\0" in value:
        raise invalid((path, "must have no NUL character"))
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid((path, "must be a finite number"))
    if isinstance(value, dict):
        for key, item in value.items():
            _check_values(key, path)
            _check_values(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_values(item, f"{path}.{index}")
