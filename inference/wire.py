"""Messages between the main process and a speech worker, as bytes. Sans-I/O: a socketpair carries them, a WebSocket could.

    message = length of the head (uint32) | length of the body (uint32) | head | body       integers in network order
    head    = JSON array [kind, id, fields], UTF-8
    body    = raw PCM, int16 little-endian, or nothing

`id` ties answers to their request; 0 is for what concerns the worker as a whole. Audio stays out of the JSON, so a frame
of 20 ms costs a copy and not an encoding.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_HEAD = 4 << 20
"""Bytes. A grammar travels in the head; one that fills this is no grammar."""
MAX_BODY = 4 << 20
"""Bytes. More than two minutes of 16 kHz audio in one message is a mistake."""

_LENGTHS = struct.Struct("!II")


class WireError(ValueError):
    """The bytes are no message: the connection they came on can only be closed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `fields` holds what JSON can hold; `body` is PCM, int16 little-endian."""

    kind: str
    id: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""

    def __bytes__(self) -> bytes:
        head = json.dumps([self.kind, self.id, dict(self.fields)], separators=(",", ":")).encode()
        if len(head) > MAX_HEAD or len(self.body) > MAX_BODY:
            raise WireError(f"a message of kind {self.kind!r} is too long to send")
        return b"".join((_LENGTHS.pack(len(head), len(self.body)), head, self.body))


class MessageReader:
    """Cuts a byte stream into messages, however it was split on its way."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises WireError; the reader is of no use afterwards."""
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        if len(self._buffer) < _LENGTHS.size:
            return None
        head, body = _LENGTHS.unpack_from(self._buffer)
        if head > MAX_HEAD or body > MAX_BODY:
            raise WireError(f"a message announces {head} + {body} bytes")
        start, end = _LENGTHS.size, _LENGTHS.size + head + body
        if len(self._buffer) < end:
            return None
        raw = bytes(self._buffer[start:end])
        del self._buffer[:end]
        return _parse(raw[:head], raw[head:])


def _parse(head: bytes, body: bytes) -> Message:
    try:
        parts = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise WireError("the head of a message is not JSON") from error
    match parts:
        case [str(kind), int(id_), dict(fields)] if not isinstance(id_, bool):
            return Message(kind, id_, fields, body)
    raise WireError("the head of a message is not [kind, id, fields]")
