"""What a coder says of octets that it cannot read."""

from __future__ import annotations


class CodecError(ValueError):
    """The octets are no packet of this codec, or the coder's library is missing; the text says why."""
