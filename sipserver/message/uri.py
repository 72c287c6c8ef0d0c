"""SIP URIs (RFC 3261 section 19.1) and the user that a URI of any scheme names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote as percent_quote
from urllib.parse import unquote as percent_unquote

from sipserver.message.error import MessageError
from sipserver.message.grammar import HOST, SIP
from sipserver.message.params import NO_PARAMS, Params
from sipserver.message.remembered import remembered

_BAD = r"\x00-\x20\x7f<>\""
_URI = re.compile(
    rf"({SIP}[Ss]?):(?:([^@:{_BAD}]++)(?::([^@{_BAD}]*+))?@)?({HOST})(?::([0-9]{{1,5}}))?(;[^?{_BAD}]*+)?(?:\?([^{_BAD}]*+))?"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):[^\x00-\x20\x7f<>\"]++")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"\+?[().\-]*+[0-9*#][0-9*#().\-]*+")
_SEPARATORS = str.maketrans("", "", "-.()")
_RESERVED = ";/?:@&=+$,"
_USER_SAFE = "-_.!~*'()&=+$,"
_ONE_SIDED = ("user", "ttl", "method", "maddr", "transport")


@dataclass(frozen=True, slots=True)
class SipUri:
    """A sip: or sips: URI; every part as it stands on the wire, that is with its escapes.

    `headers` holds what follows the `?`. `host` is lower case, an IPv6 address keeps its brackets.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    params: Params = NO_PARAMS
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Raises MessageError for anything that is not a sip: or sips: URI."""
        return _read(text)

    def __str__(self) -> str:
        password = "" if self.password is None else f":{self.password}"
        user = "" if self.user is None else f"{self.user}{password}@"
        port = "" if self.port is None else f":{self.port}"
        headers = "?" + "&".join(f"{name}={value}" for name, value in self.headers) if self.headers else ""
        text = f"{self.scheme}:{user}{self.host}{port}{self.params}{headers}"
        if _URI.fullmatch(text) is None:
            raise MessageError(f"{text[:80]!r} is not a SIP URI.", 0)
        return text

    @property
    def is_loose_router(self) -> bool:
        """Whether the URI carries `lr`, with whatever value: `lr=on` and `lr=true` are seen (RFC 3261 section 19.1.1)."""
        return "lr" in self.params

    def equivalent(self, other: SipUri) -> bool:
        """RFC 3261 section 19.1.4. It is not transitive, and so it is not `==`."""
        return (
            self.scheme == other.scheme
            and _normal(self.user) == _normal(other.user)
            and _normal(self.password) == _normal(other.password)
            and (self.host.lower(), self.port) == (other.host.lower(), other.port)
            and _same_params(self.params, other.params)
            and _header_set(self.headers) == _header_set(other.headers)
        )


@remembered
def _read(text: str) -> SipUri:
    match = _URI.fullmatch(text)
    if match is None:
        raise MessageError(f"{text[:80]!r} is not a SIP URI.")
    scheme, user, password, host, port, params, headers = match.groups()
    if port is not None and int(port) > 65535:
        raise MessageError(f"There is no port {port}.")
    return SipUri(
        scheme=scheme.lower(),
        user=user,
        password=password,
        host=host.lower(),
        port=None if port is None else int(port),
        params=_params(params) if params else NO_PARAMS,
        headers=_headers(headers) if headers else (),
    )


@remembered
def scheme_of(uri: str) -> str:
    """The scheme in lower case. Raises MessageError for what is no absolute URI."""
    match = _SCHEME.fullmatch(uri)
    if match is None:
        raise MessageError(f"{uri[:80]!r} is not a URI.")
    return match.group(1).lower()


def user_of(uri: str) -> str | None:
    """The user, or the telephone number, that a sip:, sips: or tel: URI names; None where it names none.

    Escapes are undone. A number loses its visual separators and its parameters (RFC 3966 section 5.1.1, RFC 3261 section
    19.1.6). Raises MessageError.
    """
    if scheme_of(uri) == "tel":
        return _number(percent_unquote(uri[4:]))
    user = SipUri.parse(uri).user
    return None if user is None else _number(percent_unquote(user))


def escape_user(text: str) -> str:
    """Any text as the user part of a SIP URI."""
    return percent_quote(text, safe=_USER_SAFE)


def _number(user: str) -> str:
    number = user.partition(";")[0]
    return number.translate(_SEPARATORS) if _NUMBER.fullmatch(number) else user


def _params(text: str) -> Params:
    pairs = []
    for piece in text[1:].split(";"):
        name, equals, value = piece.partition("=")
        if not name:
            raise MessageError("A URI has an empty parameter.")
        pairs.append((name, value if equals else None))
    return Params(tuple(pairs))


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for piece in text.split("&"):
        name, equals, value = piece.partition("=")
        if not name or not equals:
            raise MessageError("A URI has a header without name or value.")
        pairs.append((name, value))
    return tuple(pairs)


def _normal(text: str | None) -> str | None:
    """Escapes undone except those of reserved characters, which differ from the characters themselves (RFC 2396)."""
    return None if text is None else _ESCAPE.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match.group(1), 16))
    return match.group(0).upper() if character in _RESERVED or character > "\x7f" else character


def _same_params(left: Params, right: Params) -> bool:
    if any((name in left) != (name in right) for name in _ONE_SIDED):
        return False
    return all(_folded(left, name) == _folded(right, name) for name in left if name in right)


def _folded(params: Params, name: str) -> str | None:
    value = _normal(params.get(name))
    return None if value is None else value.lower()


def _header_set(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str | None]]:
    return sorted(((name.lower(), _normal(value)) for name, value in headers), key=str)
