"""Our signatures are checked by the Standard Webhooks project's own verifier."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from control_api.webhook_signature import key_of, sign

BODY = b'{"event": "call.completed"}'


@pytest.mark.parametrize("secret", ["whsec_" + base64.b64encode(b"k" * 24).decode(), "a plain secret, with ümlaut"])
def test_the_independent_verifier_agrees(secret: str) -> None:
    headers = sign(secret, "msg_1", int(time.time()), BODY)
    verifier = Webhook(base64.b64encode(key_of(secret)).decode())
    assert verifier.verify(BODY, headers) == {"event": "call.completed"}
    with pytest.raises(WebhookVerificationError):
        verifier.verify(BODY + b" ", headers)


def test_no_secret_no_signature() -> None:
    assert set(sign(None, "msg_1", 1, BODY)) == {"webhook-id", "webhook-timestamp"}


def test_the_other_header_is_hex_over_timestamp_and_body() -> None:
    headers = sign("s", "msg_1", 7, BODY, "X-Signature")
    assert headers["X-Signature"] == hmac.new(b"s", b"7." + BODY, hashlib.sha256).hexdigest()


def test_a_broken_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        sign("whsec_%%%", "msg_1", 1, BODY)
