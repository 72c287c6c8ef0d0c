"""The a=crypto line: what is read, what is written, what is hidden."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.frames import CryptoSuite
from sipserver.sdes import Crypto, Sdes, cryptos
from sipserver.sdp import Media, SdpError

KEY = bytes(range(30))
INLINE = "inline:" + b64encode(KEY).decode()
GCM = "inline:" + b64encode(KEY[:28]).decode()
CM_80 = CryptoSuite.AES_CM_128_HMAC_SHA1_80


@pytest.mark.parametrize(
    ("line", "tag", "suite"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 {INLINE}", 1, CM_80),
        (f" 4  aes_cm_128_hmac_sha1_80   {INLINE} ", 4, CM_80),
        (f"2 AES_CM_128_HMAC_SHA1_32 {INLINE}|2^20", 2, CryptoSuite.AES_CM_128_HMAC_SHA1_32),
        (f"1 AES_CM_128_HMAC_SHA1_80 {INLINE}|2147483648", 1, CM_80),
        (f"1 AES_CM_128_HMAC_SHA1_80 {INLINE} WSH=1024 KDR=0 -later=1", 1, CM_80),
        (f"3 AEAD_AES_128_GCM {GCM}", 3, CryptoSuite.AEAD_AES_128_GCM),
        (f"3 AEAD_AES_128_GCM {GCM.rstrip('=')}|2^48", 3, CryptoSuite.AEAD_AES_128_GCM),
    ],
)
def test_lines_of_peers_are_read(line: str, tag: int, suite: CryptoSuite) -> None:
    assert Crypto.parse(line) == Crypto(tag, suite, KEY[: suite.key_octets])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1 AES_CM_128_HMAC_SHA1_80",
        f"x AES_CM_128_HMAC_SHA1_80 {INLINE}",
        f"1 F8_128_HMAC_SHA1_80 {INLINE}",
        f"1 AES_256_CM_HMAC_SHA1_80 {INLINE}",
        f"1 AES_CM_128_HMAC_SHA1_80 {GCM}",
        f"1 AEAD_AES_128_GCM {INLINE}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:****",
        "1 AES_CM_128_HMAC_SHA1_80 inline:",
        "1 AES_CM_128_HMAC_SHA1_80 uri:https://keys.example",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE}|2^20|1:4",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE}|1:4",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE}|2^20|1:4;{INLINE}|2^20|2:4",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE} UNENCRYPTED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE} UNAUTHENTICATED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE} UNENCRYPTED_SRTCP",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE} KDR=16",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE} FEC_ORDER=FEC_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 {INLINE} whatever",
    ],
)
def test_lines_that_ask_for_more_are_as_if_they_were_not_there(line: str) -> None:
    with pytest.raises(SdpError) as caught:
        Crypto.parse(line)
    assert INLINE[7:20] not in str(caught.value)
    good = ("crypto", f"9 AES_CM_128_HMAC_SHA1_80 {INLINE}")
    media = Media("audio", 5000, "RTP/SAVP", ("0",), None, (("crypto", line), ("crypto", None), good))
    assert [crypto.tag for crypto in cryptos(media)] == [9]


@given(st.text())
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        Crypto.parse(line)
    except SdpError:
        return


@given(st.integers(0, 999_999_999), st.sampled_from(list(CryptoSuite)), st.binary(min_size=30, max_size=30))
def test_a_line_comes_back_as_it_was_written(tag: int, suite: CryptoSuite, key: bytes) -> None:
    crypto = Crypto(tag, suite, key[: suite.key_octets])
    assert Crypto.parse(str(crypto)) == crypto


def test_our_keys_stay_until_media_are_plain() -> None:
    made: list[bytes] = []

    def random(octets: int) -> bytes:
        made.append(bytes([len(made)]) * octets)
        return made[-1]

    sdes = Sdes("preferred", random)
    assert [str(value).split()[:2] for _, value in sdes.lines()] == [
        ["1", "AEAD_AES_128_GCM"],
        ["2", "AES_CM_128_HMAC_SHA1_80"],
        ["3", "AES_CM_128_HMAC_SHA1_32"],
    ]
    assert [len(key) for key in made] == [28, 30, 30]
    assert sdes.key(CM_80) == made[1]
    assert sdes.line(Crypto(7, CM_80, KEY)) == ("crypto", str(Crypto(7, CM_80, made[1])))
    sdes.forget()
    assert sdes.key(CM_80) == made[3]


def test_a_key_is_not_in_what_is_shown_of_its_line() -> None:
    assert "key" not in repr(Crypto(1, CM_80, KEY))
