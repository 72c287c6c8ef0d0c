"""The reference at `/docs`: one page made here from the OpenAPI document, with nothing to load from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Schema = Mapping[str, Any]

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
code, .method { font-family: ui-monospace, monospace; font-size: .9em }
.method { display: inline-block; min-width: 4.5em; font-weight: bold }
details { border: 1px solid #ccc; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #eee }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 }
  td, th, details { border-color: #444 }
}
"""


def page(document: Schema) -> str:
    """The page as HTML."""
    info = document["info"]
    schemas = document["components"]["schemas"]
    return "".join(
        (
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
            f"<title>{escape(info['title'])} API</title><style>{STYLE}</style>",
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
            "<p>Every request carries <code>Authorization: Bearer ak_…</code>. ",
            "The same as a document for programs: <a href=/openapi.json>openapi.json</a>.</p>",
            *_operations(document["paths"]),
            "<h2>Resources</h2>",
            *(_resource(name, schema) for name, schema in sorted(schemas.items())),
        )
    )


def _operations(paths: Mapping[str, Schema]) -> Iterator[str]:
    section = None
    for path, methods in paths.items():
        for method, operation in methods.items():
            if operation["tags"][0] != section:
                section = operation["tags"][0]
                yield f"<h2>{escape(section)}</h2>"
            yield _operation(path, method, operation)


def _operation(path: str, method: str, operation: Schema) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    parts = [
        f"<details><summary><span class=method>{method.upper()}</span><code>{escape(path)}</code> "
        f"{escape(operation['summary'])}</summary>",
        f"<p>{escape(operation.get('description', 'Needs no key.'))}</p>",
    ]
    if operation.get("parameters"):
        rows = (_row(item["name"], item["schema"], f"{item['in']}") for item in operation["parameters"])
        parts.append(f"<h4>Parameters</h4><table>{''.join(rows)}</table>")
    if body:
        parts.append(f"<h4>Body</h4><p>{_type(body)}</p>")
    answers = (
        f"<tr><td><code>{code}</code><td>{escape(answer['description'])}<td>{_answer(answer)}"
        for code, answer in operation["responses"].items()
    )
    return f"{''.join(parts)}<h4>Answers</h4><table>{''.join(answers)}</table></details>"


def _answer(answer: Schema) -> str:
    """What the envelope holds, where there is one."""
    for media, content in answer.get("content", {}).items():
        schema = content["schema"]
        return _type(schema.get("properties", {}).get("data", schema)) if media.endswith("json") else escape(media)
    return ""


def _resource(name: str, schema: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = (
        _row(field, item, "required" if field in required else "")
        for field, item in schema.get("properties", {}).items()
    )
    return (
        f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
        f"<p>{escape(schema.get('description', ''))}</p><table>{''.join(rows)}</table></details>"
    )


def _row(name: str, schema: Schema, note: str) -> str:
    default = f"default <code>{escape(repr(schema['default']))}</code>" if schema.get("default") is not None else ""
    return f"<tr><td><code>{escape(name)}</code><td>{_type(schema)}<td>{escape(note)} {default}"


def _type(schema: Schema) -> str:
    """A type in few words, linked where it is a resource of its own."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type", "any"))) + _limits(schema)


def _limits(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    return "" if low is None and high is None else f" ({'' if low is None else low}–{'' if high is None else high})"
