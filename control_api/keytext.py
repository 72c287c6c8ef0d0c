"""The text of an API key: `ak_<43 url-safe characters>_<6 characters of checksum>`.

The checksum lets a program (or a scanner for leaked secrets) tell a key from a typing mistake without asking anybody. The
43 characters are 256 random bits, so a plain digest of them is as good as any slow hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

_FORM = re.compile(r"(ak_[A-Za-z0-9_-]{43})_([A-Za-z0-9]{6})", re.ASCII)
_BASE62 = string.digits + string.ascii_letters


def new_key() -> str:
    body = f"ak_{secrets.token_urlsafe(32)}"
    return f"{body}_{_checksum(body)}"


def is_well_formed(text: str) -> bool:
    match = _FORM.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


def digest(text: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    """CRC-32 in six digits of base 62."""
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits
