"""A piece of a SIP message as a body, `message/sipfrag` (RFC 3420): what a NOTIFY says of a REFER (RFC 3515 section 2.4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipserver.message import MessageError, reason_of
from sipserver.message.grammar import one_line

MEDIA_TYPE = "message/sipfrag"
CONTENT_TYPE = "message/sipfrag;version=2.0"

# Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF (RFC 3261 section 7.2). Some leave out the phrase, some the end.
_STATUS_LINE = re.compile(rb"SIP/2\.0[ \t]++([1-6][0-9]{2})(?:[ \t]++([^\r\n]*+))?(?:\r?\n|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatusFragment:
    """A status line; what may follow it in the fragment is not kept."""

    status: int
    reason: str

    @classmethod
    def parse(cls, body: bytes) -> StatusFragment:
        """Raises MessageError for a body that does not begin with a status line."""
        match = _STATUS_LINE.match(body)
        if match is None:
            raise MessageError("The fragment does not begin with a status line (RFC 3515 section 2.4.5).")
        status = int(match[1])
        reason = (match[2] or b"").decode("utf-8", "replace").strip()
        return cls(status, reason or reason_of(status))

    def __bytes__(self) -> bytes:
        """As on the wire. Raises MessageError for what is no status line."""
        if not 100 <= self.status <= 699:
            raise MessageError(f"There is no status {self.status}.", 0)
        return f"SIP/2.0 {self.status} {one_line(self.reason)}\r\n".encode()
