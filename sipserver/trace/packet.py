"""One SIP message as it went over the wire, and what its first lines say of it without its being parsed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sipserver.ladder import masked_uri
from sipserver.locate import Transport
from sipserver.numbers import masked
from sipserver.trace.masking import without_credentials

Address = tuple[str, int]

_START = re.compile(
    rb"[\r\n]*(?:([A-Za-z0-9.!%*_+`'~-]{1,40}) ([^ \r\n]{1,2000}) SIP/2\.0|SIP/2\.0 ([1-6][0-9]{2}) ?([^\r\n]{0,80}))\r"
)
_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\s]{1,256})", re.IGNORECASE)
_CSEQ = re.compile(rb"\r\ncseq[ \t]*:[ \t]*([0-9]{1,10}[ \t]+[A-Za-z0-9.!%*_+`'~-]{1,40})", re.IGNORECASE)


class Packet(NamedTuple):
    """A message that came in (`<`) or went out (`>`). `at` in µs since the epoch; addresses without brackets."""

    at: int
    direction: Literal["<", ">"]
    transport: Transport
    local: Address
    peer: Address
    data: bytes

    @property
    def ends(self) -> tuple[Address, Address]:
        """From where, and where to."""
        return (self.peer, self.local) if self.direction == "<" else (self.local, self.peer)


class Glance(NamedTuple):
    """What the first lines say. `method` or `status` is None; `call_id` and `cseq` are empty where they could not be found.

    `about` is the Request-URI or the reason; `head` the message's bytes and where its header lines begin and end.
    """

    method: str | None
    status: int | None
    call_id: str
    about: bytes
    head: tuple[bytes, int, int]

    @property
    def subject(self) -> str:
        """The Request-URI or the reason."""
        return _text(self.about)

    @property
    def cseq(self) -> str:
        """`1 INVITE`."""
        return " ".join(_value(*self.head, b"\r\nCSeq:", _CSEQ).split())

    @property
    def kind(self) -> str:
        """`INVITE`, or `180`."""
        return self.method or str(self.status)

    @property
    def summary(self) -> str:
        """`INVITE sip:+12*******23@198.51.100.7` or `180 Ringing`."""
        return f"{self.method} {masked_uri(self.subject)}" if self.method else f"{self.status} {masked(self.subject)}"


def glance(data: bytes) -> Glance | None:
    """What the first lines say; None for what does not begin as SIP does."""
    start = _START.match(data)
    if start is None:
        return None
    method, uri, status, reason = start.groups()
    begin, end = start.end() - 1, data.find(b"\r\n\r\n")
    if end < 0:
        end = len(data)
    call_id = _value(data, begin, end, b"\r\nCall-ID:", _CALL_ID)
    about = uri or reason or b""
    return Glance(
        _text(method) if method else None, int(status) if status else None, call_id, about, (data, begin, end)
    )


def _value(data: bytes, begin: int, end: int, usual: bytes, pattern: re.Pattern[bytes]) -> str:
    """A header's value; as nearly everybody spells the name it is found at once, and otherwise searched for."""
    found = pattern.match(data, at, end) if (at := data.find(usual, begin, end)) >= 0 else None
    found = found or pattern.search(data, begin, end)
    return _text(found[1]) if found else ""


def shown(packet: Packet) -> dict[str, Any]:
    """A packet as the API shows it: without credentials, the text as UTF-8 as far as it is."""
    seen = glance(packet.data)
    return {
        "at": datetime.fromtimestamp(packet.at / 1_000_000, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z"),
        "direction": packet.direction,
        "transport": packet.transport,
        "local": written(packet.local),
        "peer": written(packet.peer),
        "summary": seen.summary if seen else "?",
        "cseq": seen.cseq if seen else "",
        "message": without_credentials(packet.data).decode("utf-8", "replace"),
    }


def written(address: Address) -> str:
    """`192.0.2.1:5060` or `[2001:db8::1]:5060`."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
