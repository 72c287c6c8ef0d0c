"""Retry-After: when who refuses may be asked again (RFC 3261 section 20.33)."""

from __future__ import annotations

import re

from sipserver.message.message import Response

_SECONDS = re.compile(r"[ \t]*+([0-9]{1,10})[ \t]*+(?:[;(].*)?", re.DOTALL)


def retry_after(response: Response) -> int | None:
    """Seconds, without the comment and the parameters that may follow them; None where it says no number of them."""
    match = _SECONDS.fullmatch(response.headers.get("retry-after") or "")
    return None if match is None else int(match[1])
