"""The OpenAPI 3.1 document, from the same table that routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from control_api.errors import Error
from control_api.models.base import UUID
from control_api.operation import Operation

Schema = dict[str, Any]
Refs = Mapping[Any, Schema]
"""Models, paired with the side that they are on, and their references."""

COUNT: Schema = {"type": "integer", "minimum": 0}
WARNINGS: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Fields that were sent and passed over, because there are no such fields.",
}
PAGINATION: Schema = {
    "type": "object",
    "properties": {"total": COUNT, "limit": COUNT, "offset": COUNT},
    "required": ["total", "limit", "offset"],
}
HEADERS: Mapping[str, Schema] = {
    "Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    # Other preferences are passed over, as RFC 7240 section 2 asks, so there is no enumeration.
    "Prefer": {"type": "string", "examples": ["handling=strict"]},
}


def document(operations: Sequence[Operation], version: str) -> Schema:
    """The whole document."""
    refs, definitions = models_json_schema(_models(operations), ref_template="#/components/schemas/{model}")
    paths: Schema = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Antiphon",
            "version": version,
            "description": "A self-hosted telephone server whose calls are answered, and placed, by AI agents.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "ak_…"}},
        },
    }


def _models(operations: Sequence[Operation]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    found: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Error, "serialization")]
    found += [(operation.body, "validation") for operation in operations if operation.body]
    found += [(operation.returns, "serialization") for operation in operations if operation.returns]
    return list(dict.fromkeys(found))


def _operation(operation: Operation, refs: Refs) -> Schema:
    item: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.path.removeprefix("/v1/").partition("/")[0] if "/v1/" in operation.path else "health"],
        "security": [{"key": []}] if operation.scope else [],
        "responses": {str(operation.status): _success(operation, refs)},
    }
    if operation.scope:
        item["description"] = f"Needs a key of scope `{operation.scope}`."
    parameters = list(_parameters(operation))
    if parameters:
        item["parameters"] = parameters
    if operation.body:
        item["requestBody"] = {
            "required": not operation.body_optional,
            "content": _json(refs[operation.body, "validation"]),
        }
    for code in sorted(_error_codes(operation)):
        schema = refs[Error, "serialization"]
        if operation.bare and operation.scope is None and operation.returns:
            schema = refs[operation.returns, "serialization"]
        item["responses"][str(code)] = {"description": HTTPStatus(code).phrase, "content": _json(schema)}
    return item


def _success(operation: Operation, refs: Refs) -> Schema:
    answer: Schema = {"description": HTTPStatus(operation.status).phrase}
    if operation.returns is None:
        if operation.status != 204:
            answer["content"] = {operation.media: {"schema": {"type": "string"}}}
        return answer
    schema = refs[operation.returns, "serialization"]
    content = _json(schema if operation.bare else _envelope(schema, operation.many))
    return {**answer, "content": content | {form: {"schema": {"type": "string"}} for form in operation.forms}}


def _envelope(schema: Schema, many: bool) -> Schema:
    properties: Schema = {"data": {"type": "array", "items": schema} if many else schema, "warnings": WARNINGS}
    if many:
        properties["pagination"] = PAGINATION
    required = ["data", "pagination"] if many else ["data"]
    return {"type": "object", "properties": properties, "required": required}


def _parameters(operation: Operation) -> Iterator[Schema]:
    for name in re.findall(r"{(\w+)}", operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": UUID}}
    if operation.query:
        schema = operation.query.model_json_schema(by_alias=True)
        for name, item in schema["properties"].items():
            yield {"name": name, "in": "query", "required": False, "schema": _without_null(item)}
    if operation.signed:
        for name in ("expires", "signature"):
            yield {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
    if operation.creates:
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": HEADERS["Idempotency-Key"]}
    if operation.body:
        yield {"name": "Prefer", "in": "header", "required": False, "schema": HEADERS["Prefer"]}


def _without_null(schema: Schema) -> Schema:
    """A parameter is left out, it cannot be null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "title") and value is not None}
    return {**kept, **choices[0]} if choices else kept


def _error_codes(operation: Operation) -> set[int]:
    codes = set(operation.errors)
    if operation.scope:
        codes |= {401, 403}
    if operation.body:
        codes |= {400, 413, 415}
    if operation.query:
        codes |= {400}
    if operation.creates:
        codes |= {422}
    if "{" in operation.path:
        codes |= {404}
    return codes


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
