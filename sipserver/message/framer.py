"""Messages out of a stream: TCP and TLS (RFC 3261 section 18.3, keep-alives of RFC 5626 section 3.5.1)."""

from __future__ import annotations

import re

from sipserver.message.error import MessageError
from sipserver.message.parser import MAX_MESSAGE, salvage

PING = b"\r\n\r\n"
"""What `StreamFramer.feed` returns for a keep-alive; the answer is one CRLF (RFC 5626 section 4.4.1)."""
PONG = b"\r\n"
"""The answer to a PING."""

_CONTENT_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*+:((?:[^\r\n]|\r\n[ \t])*+)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,20}")


class StreamFramer:
    """Cuts a stream into whole messages, by Content-Length, which is mandatory on streams.

    After an error nothing more can be read: the peer and we no longer agree where a message begins, so the connection is
    to be closed. `error` is set then.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._size: int | None = None
        self.error: MessageError | None = None

    @property
    def between_messages(self) -> bool:
        """Whether nothing has come of the next message."""
        return not self._buffer and self.error is None

    def feed(self, data: bytes) -> list[bytes]:
        """The messages, and `PING`s, that are complete now, in their order; single CRLFs before a message are skipped.

        Raises MessageError. Where messages came before the fault they are returned, `error` is set, and the next call raises.
        """
        if self.error is not None:
            raise self.error
        self._buffer += data
        found: list[bytes] = []
        try:
            while (message := self._next()) is not None:
                found.append(message)
        except MessageError as error:
            self.error = error
            if not found:
                raise
        return found

    def _next(self) -> bytes | None:
        if self._size is None:
            if self._buffer.startswith(PING):
                return self._take(len(PING))
            while self._buffer.startswith(b"\r") and not PING.startswith(self._buffer):
                self._skip_break()
            self._size = self._find_size()
        if self._size is None or len(self._buffer) < self._size:
            return None
        return self._take(self._size)

    def _take(self, size: int) -> bytes:
        message = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched, self._size = 0, None
        return message

    def _skip_break(self) -> None:
        """A CRLF before a start line is ignored (RFC 3261 section 7.5); it may be a PONG."""
        if not self._buffer.startswith(PONG):
            raise MessageError("A CR stands alone before a message.", 0)
        del self._buffer[: len(PONG)]

    def _find_size(self) -> int | None:
        """How long the message at the head of the buffer is, once its header block is complete."""
        end = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        self._searched = len(self._buffer)
        head = bytes(self._buffer[:end]) if end >= 0 else b""
        size = end + 4 + _content_length(head) if end >= 0 else len(self._buffer)
        if size > MAX_MESSAGE:
            raise salvage(MessageError(f"The message is longer than {MAX_MESSAGE} bytes.", 513), head)
        return size if end >= 0 else None


def _content_length(head: bytes) -> int:
    values = {value.strip() for value in _CONTENT_LENGTH.findall(head)}
    if len(values) != 1:
        raise salvage(MessageError("A message on a stream must say its length, and only one."), head)
    value = values.pop()
    if _LENGTH.fullmatch(value) is None:
        raise salvage(MessageError(f"This is no Content-Length: {value[:80]!r}."), head)
    return int(value)
