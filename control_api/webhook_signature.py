"""Signatures of webhooks: Standard Webhooks 1.0 (symmetric, `v1`), and one more header for receivers of another habit."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The HMAC key of a secret: `whsec_…` is base64, anything else its UTF-8 bytes. Raises ValueError for bad base64."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a secret that begins with whsec_ must go on in base64") from None


def sign(
    secret: str | None, webhook_id: str, timestamp: int, body: bytes, hmac_header: str | None = None
) -> dict[str, str]:
    """The headers of a delivery. Without a secret there is no signature. timestamp: seconds since the epoch."""
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp)}
    if not secret:
        return headers
    key = key_of(secret)
    signed = hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)
    headers["webhook-signature"] = "v1," + base64.b64encode(signed).decode()
    if hmac_header:
        headers[hmac_header] = hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return headers
