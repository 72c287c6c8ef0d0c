"""Requests and responses. What their headers mean is read on demand, once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sipserver.message.error import MessageError
from sipserver.message.fields import CSeq, NameAddr, Via
from sipserver.message.grammar import is_token, one_line, split_list
from sipserver.message.headers import Headers

F = TypeVar("F")

_URI = re.compile(r"[^\x00-\x20\x7f<>\"]++")


class _Views:
    """The typed headers that requests and responses share. Each raises MessageError (400) where it is missing or malformed."""

    __slots__ = ()

    headers: Headers

    @property
    def vias(self) -> list[Via]:
        """All hops, the topmost first."""
        found: list[Via] | None = self.headers.views.get("vias")
        if found is None:
            values = self.headers.all("via")
            # The topmost has mostly been read by itself before.
            found = [self.via, *map(Via.parse, values[1:])] if values else []
            self.headers.views["vias"] = found
        return found

    @property
    def via(self) -> Via:
        """The topmost hop: who sent this, or, in a response, we."""
        found: Via | None = self.headers.views.get("via")
        return self._field("via", _topmost) if found is None else found

    @property
    def from_(self) -> NameAddr:
        """Who made the request."""
        found: NameAddr | None = self.headers.views.get("from")
        return self._field("from", NameAddr.parse) if found is None else found

    @property
    def to(self) -> NameAddr:
        """Who it is for."""
        found: NameAddr | None = self.headers.views.get("to")
        return self._field("to", NameAddr.parse) if found is None else found

    @property
    def call_id(self) -> str:
        """The Call-ID, byte-exact."""
        found: str | None = self.headers.views.get("call-id")
        return self._field("call-id", str) if found is None else found

    @property
    def cseq(self) -> CSeq:
        """The CSeq."""
        found: CSeq | None = self.headers.views.get("cseq")
        return self._field("cseq", CSeq.parse) if found is None else found

    @property
    def contacts(self) -> list[NameAddr]:
        """The Contacts; empty where there are none."""
        found: list[NameAddr] | None = self.headers.views.get("contacts")
        if found is None:
            found = self.headers.views["contacts"] = [NameAddr.parse(value) for value in self.headers.all("contact")]
        return found

    @property
    def routes(self) -> list[str]:
        """The Route set, each value byte-exact."""
        return self.headers.all("route")

    @property
    def record_routes(self) -> list[str]:
        """The Record-Route set, topmost first, each value byte-exact."""
        return self.headers.all("record-route")

    def _field(self, key: str, parse: Callable[[str], F]) -> F:
        found = self.headers.views[key] = parse(self._only(key))
        return found

    def _only(self, key: str) -> str:
        value = self.headers.first(key)
        if not value:
            raise MessageError(f"There is no {key} header.")
        return value


@dataclass(slots=True)
class Request(_Views):
    """A request. `uri` is the Request-URI as on the wire; `bytes(request)` is the wire form, Content-Length added."""

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def __bytes__(self) -> bytes:
        if not is_token(self.method) or _URI.fullmatch(self.uri) is None:
            raise MessageError(f"{self.method[:80]!r} {self.uri[:80]!r} cannot be a request line.", 0)
        return _wire(f"{self.method} {self.uri} SIP/2.0", self.headers, self.body)


@dataclass(slots=True)
class Response(_Views):
    """A response. `bytes(response)` is the wire form, Content-Length added."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def __bytes__(self) -> bytes:
        if not 100 <= self.status <= 699:
            raise MessageError(f"There is no status {self.status}.", 0)
        return _wire(f"SIP/2.0 {self.status} {one_line(self.reason)}", self.headers, self.body)


def _topmost(value: str) -> Via:
    return Via.parse(split_list(value)[0])


def _wire(start: str, headers: Headers, body: bytes) -> bytes:
    if "content-length" in headers:
        headers = headers.copy()
        headers.remove("Content-Length")
    lines = [start, *headers.wire(), f"Content-Length: {len(body)}\r\n\r\n"]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body
