"""The parts of a multipart body (RFC 2046 section 5.1, in SIP by RFC 5621)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipserver.message.error import MessageError
from sipserver.message.params import Params
from sipserver.message.remembered import remembered

_FIELD = re.compile(rb"^([a-z-]++)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*+)", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its Content-Type, plain text where it says none, its Content-Disposition, and its content."""

    kind: str
    disposition: str | None
    content: bytes


@remembered
def media_type(content_type: str) -> str:
    """The type, or the disposition, without its parameters, in lower case."""
    return content_type.partition(";")[0].strip(" \t").lower()


def parts(content_type: str, body: bytes) -> list[Part]:
    """Every part, without what stands before the first and behind the last; empty for what is not multipart."""
    boundary = _boundary(content_type)
    if not boundary or not media_type(content_type).startswith("multipart/"):
        return []
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    found, begin = [], None
    for line in re.finditer(rb"(?:\A|\r?\n)--" + mark + rb"(--)?[ \t]*(?=\r?\n|\Z)", body):
        if begin is not None:
            found.append(body[begin : line.start()])
        begin = line.end()
        if line[1]:
            break
    else:
        # The last boundary was cut off.
        found += [] if begin is None else [body[begin:]]
    return [_part(piece) for piece in found if piece.strip()]


def _part(piece: bytes) -> Part:
    head, *content = _BLANK_LINE.split(piece, maxsplit=1)
    fields = {
        match[1].lower(): " ".join(match[2].decode("utf-8", "surrogateescape").split())
        for match in _FIELD.finditer(head)
    }
    return Part(
        fields.get(b"content-type", "text/plain"), fields.get(b"content-disposition"), content[0] if content else b""
    )


def _boundary(content_type: str) -> str | None:
    try:
        return Params.parse(content_type[len(content_type.partition(";")[0]) :]).get("boundary")
    except MessageError:
        return None
