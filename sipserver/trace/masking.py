"""What nobody may read in a trace: credentials, media keys, the digits that a caller types. Stars of the same length stand for
them, so that lengths, offsets and Content-Length stay true.

What is not known to be harmless is masked: of an Authorization only the parameters that tell why a login failed remain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CREDENTIALS = re.compile(
    rb"^(?:(?:proxy-)?authorization|(?:proxy-)?authentication-info)[ \t]*:((?:[^\r\n]|\r?\n[ \t]|\r(?!\n))*)",
    re.IGNORECASE | re.MULTILINE,
)
_HARMLESS = re.compile(
    rb"(?:^|(?<=,)|(?<=[ \t]))"
    rb"(?:digest(?=[ \t])|(?:response|cnonce|opaque|nextnonce|rspauth)[ \t]*=[ \t]*|"
    rb"(?:username|realm|uri|algorithm|qop|nc|nonce)[ \t]*=[ \t]*"
    rb'(?:"[^"\\\r\n]*"|[A-Za-z0-9-]+)(?=[ \t\r\n,]|$))',
    re.IGNORECASE,
)
_KEYS = re.compile(rb"^(?:a=crypto:|a=key-mgmt:|k=)([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_SUITE = re.compile(rb"[0-9]{1,9} [A-Za-z0-9_]+ inline:")
_PASSWORD = re.compile(rb"sips?:[^\s:@<>;?,\"]+:([^\s:@<>?,\"]+)@", re.IGNORECASE)
_DIGITS = re.compile(
    rb"^(?:content-type|c)[ \t]*:[ \t]*application/(?:dtmf|vnd\.nortelnetworks\.digits|kpml-response)",
    re.IGNORECASE | re.MULTILINE,
)
_DIGIT = re.compile(rb"[0-9*#A-D]")
_QUOTED_LOGIN = re.compile(rb"(?:proxy-)?authorization=([^&>\s\r\n]*)", re.IGNORECASE)
_HINTS = re.compile(
    rb"authori[sz]ation|authentication-info|a=crypto|a=key-mgmt|\nk=|application/|sips?:[^\s@<>]*:", re.IGNORECASE
)


def without_credentials(message: bytes) -> bytes:
    """The message with stars; as long as it was."""
    if _HINTS.search(message) is None:
        return message
    starred = bytearray(message)
    for begin, end in _secret_spans(message):
        starred[begin:end] = b"*" * (end - begin)
    return bytes(starred)


def _secret_spans(message: bytes) -> Iterator[tuple[int, int]]:
    for found in _CREDENTIALS.finditer(message):
        yield from _beside_the_harmless(message, *found.span(1))
    for found in _KEYS.finditer(message):
        suite = _SUITE.match(found[1])
        yield (found.start(1) + (suite.end() if suite else 0), found.end(1))
    for pattern in (_PASSWORD, _QUOTED_LOGIN):
        for found in pattern.finditer(message):
            yield found.span(1)
    yield from _typed_digits(message)


def _beside_the_harmless(message: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Everything of a header's value but what is known to be harmless, and the blanks and line ends between."""
    at = begin
    for found in _HARMLESS.finditer(message, begin, end):
        yield from _words(message, at, found.start())
        at = found.end()
    yield from _words(message, at, end)


def _words(message: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    for found in re.finditer(rb"[^\s,]+", message[begin:end]):
        yield begin + found.start(), begin + found.end()


def _typed_digits(message: bytes) -> Iterator[tuple[int, int]]:
    head, blank, _ = message.partition(b"\r\n\r\n")
    if not blank or _DIGITS.search(head) is None:
        return
    for found in _DIGIT.finditer(message, len(head) + len(blank)):
        yield found.span()
