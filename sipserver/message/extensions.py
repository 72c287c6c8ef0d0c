"""What a message says of extensions: option tags (RFC 3261 section 19.2), and the numbers of reliable provisional answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipserver.message.error import MessageError
from sipserver.message.grammar import TOKEN
from sipserver.message.message import Request, Response

RELIABLE = "100rel"
"""The option tag of reliable provisional answers (RFC 3262)."""

OUTBOUND = "outbound"
"""The option tag of connections that registrars keep to (RFC 5626)."""

_RACK = re.compile(rf"([0-9]{{1,10}})[ \t]++([0-9]{{1,10}})[ \t]++({TOKEN}++)")


def requires(message: Request | Response, tag: str) -> bool:
    """Whether Require names this option; option tags know no case."""
    return _names(message, "require", tag)


def supports(request: Request, tag: str) -> bool:
    """Whether Supported names this option, or Require does, which says no less."""
    return _names(request, "supported", tag) or _names(request, "require", tag)


def _names(message: Request | Response, header: str, tag: str) -> bool:
    values = message.headers.all(header)
    return bool(values) and any(value.lower() == tag for value in values)


@dataclass(frozen=True, slots=True)
class RAck:
    """Which answer a PRACK acknowledges: its RSeq, and CSeq number and method of what it answers (RFC 3262 section 7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> RAck:
        """Raises MessageError."""
        match = _RACK.fullmatch(text)
        if match is None:
            raise MessageError(f"This is no RAck: {text[:80]!r}.")
        return cls(int(match.group(1)), int(match.group(2)), match.group(3))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


def reliable_number(response: Response) -> int | None:
    """The RSeq of a provisional answer that wants a PRACK; None for all others (RFC 3262 section 4).

    One that requires 100rel and has no usable RSeq cannot be acknowledged, and is taken for a plain one.
    """
    if not 100 < response.status < 200 or not requires(response, RELIABLE):
        return None
    value = response.headers.get("rseq") or ""
    usable = value.isascii() and value.isdigit() and len(value) <= 10
    return int(value) if usable and 0 < int(value) < 2**32 else None
