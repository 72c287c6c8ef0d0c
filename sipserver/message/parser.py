"""From bytes to a Request or a Response: start line, header lines, body. What headers mean is read later."""

from __future__ import annotations

import re

from sipserver.message.error import MessageError
from sipserver.message.grammar import SIP, TOKEN, WSP, is_token
from sipserver.message.headers import KEYS, Headers, key_of
from sipserver.message.message import Request, Response

MAX_MESSAGE = 65536
"""Bytes of a whole message."""
MAX_LINE = 8192
"""Characters of one header, its folded lines joined."""
MAX_HEADERS = 200
"""Header lines of a message."""

_FOLD = re.compile(r"\r\n[ \t]+")
_REQUEST = re.compile(rf"({TOKEN}++) ([A-Za-z][A-Za-z0-9+.\-]*+:[^\x00-\x20\x7f<>\"]++) {SIP}/2\.0")
_STATUS = re.compile(rf"{SIP}/2\.0 ([1-6][0-9]{{2}})(?: (.*))?")
_OTHER_VERSION = re.compile(rf".* {SIP}/(?!2\.0$)[0-9]+\.[0-9]+")
_LENGTH = re.compile(r"[0-9]{1,20}")


def parse(data: bytes) -> Request | Response:
    """Read one message: a datagram, or what `StreamFramer` cut out of a stream.

    Bytes after Content-Length are dropped, a body that is shorter is an error (RFC 3261 section 18.3). Raises MessageError,
    with what could be read of a request so that it can be answered.
    """
    head, end, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    try:
        if len(data) > MAX_MESSAGE:
            raise MessageError(f"The message is longer than {MAX_MESSAGE} bytes.", 513)
        if not end:
            raise MessageError("The header block has no end.")
        return _message(_lines(head), body)
    except MessageError as error:
        salvage(error, head)
        raise


def _message(lines: list[str], body: bytes) -> Request | Response:
    start = lines[0]
    request = _REQUEST.fullmatch(start)
    if request is not None:
        headers = _headers(lines)
        return Request(request[1], request[2], headers, _body(headers, body))
    status = _STATUS.fullmatch(start)
    if status is not None:
        headers = _headers(lines)
        return Response(int(status[1]), status[2] or "", headers, _body(headers, body))
    if _OTHER_VERSION.fullmatch(start):
        raise MessageError("The version is not SIP/2.0.", 505)
    raise MessageError(f"This is no start line: {start[:80]!r}.")


def _lines(head: bytes) -> list[str]:
    """The start line and the headers, unfolded. A lone CR or LF would be a line to some and not to others, so it is refused."""
    text = head.decode("utf-8", "surrogateescape")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks:
        raise MessageError("A CR or LF stands alone.")
    if breaks > MAX_HEADERS:
        raise MessageError(f"There are more than {MAX_HEADERS} headers.", 513)
    if len(text) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
        raise MessageError(f"A line is longer than {MAX_LINE} characters.", 414 if len(lines[0]) > MAX_LINE else 513)
    return lines


def _headers(lines: list[str]) -> Headers:
    pairs: list[tuple[str, str]] = []
    index: dict[str, list[str]] = {}
    known, append = KEYS.get, pairs.append
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = known(name)
        if key is None:
            name = _name(name)
            key = key_of(name)
        if not colon:
            raise MessageError(f"A header line has no colon: {line[:80]!r}.")
        value = value.strip(WSP)
        append((name, value))
        if key in index:
            index[key].append(value)
        else:
            index[key] = [value]
    return Headers.of_lines(pairs, index)


def _name(text: str) -> str:
    name = text.rstrip(WSP)
    if not is_token(name):
        raise MessageError(f"This is no header name: {name[:80]!r}.")
    return name


def _body(headers: Headers, body: bytes) -> bytes:
    """RFC 3261 section 18.3; several Content-Lengths are one if they agree."""
    values = headers.lines("content-length")
    if not values:
        return body
    value = values[0]
    if len(values) > 1 and any(other != value for other in values):
        raise MessageError("There are two different Content-Lengths.")
    if _LENGTH.fullmatch(value) is None:
        raise MessageError(f"This is no Content-Length: {value[:80]!r}.")
    if int(value) > len(body):
        raise MessageError(f"The body has {len(body)} bytes, its Content-Length says {value[:20]}.")
    return body[: int(value)]


def salvage(error: MessageError, head: bytes) -> MessageError:
    """Give the error what could be read of a request. A response, an ACK and what has no Via cannot be answered."""
    start, *lines = _FOLD.sub(" ", head[:MAX_MESSAGE].decode("utf-8", "surrogateescape")).split("\r\n")
    method, _, rest = start.partition(" ")
    headers = Headers()
    for line in lines[:MAX_HEADERS]:
        name, colon, value = line.partition(":")
        if colon and len(line) <= MAX_LINE and is_token(name.rstrip(WSP)) and "\n" not in value and "\r" not in value:
            headers.add(name.rstrip(WSP), value)
    if is_token(method) and method.upper() != "ACK" and "via" in headers:
        error.request = Request(method, rest.strip(WSP).rpartition(" ")[0] or "sip:invalid", headers)
    else:
        error.status = 0
    return error
