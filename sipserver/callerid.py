"""Who calls, as an INVITE tells it: the number by policy, and what else it says of the caller, as variables of the call.

Sans-I/O. Everything here was written by somebody else: it is bounded in length and count, and control characters are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import unquote as unescaped

from sipserver.message import MessageError, NameAddr, Request
from sipserver.message.grammar import QUOTED, unquote
from sipserver.numbers import ANONYMOUS, asserted_identity, caller_number

Policy = Literal["pai", "from"]
"""Where the caller is read: in P-Asserted-Identity before From (RFC 3325), or in From alone."""

MAX_VARIABLES = 20
"""Headers that become variables."""
MAX_VALUE = 512
"""Characters of a variable's value."""

_VERSTAT = re.compile(r";\s*verstat=([A-Za-z0-9-]{1,64})", re.IGNORECASE)
_NO_NAME = re.compile(r"[^a-z0-9]+")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_USER_DATA = re.compile(rf"[ \t]*+({QUOTED}|[^;]*+)(.*)", re.DOTALL)
_IN_HEX = re.compile(r';[ \t]*+encoding[ \t]*+=[ \t]*+"?hex"?[ \t]*+(?:;|\Z)', re.IGNORECASE)


def caller_of(invite: Request, policy: Policy, region: str | None) -> str:
    """The caller's number, `anonymous` or `unknown`."""
    return caller_number(invite, region, asserted=policy == "pai")


def caller_variables(
    invite: Request, caller: str, policy: Policy, region: str | None, headers: Sequence[str]
) -> dict[str, str]:
    """What the INVITE says of its caller besides the number, and the headers that the trunk lets through.

    `caller_id_raw` is the address that the number was read from, as it stood, `caller_name` its display name, `caller_verstat` the
    carrier's verdict on it (ATIS-1000074), `diverted_from` who had been called first (RFC 5806, RFC 7044). A withheld identity
    gives none of the first two. A header `X-Foo-Bar` is the variable `x_foo_bar`.
    """
    found = dict(_of_headers(invite, headers))
    told = asserted_identity(invite, region) if policy == "pai" else None
    for name, value in _of_caller(invite, told, caller != ANONYMOUS):
        if value:
            found[name] = _clean(value)
    return found


def _of_headers(invite: Request, headers: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in headers[:MAX_VARIABLES]:
        values = [_readable(value) if name.lower() == "user-to-user" else value for value in invite.headers.all(name)]
        if values:
            yield _NO_NAME.sub("_", name.lower()).strip("_"), _clean(", ".join(values))


def _of_caller(invite: Request, asserted: NameAddr | None, shown: bool) -> Iterator[tuple[str, str | None]]:
    told = [asserted, invite.from_] if asserted is not None else [invite.from_]
    if shown:
        yield "caller_id_raw", told[0].uri
        yield "caller_name", told[0].display
    yield "caller_verstat", next(filter(None, map(_verdict, told)), None)
    for name in ("Diversion", "History-Info"):
        for value in invite.headers.all(name)[:1]:
            address = _address(value)
            yield "diverted_from", None if address is None else address.uri


def _verdict(address: NameAddr) -> str | None:
    """`verstat` of the URI or beside it. The display name is the caller's own, whatever it looks like."""
    match = _VERSTAT.search(f"{address.uri}{address.params}")
    return None if match is None else match[1]


def _readable(value: str) -> str:
    """The content of a User-to-User element (RFC 7433 section 4.1): its text where the octets are one, else as it stands."""
    match = _USER_DATA.match(value)
    written, params = match.groups() if match is not None else (value, "")
    content = unquote(written.strip())
    if _IN_HEX.search(params) is None or _HEX.fullmatch(content) is None:
        return unescaped(content)
    try:
        text = bytes.fromhex(content).decode("utf-8")
    except UnicodeDecodeError:
        return content
    return text if text.isprintable() else content


def _address(value: str) -> NameAddr | None:
    try:
        return NameAddr.parse(value)
    except MessageError:
        return None


def _clean(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:MAX_VALUE]
