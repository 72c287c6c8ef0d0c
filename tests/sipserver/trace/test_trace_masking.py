"""What nobody may read in a trace, and what must stay readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.trace.masking import without_credentials

DIGEST = (
    b'Digest username="alice", realm="example.com",nonce="abc", uri="sip:example.com", '
    b'response="5ec4e7", cnonce="5ec4e7", qop=auth, nc=00000001, algorithm=MD5'
)


def message(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"REGISTER sip:example.com SIP/2.0", *lines, b"Call-ID: c1", b"", body))


@pytest.mark.parametrize("name", [b"Authorization", b"PROXY-AUTHORIZATION", b"authorization ", b"Authentication-Info"])
@pytest.mark.parametrize(
    "value",
    [
        DIGEST,
        DIGEST.replace(b", ", b",\r\n "),
        DIGEST.replace(b"response=", b"RESPONSE ="),
        b"Basic 5ec4e7",
        b"Bearer 5ec4e7",
        b"5ec4e7",
        b'Digest response="\\"5ec4e7"',
        b"Digest response='5ec4e7 5ec4e7'",
        b'Digest username="x\\", realm="y" 5ec4e7',
        b"\r\n\tDigest\r\n\tresponse=5ec4e7",
    ],
)
def test_credentials_are_stars(name: bytes, value: bytes) -> None:
    masked = without_credentials(message(name + b": " + value, b"CSeq: 1 REGISTER"))
    assert b"5ec4e7" not in masked
    assert len(masked) == len(message(name + b": " + value, b"CSeq: 1 REGISTER"))
    assert masked.endswith(b"CSeq: 1 REGISTER\r\nCall-ID: c1\r\n\r\n")


def test_what_tells_why_a_login_failed_stays() -> None:
    masked = without_credentials(message(b"Authorization: " + DIGEST))
    for kept in (b'username="alice"', b'realm="example.com"', b'nonce="abc"', b"nc=00000001", b"algorithm=MD5"):
        assert kept in masked


def test_media_keys_are_stars_and_their_suites_stay() -> None:
    key = b"5ec4e7" * 6
    body = b"v=0\r\nk=clear:5ec4e7\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key + b"|2^31\r\na=sendrecv\r\n"
    masked = without_credentials(message(body=body))
    assert b"5ec4e7" not in masked
    assert b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***" in masked
    assert masked.endswith(b"\r\na=sendrecv\r\n")


def test_every_key_of_a_line_is_stars_however_it_is_written() -> None:
    keys = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7|2^20|1:4;inline:5ec4e7\r\na=CRYPTO:2 X INLINE:5ec4e7 KDR=1\r\n"
    body = b"v=0\r\nk=base64:5ec4e7\r\n" + keys + b"a=key-mgmt:mikey 5ec4e7\r\na=ptime:20\r\n"
    masked = without_credentials(message(body=body))
    assert b"5ec4e7" not in masked
    assert len(masked) == len(message(body=body))
    assert without_credentials(masked) == masked
    assert masked.endswith(b"\r\na=ptime:20\r\n")


@pytest.mark.parametrize("kind", [b"application/dtmf-relay", b"application/dtmf", b"application/kpml-response+xml"])
@pytest.mark.parametrize("header", [b"Content-Type", b"c"])
def test_typed_digits_are_stars(header: bytes, kind: bytes) -> None:
    masked = without_credentials(message(header + b": " + kind, body=b"Signal=4711\r\nDuration=160\r\n"))
    assert b"4711" not in masked
    assert b"Signal=****" in masked


def test_passwords_in_uris_are_stars() -> None:
    masked = without_credentials(message(b"Contact: <sip:alice:5ec4e7@192.0.2.1:5060>", b"To: <sip:192.0.2.1:5060>"))
    assert b"<sip:alice:******@192.0.2.1:5060>" in masked
    assert b"To: <sip:192.0.2.1:5060>" in masked


@given(st.binary(max_size=300))
def test_whatever_it_is_its_length_stays(data: bytes) -> None:
    for sent in (data, b"Authorization: " + data, message(b"Authorization: Digest " + data, body=data)):
        assert len(without_credentials(sent)) == len(sent)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_response_never_shows(before: bytes, after: bytes) -> None:
    """Whatever stands around it on its line."""
    before, after = (text.translate(None, b"\r\n") for text in (before, after))
    header = b"Authorization: Digest " + before + b', response="5ec4e7", ' + after
    quoted = before.count(b'"') % 2 == 0
    assert not quoted or b"5ec4e7" not in without_credentials(message(header))
