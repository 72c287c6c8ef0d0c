"""Parameters: the `;name=value` tail of headers and URIs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sipserver.message.error import MessageError
from sipserver.message.grammar import PLAIN, QUOTED, TOKEN, quote, unquote

MAX_PARAMS = 64
"""Semicolons in the parameters of one header; thousands of them would cost milliseconds."""

_VALUE = rf"(?:{QUOTED}|{PLAIN}*+)"
_PARAM = rf";[ \t]*+({TOKEN}++)[ \t]*+(?:(=)[ \t]*+({_VALUE})[ \t]*+)?+"
_ONE = re.compile(_PARAM, re.DOTALL)
_ALL = re.compile(rf"[ \t]*+(?:{_PARAM})*+;?[ \t]*+", re.DOTALL)
_PLAIN = re.compile(f"{PLAIN}*+")
_NAME = re.compile(r"[^\x00-\x20\x7f\";,<>=?]++")


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters in their order, as they stand on the wire; a flag such as `lr` has the value None.

    Names are case-insensitive. Of a name that comes twice the first counts.
    """

    pairs: tuple[tuple[str, str | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Params:
        """From `;name=value;flag`, white space allowed around `;` and `=` (RFC 3261 section 7.3.1). Raises MessageError.

        One `;` at the end is forgiven, empty parameters between two of them are not.
        """
        if not text:
            return NO_PARAMS
        if text.count(";") > MAX_PARAMS or _ALL.fullmatch(text) is None:
            raise MessageError(f"These are no parameters: {text[:80]!r}.")
        return cls(tuple([(name, value if equals else None) for name, equals, value in _ONE.findall(text)]))

    def get(self, name: str) -> str | None:
        """The value without its quotes; None for a flag, and where there is no such parameter."""
        for key, value in self.pairs:
            if key == name or key.lower() == name:
                return value if value is None or value[:1] != '"' else unquote(value)
        return None

    def __contains__(self, name: str) -> bool:
        for key, _ in self.pairs:  # noqa: SIM110  # a generator costs as much again, many times for each message
            if key == name or key.lower() == name:
                return True
        return False

    def __iter__(self) -> Iterator[str]:
        return (key.lower() for key, _ in self.pairs)

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def with_value(self, name: str, value: str | None = None) -> Params:
        """The same with this parameter set: in its place if it was there, else at the end. Quoted where it must be."""
        raw = value if value is None or (value and _PLAIN.fullmatch(value)) else quote(value)
        if name in self:
            return Params(tuple((key, raw if key.lower() == name else old) for key, old in self.pairs))
        return Params((*self.pairs, (name, raw)))

    def without(self, name: str) -> Params:
        """The same without this parameter."""
        return Params(tuple(pair for pair in self.pairs if pair[0].lower() != name))

    def __str__(self) -> str:
        """As on the wire, with the leading `;`. Raises MessageError for what would break out of its parameter."""
        return "".join(
            f";{_name(key)}" if value is None else f";{_name(key)}={_value(value)}" for key, value in self.pairs
        )


NO_PARAMS = Params()


def _name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise MessageError(f"{name[:80]!r} cannot be a parameter's name.", 0)
    return name


def _value(value: str) -> str:
    if _PLAIN.fullmatch(value) is None and re.fullmatch(QUOTED, value, re.DOTALL) is None:
        raise MessageError(f"{value[:80]!r} cannot be a parameter's value.", 0)
    return value
