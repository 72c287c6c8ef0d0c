"""Errors as the contract has them: a sentence, and details where there is more than one thing to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.responses import JSONResponse


class ErrorDetail(BaseModel):
    """Which field, as a path, and what is wrong with it."""

    model_config = ConfigDict(frozen=True)
    field: str
    message: str


class Error(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(frozen=True)
    error: str
    details: list[ErrorDetail]


@dataclass(slots=True)
class ApiError(Exception):
    """Ends a request with this status and sentence."""

    status: int
    error: str
    details: Sequence[ErrorDetail] = ()
    headers: Mapping[str, str] | None = None

    def response(self) -> JSONResponse:
        body = Error(error=self.error, details=list(self.details))
        return JSONResponse(body.model_dump(), self.status, dict(self.headers) if self.headers else None)


def invalid(*details: tuple[str, str]) -> ApiError:
    """400 `Validation failed`, with (field, message) pairs."""
    return ApiError(400, "Validation failed", [ErrorDetail(field=field, message=text) for field, text in details])


def not_found(what: str) -> ApiError:
    """404; also for what belongs to another organization, so that ids tell nothing."""
    return ApiError(404, f"There is no {what} with this id.")


def conflict(sentence: str) -> ApiError:
    return ApiError(409, sentence)


def busy(sentence: str, seconds: int) -> ApiError:
    """503: the whole node; ask again in so many seconds."""
    return ApiError(503, sentence, headers={"Retry-After": str(seconds)})


def from_validation(error: ValidationError) -> ApiError:
    """What pydantic found, in the contract's form."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found and found[0]["type"] == "json_invalid":
        return ApiError(400, "The body is not valid JSON.", [ErrorDetail(field="", message=found[0]["msg"])])
    return invalid(*((_path(item["loc"]), item["msg"].removeprefix("Value error, ")) for item in found))


def _path(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location)
