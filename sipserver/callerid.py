"""Who calls, as an INVITE tells it: the number by policy, and what else it says of the caller, as variables of the call.

Sans-I/O. Everything here was written by somebody else: it is bounded in length and count, and control characters are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import unquote

from sipserver.message import MessageError, NameAddr, Request
from sipserver.numbers import ANONYMOUS, caller_number

MAX_VARIABLES = 20
"""Headers that become variables."""
MAX_VALUE = 512
"""Characters of a variable's value."""

_VERSTAT = re.compile(r";\s*verstat=([A-Za-z0-9-]{1,64})", re.IGNORECASE)
_NO_NAME = re.compile(r"[^a-z0-9]+")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def caller_of(invite: Request, policy: Literal["pai", "from"], region: str | None) -> str:
    """The caller's number, `anonymous` or `unknown`. `pai`: P-Asserted-Identity before From (RFC 3325); `from`: From alone."""
    return caller_number(invite, region, asserted=policy == "pai")


def caller_variables(invite: Request, caller: str, headers: Sequence[str]) -> dict[str, str]:
    """What the INVITE says of its caller besides the number, and the headers that the trunk lets through.

    `caller_id_raw` is the address as it stood, `caller_name` its display name, `caller_verstat` the carrier's verdict on it (ATIS-1000074),
    `diverted_from` who had been called first (RFC 5806, RFC 7044). A withheld identity gives none of the first two. A header
    `X-Foo-Bar` is the variable `x_foo_bar`.
    """
    found = dict(_of_headers(invite, headers))
    for name, value in _of_caller(invite, caller != ANONYMOUS):
        if value:
            found[name] = _clean(value)
    return found


def _of_headers(invite: Request, headers: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in headers[:MAX_VARIABLES]:
        values = [_readable(value) if name.lower() == "user-to-user" else value for value in invite.headers.all(name)]
        if values:
            yield _NO_NAME.sub("_", name.lower()).strip("_"), _clean(", ".join(values))


def _of_caller(invite: Request, shown: bool) -> Iterator[tuple[str, str | None]]:
    asserted = invite.headers.all("P-Asserted-Identity")
    told = [value for value in (*asserted, invite.headers.get("from")) if value]
    if shown and told:
        address = _address(told[0])
        yield "caller_id_raw", told[0] if address is None else address.uri
        yield "caller_name", None if address is None else address.display
    verdicts = [match[1] for value in told if (match := _VERSTAT.search(value)) is not None]
    yield "caller_verstat", verdicts[0] if verdicts else None
    for name in ("Diversion", "History-Info"):
        for value in invite.headers.all(name)[:1]:
            address = _address(value)
            yield "diverted_from", None if address is None else address.uri


def _readable(value: str) -> str:
    """The content of a User-to-User element (RFC 7433 section 4.1): its text where the octets are one, else as it stands."""
    content, *params = (part.strip() for part in value.split(";"))
    coded = any(param.replace(" ", "").lower() == "encoding=hex" for param in params)
    if not coded or _HEX.fullmatch(content) is None:
        return unquote(content.strip('"'))
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
