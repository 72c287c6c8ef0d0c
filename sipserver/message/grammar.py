"""Tokens, quoted strings and comma lists: the pieces of RFC 3261 section 25 that every header shares.

Every regex here is linear in what it reads: the repetitions are possessive, and an opening quote or bracket without its
end is taken to the end of the text, where the caller's grammar then refuses it.
"""

from __future__ import annotations

import re

from sipserver.message.error import MessageError

WSP = " \t"
"""White space inside a header, once folded lines are joined."""

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]"
"""One character of a token (RFC 3261 section 25.1)."""

PLAIN = r"[^\x00-\x20\x7f\";,<>]"
"""One character of an unquoted parameter value: wider than the grammar's, but nothing that ends a value elsewhere."""

SIP = "[Ss][Ii][Pp]"
"""Spelled out, for IGNORECASE makes every character class slow."""

QUOTED = r'"(?:[^"\\]++|\\.)*+"'
"""A quoted string with its quotes. Any character but CR and LF may follow the backslash."""

HOST = r"(?:\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9_][A-Za-z0-9._\-]*+)"
"""hostname, IPv4address or IPv6reference; underscores are seen in the wild."""

_TOKEN = re.compile(f"{TOKEN}++")
_ELEMENT = re.compile(r'(?:[^,"<]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|<[^<>]*+>?)*+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'["\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')


def is_token(text: str) -> bool:
    """Whether the whole text is one token."""
    return _TOKEN.fullmatch(text) is not None


def one_line(text: str) -> str:
    """The text, which must not hold CR or LF: a header cannot be smuggled in by a value."""
    if "\r" in text or "\n" in text:
        raise MessageError("A line break cannot be part of what is sent.", 0)
    return text


def quote(text: str) -> str:
    """The text as a quoted string."""
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", one_line(text)) + '"'


def unquote(text: str) -> str:
    """The text of a quoted string, or the text itself if it is not quoted."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


def split_list(value: str) -> list[str]:
    """The elements of a comma list. Commas within quotes and angle brackets do not count (RFC 3261 section 7.3.1)."""
    if "," not in value:
        return [value] if value else []
    if '"' not in value and "<" not in value:
        return [element.strip(WSP) for element in value.split(",")]
    elements, at = [], 0
    while at <= len(value):
        match = _ELEMENT.match(value, at)
        end = match.end() if match else at
        elements.append(value[at:end].strip(WSP))
        at = end + 1
    return elements
