"""What all resources share: names, ids, times, and how bodies are read.

Bodies are read strictly (no text for a number), with fields that we do not know let through, so that they can be named in
`warnings`, or refused where the client asked for that.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

MASK = "********"
"""What stands for a secret in answers; sent back, it means that the secret stays as it is."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

Id = Annotated[str, Field(pattern=UUID, json_schema_extra={"format": "uuid"}), AfterValidator(str.lower)]
JsonObject = dict[str, JsonValue]
Number = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", examples=["+12025550123"])]


Dialled = Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{6,14}|[0-9*#]{2,15})$", examples=["+12025550123"])]
"""A number, or an extension of an exchange."""


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be the name of a time zone, such as Europe/Berlin") from None
    return name


Timezone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_zone)]


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def iso(at: int) -> str:
    """Microseconds as ISO 8601, UTC, whole seconds: `2026-01-31T09:00:00Z`."""
    return (EPOCH + timedelta(seconds=at // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(at: int | None) -> str | None:
    return None if at is None else iso(at)


Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-31T09:00:00Z"])]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _moment(value: object) -> datetime:
    """RFC 3339's form and no other: neither seconds since the epoch nor a time without its zone."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be a time such as 2026-01-31T09:00:00Z, with Z or an offset")
    return datetime.fromisoformat(value)


Moment = Annotated[AwareDatetime, BeforeValidator(_moment), Field(examples=["2026-01-31T09:00:00Z"])]


class Resource(BaseModel):
    """What we answer: camelCase, every field present."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)


class Body(BaseModel):
    """What a client sends. `READ_ONLY` are the fields that our answers have besides; sent back, they are passed over."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        strict=True,
        extra="allow",
        allow_inf_nan=False,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )
    READ_ONLY: ClassVar[frozenset[str]] = frozenset()

    def given(self) -> dict[str, Any]:
        """The fields that were sent and that we know, in the contract's names, as JSON values."""
        known = self.model_fields_set & set(type(self).model_fields)
        return self.model_dump(mode="json", by_alias=True, include=known, exclude=_extras(self))

    def unknown(self) -> list[str]:
        """The fields that were sent and that we do not know, as paths such as `silence.foo`."""
        return [path for path in _unknown(self, "") if path not in self.READ_ONLY]


class Query(BaseModel):
    """Parameters of a list. Texts, so that numbers are read from decimal digits and nothing else."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)


def _decimal(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError("must be a whole number")
    return value


Count = Annotated[int, BeforeValidator(_decimal)]


class PageQuery(Query):
    """Which part of a list."""

    limit: Annotated[Count, Field(ge=1, le=100)] = 50
    offset: Annotated[Count, Field(ge=0, le=2**53)] = 0


def _unknown(value: object, path: str) -> Iterator[str]:
    if isinstance(value, Body):
        for name in value.model_extra or {}:
            yield f"{path}{name}"
        for name, field in type(value).model_fields.items():
            yield from _unknown(getattr(value, name), f"{path}{field.alias}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, f"{path}{index}.")


def _extras(value: object) -> Any:
    """What `model_dump` leaves out so that fields we do not know are not kept."""
    if isinstance(value, Body):
        left_out: dict[str, Any] = dict.fromkeys(value.model_extra or {}, True)
        for name in type(value).model_fields:
            below = _extras(getattr(value, name))
            if below:
                left_out[name] = below
        return left_out
    if isinstance(value, list):
        return {index: below for index, item in enumerate(value) if (below := _extras(item))}
    return None
