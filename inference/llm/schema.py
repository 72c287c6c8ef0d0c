"""The part of JSON Schema that extraction uses: checking what a model wrote, and finding JSON in its text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def violations(value: Any, schema: Mapping[str, Any], where: str = "answer") -> list[str]:
    """What keeps a value from fitting a schema of types, enums, properties, items and required names; empty when it fits."""
    if not _has_type(value, schema.get("type")):
        return [f"{where} must be of type {schema['type']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} must be one of {schema['enum']}"]
    wrong: list[str] = []
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        wrong += [f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, part in properties.items():
            wrong += violations(value[name], part, f"{where}.{name}") if name in value else []
    if isinstance(value, list):
        for index, item in enumerate(value):
            wrong += violations(item, schema.get("items", {}), f"{where}.{index}")
    return wrong


def first_json(text: str) -> Any:
    """The first JSON object in a text (models like to write around it); None when there is none."""
    decoder = json.JSONDecoder()
    for start, char in enumerate(text):
        if char == "{":
            try:
                return decoder.raw_decode(text, start)[0]
            except json.JSONDecodeError:
                continue
    return None


def _has_type(value: Any, given: Any) -> bool:
    if given is None:
        return True
    names = given if isinstance(given, list) else [given]
    return any(
        isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in names
        if name in _TYPES
    )
