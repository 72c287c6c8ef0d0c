"""The parts of a multipart body (RFC 2046 section 5.1, in SIP by RFC 5621)."""

from __future__ import annotations

import re

from sipserver.message.error import MessageError
from sipserver.message.params import Params

_CONTENT_TYPE = re.compile(rb"^content-type[ \t]*:((?:[^\r\n]|\r?\n[ \t])*+)", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip(" \t").lower()


def parts(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Content type and content of each part; a part without a type is plain text. Empty for what is not multipart."""
    boundary = _boundary(content_type)
    if not boundary or not media_type(content_type).startswith("multipart/"):
        return []
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    pieces = re.split(rb"(?:\A|\r?\n)--" + mark + rb"(?:--)?[ \t]*(?=\r?\n|\Z)", body)
    return [_part(piece) for piece in pieces[1:] if piece.strip()]


def _part(piece: bytes) -> tuple[str, bytes]:
    head, *content = _BLANK_LINE.split(piece, maxsplit=1)
    kind = _CONTENT_TYPE.search(head)
    text = kind[1].decode("utf-8", "surrogateescape") if kind else "text/plain"
    return " ".join(text.split()), content[0] if content else b""


def _boundary(content_type: str) -> str | None:
    try:
        return Params.parse(content_type[len(content_type.partition(";")[0]) :]).get("boundary")
    except MessageError:
        return None
