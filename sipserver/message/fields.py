"""Typed header fields: Via, CSeq, and the name-addr of From, To, Contact and their kin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipserver.message.error import MessageError
from sipserver.message.grammar import HOST, QUOTED, SIP, TOKEN, WSP, is_token, quote, unquote
from sipserver.message.params import NO_PARAMS, Params
from sipserver.message.remembered import remembered

_VIA = re.compile(
    rf"{SIP}[ \t]*+/[ \t]*+[0-9.]++[ \t]*+/[ \t]*+({TOKEN}++)[ \t]++({HOST})[ \t]*+(?::[ \t]*+([0-9]{{1,5}})[ \t]*+)?(;.*+)?",
    re.DOTALL,
)
_URI = r"[A-Za-z][A-Za-z0-9+.\-]*+:"
_NAME_ADDR = re.compile(
    rf"(?:({QUOTED})|([^\"<>,;]*+))[ \t]*+<({_URI}[^\x00-\x20\x7f<>\"]++)>[ \t]*+(;.*+)?", re.DOTALL
)
_ADDR_SPEC = re.compile(rf"({_URI}[^\x00-\x20\x7f<>\",;?]++|\*)[ \t]*+(;.*+)?", re.DOTALL)
_CSEQ = re.compile(rf"([0-9]{{1,32}})[ \t]++({TOKEN}++)")
_COOKIE = "z9hg4bk"
_WRITABLE = re.compile(r"[^\x00-\x20\x7f<>\"]++")


@dataclass(frozen=True, slots=True)
class NameAddr:
    """`"display" <uri>;params`, or a bare URI whose parameters belong to the header (RFC 3261 section 20.10).

    `display` is without its quotes, None where there is none; `uri` as on the wire, `*` for `Contact: *`.
    """

    display: str | None
    uri: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Raises MessageError."""
        return _read_address(text)

    def __str__(self) -> str:
        if _WRITABLE.fullmatch(self.uri) is None:
            raise MessageError(f"{self.uri[:80]!r} cannot be written as a URI.", 0)
        if self.uri == "*":
            return f"*{self.params}"
        display = "" if self.display is None else f"{quote(self.display)} "
        return f"{display}<{self.uri}>{self.params}"

    @property
    def tag(self) -> str | None:
        """The tag parameter."""
        return self.params.get("tag")

    def with_tag(self, tag: str) -> NameAddr:
        """The same with this tag."""
        return NameAddr(self.display, self.uri, self.params.with_value("tag", tag))


@remembered
def _read_address(text: str) -> NameAddr:
    match = _NAME_ADDR.fullmatch(text)
    if match is not None:
        quoted, plain, uri, params = match.groups()
        display = unquote(quoted) if quoted is not None else plain.strip(WSP) or None
        return NameAddr(display, uri, Params.parse(params or ""))
    match = _ADDR_SPEC.fullmatch(text)
    if match is None:
        raise MessageError(f"This is no address: {text[:80]!r}.")
    return NameAddr(None, match.group(1), Params.parse(match.group(2) or ""))


@dataclass(frozen=True, slots=True)
class Via:
    """One hop (RFC 3261 section 20.42). `transport` in upper case; an IPv6 `host` keeps its brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> Via:
        """Raises MessageError. Any protocol version is read, for a 505 must find its way back."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise MessageError(f"This is no Via: {text[:80]!r}.")
        transport, host, port, params = match.groups()
        return cls(transport.upper(), host, None if port is None else int(port), Params.parse(params or ""))

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        text = f"SIP/2.0/{self.transport} {self.host}{port}"
        if _VIA.fullmatch(text) is None:
            raise MessageError(f"{text[:80]!r} cannot be written as a Via.", 0)
        return f"{text}{self.params}"

    @property
    def branch(self) -> str | None:
        """The branch parameter as it stands."""
        return self.params.get("branch")

    @property
    def transaction_branch(self) -> str | None:
        """The branch where it identifies a transaction: the cookie and more (RFC 3261 section 8.1.1.7).

        None with peers of RFC 2543, and for the bare cookie, which many transactions would share.
        """
        branch = self.branch
        return branch if branch is not None and branch[:7].lower() == _COOKIE and len(branch) > len(_COOKIE) else None

    @property
    def received(self) -> str | None:
        """Where the request really came from, as its receiver saw it."""
        return self.params.get("received")

    @property
    def rport(self) -> int | None:
        """The port it came from (RFC 3581); None also for a bare `rport`, which is `"rport" in via.params`."""
        value = self.params.get("rport")
        return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) <= 5 else None


@dataclass(frozen=True, slots=True)
class CSeq:
    """A request's number within its dialog, and its method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Raises MessageError, also for numbers of 2**32 and more (RFC 3261 section 20.16)."""
        return _read_cseq(text)

    def __str__(self) -> str:
        if not is_token(self.method) or not 0 <= self.number < 2**32:
            raise MessageError("This CSeq cannot be written.", 0)
        return f"{self.number} {self.method}"


@remembered
def _read_cseq(text: str) -> CSeq:
    match = _CSEQ.fullmatch(text)
    if match is None or int(match.group(1)) >= 2**32:
        raise MessageError(f"This is no CSeq: {text[:80]!r}.")
    return CSeq(int(match.group(1)), match.group(2))
