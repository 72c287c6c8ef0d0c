"""Links that open without a key: `?expires=…&signature=…` on a path, HMAC-SHA256 over both."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class LinkSigner:
    """Signs with the first key, accepts all. `public_url` is the base of every link, without a slash at its end."""

    public_url: str
    keys: Sequence[bytes]

    def link(self, path: str, until: int) -> str:
        """An absolute URL that opens `path` until `until` (microseconds). The same for the same arguments."""
        expires = until // SECOND
        return f"{self.public_url}{path}?expires={expires}&signature={_signature(self.keys[0], path, expires)}"

    def opens(self, path: str, expires: str, signature: str, now: int) -> bool:
        """Whether these query values open this path now."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12) or int(expires) < now // SECOND:
            return False
        given = signature.encode(errors="replace")
        return any(hmac.compare_digest(_signature(key, path, int(expires)).encode(), given) for key in self.keys)


def _signature(key: bytes, path: str, expires: int) -> str:
    digest = hmac.digest(key, f"{path}\n{expires}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
