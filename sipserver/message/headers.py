"""The header fields of a message: ordered lines, looked up by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipserver.message.error import MessageError
from sipserver.message.grammar import is_token, one_line, split_list

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""The one-letter names of the IANA registry."""

_LIST_NAMES = """
    accept accept-contact accept-encoding accept-language alert-info allow allow-events call-info contact content-encoding
    content-language diversion error-info feature-caps geolocation history-info in-reply-to p-access-network-info
    p-asserted-identity p-associated-uri p-called-party-id p-early-media p-preferred-identity p-visited-network-id path
    proxy-require reason record-route reject-contact request-disposition require resource-priority route security-client
    security-server security-verify service-route supported unsupported user-to-user via warning
    """
LISTS = frozenset(_LIST_NAMES.split())
"""Header fields whose value is a comma list. All others, and unknown ones, are opaque lines."""

_SPELLINGS = """
    Via From To Call-ID CSeq Contact Max-Forwards Route Record-Route Content-Type Content-Length Allow Supported Require
    Proxy-Require Unsupported Accept Expires User-Agent Server Session-Expires Min-SE P-Asserted-Identity
    P-Preferred-Identity Privacy Diversion Subject Date Timestamp Organization Reason Refer-To Referred-By Event
    Subscription-State Authorization Proxy-Authorization WWW-Authenticate Proxy-Authenticate Accept-Encoding
    Accept-Language Content-Disposition MIME-Version Warning Retry-After Allow-Events RSeq RAck User-to-User
    """
KEYS = {name: spelling.lower() for spelling in _SPELLINGS.split() for name in (spelling, spelling.lower())} | COMPACT
"""Keys of the names as they are mostly written, and as we look them up; `key_of` knows the rest."""

_VIEWS = {"via": ("via", "vias"), "contact": ("contacts",)}
"""The typed views of a message that are not called like the key of their header."""


def key_of(name: str) -> str:
    """The name by which a header field is looked up: lower case, compact forms spelled out."""
    key = KEYS.get(name)
    if key is None:
        key = name.lower()
        key = COMPACT.get(key, key)
    return key


class Headers:
    """Header fields in their order, names as written. Lookups ignore case and know the compact forms.

    `views` holds the typed views of a message (`Request.via` and so on) until their header changes: by the header's key, or by one
    of `_VIEWS`.
    """

    __slots__ = ("_index", "_lines", "views")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[tuple[str, str]] = []
        self._index: dict[str, list[str]] = {}
        self.views: dict[str, Any] = {}
        for name, value in items:
            self.add(name, value)

    @classmethod
    def of_lines(cls, lines: list[tuple[str, str]], index: dict[str, list[str]]) -> Headers:
        """From what the parser found: `index` holds the values of `lines` by key. Nothing is checked."""
        headers = cls.__new__(cls)
        headers._lines, headers._index, headers.views = lines, index, {}
        return headers

    @classmethod
    def copied(cls, other: Headers, names: Iterable[tuple[str, str]], to_tag: str | None = None) -> Headers:
        """All lines of these (name, key) that another message has, byte-exact: what is in headers has been checked.

        `to_tag`: a parameter that the first To gets, which then is the only one. Raises MessageError for line breaks in it.
        """
        lines: list[tuple[str, str]] = []
        index: dict[str, list[str]] = {}
        theirs = other._index
        for name, key in names:
            values = theirs.get(key)
            if not values:
                continue
            if to_tag is not None and key == "to":
                values = [one_line(f"{values[0]};tag={to_tag}")]
            index[key] = values.copy()
            if len(values) == 1:
                lines.append((name, values[0]))
            else:
                lines += [(name, value) for value in values]
        return cls.of_lines(lines, index)

    def get(self, name: str) -> str | None:
        """The value of the first line of this name, a comma list unsplit; None where there is none."""
        values = self._index.get(KEYS.get(name) or key_of(name))
        return values[0] if values else None

    def first(self, key: str) -> str | None:
        """As `get`, for who has the name in lower case and spelled out."""
        values = self._index.get(key)
        return values[0] if values else None

    def wire(self) -> list[str]:
        """The lines as they are written, without line ends."""
        return [f"{name}: {value}" for name, value in self._lines]

    def lines(self, name: str) -> list[str]:
        """The values of all lines of this name, comma lists unsplit."""
        return list(self._index.get(key_of(name), ()))

    def all(self, name: str) -> list[str]:
        """Every element of every line for comma-list headers, every line for the others. Values are byte-exact."""
        key = KEYS.get(name) or key_of(name)
        values = self._index.get(key)
        if values is None:
            return []
        return [element for value in values for element in split_list(value)] if key in LISTS else list(values)

    def add(self, name: str, value: str) -> None:
        """Append a line. Raises MessageError for a name that is no token and for line breaks in the value."""
        line = _line(name, value)
        key = key_of(name)
        self._lines.append(line)
        self._index.setdefault(key, []).append(line[1])
        if self.views:
            self._changed(key)

    def count(self, name: str) -> int:
        """How many lines of this name there are."""
        return len(self._index.get(key_of(name), ()))

    def repeated(self, keys: Iterable[str]) -> str | None:
        """The first of these keys (lower case, no compact forms) that has more than one line; None where none has."""
        index = self._index
        if len(index) == len(self._lines):
            return None
        return next((key for key in keys if len(index.get(key, ())) > 1), None)

    def insert(self, name: str, value: str) -> None:
        """Put a line before the first of its name, or before all others: how a Via is pushed."""
        line, key = _line(name, value), key_of(name)
        at = next((i for i, (old, _) in enumerate(self._lines) if key_of(old) == key), 0)
        self._lines.insert(at, line)
        self._index.setdefault(key, []).insert(0, line[1])
        self._changed(key)

    def set(self, name: str, value: str) -> None:
        """Make this the only line of its name, in the place of the first, else at the end."""
        line, key = _line(name, value), key_of(name)
        if key not in self._index:
            self.add(name, value)
            return
        at = next(i for i, (old, _) in enumerate(self._lines) if key_of(old) == key)
        self._lines = [
            line if i == at else old for i, old in enumerate(self._lines) if i == at or key_of(old[0]) != key
        ]
        self._index[key] = [line[1]]
        self._changed(key)

    def replace(self, name: str, values: list[str]) -> None:
        """Give the lines of this name new values, one each and in their places."""
        key = key_of(name)
        places = [i for i, (old, _) in enumerate(self._lines) if key_of(old) == key]
        for i, value in zip(places, values, strict=True):
            self._lines[i] = _line(self._lines[i][0], value)
        self._index[key] = [self._lines[i][1] for i in places]
        self._changed(key)

    def remove(self, name: str) -> None:
        """Drop every line of this name."""
        key = key_of(name)
        if self._index.pop(key, None) is not None:
            self._lines = [line for line in self._lines if key_of(line[0]) != key]
            self._changed(key)

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers.of_lines(list(self._lines), {key: list(values) for key, values in self._index.items()})

    def items(self) -> list[tuple[str, str]]:
        """Names as written and values, line by line."""
        return list(self._lines)

    def __contains__(self, name: str) -> bool:
        return (KEYS.get(name) or key_of(name)) in self._index

    def __len__(self) -> int:
        return len(self._lines)

    def __eq__(self, other: object) -> bool:
        """The same fields in the same order; Content-Length does not count, for the body has one."""
        return isinstance(other, Headers) and self._comparable() == other._comparable()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self._lines!r})"

    def _changed(self, key: str) -> None:
        for name in _VIEWS.get(key, (key,)):
            self.views.pop(name, None)

    def _comparable(self) -> list[tuple[str, str]]:
        keyed = [(key_of(name), value) for name, value in self._lines]
        return [line for line in keyed if line[0] != "content-length"]


def _line(name: str, value: str) -> tuple[str, str]:
    if name not in KEYS and not is_token(name):
        raise MessageError(f"{name[:80]!r} cannot be the name of a header.", 0)
    return name, one_line(value).strip(" \t")
