"""The published examples, and libsrtp: what we write others read, and the other way round."""

from __future__ import annotations

import pytest

from media.frames import CryptoSuite
from media.rtp import RtpPacket
from media.srtp.context import Incoming, Outgoing
from media.srtp.derivation import SessionKeys, session_keys
from media.srtp.transforms import CounterHmac, Gcm
from tests.media.srtp.libsrtp import LibSrtp, Refused, load

MASTER = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6")
LIBRARY = load()


def test_keys_are_derived_as_in_rfc_3711_appendix_b_3() -> None:
    rtp, _ = session_keys(CryptoSuite.AES_CM_128_HMAC_SHA1_80, MASTER)
    assert rtp.key.hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert rtp.salt.hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert rtp.auth.hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


def test_the_key_stream_is_that_of_rfc_3711_appendix_b_2() -> None:
    keys = SessionKeys(
        bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), bytes(20), bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
    )
    packet = bytes.fromhex("8000 0000 00000000 00000000") + bytes(32)
    sealed = CounterHmac(keys, keys, 10).seal(packet, 12, 0, 0)
    assert sealed[12:-10].hex().upper() == "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"


GCM_KEYS = SessionKeys(
    bytes.fromhex("000102030405060708090a0b0c0d0e0f"), b"", bytes.fromhex("517569642070726f2071756f")
)


def test_rtp_is_sealed_as_in_rfc_7714_section_16_1_1() -> None:
    plain = bytes.fromhex("8040f17b 8041f8d3 5501a0b2") + b"Gallia est omnis divisa in partes tres"
    secure = bytes.fromhex(
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833"
        "899d7f27 beb16a91 52cf765e e4390cce"
    )
    gcm = Gcm(GCM_KEYS, GCM_KEYS)
    assert gcm.seal(plain, 12, 0x5501A0B2, 0xF17B) == secure
    assert gcm.open(secure, 12, 0x5501A0B2, 0xF17B) == plain


def test_rtcp_is_sealed_as_in_rfc_7714_section_17_1() -> None:
    plain = bytes.fromhex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61"
        "deadbeef deadbeef deadbeef deadbeef deadbeef"
    )
    secure = bytes.fromhex(
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded"
        "0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4"
    )
    gcm = Gcm(GCM_KEYS, GCM_KEYS)
    assert gcm.seal_control(plain, 0x4D617273, 0x5D4) == secure
    assert gcm.control_index(secure) == 0x5D4
    assert gcm.open_control(secure, 0x4D617273, 0x5D4) == plain


# -- libsrtp ----------------------------------------------------------------------------------------------------------------

STREAM = [
    RtpPacket(0, sequence & 0xFFFF, 160 * sequence, 0xDECADE, bytes([sequence & 0xFF]) * 160)
    for sequence in range(32700, 32760)
] + [
    RtpPacket(101, 32760, 9600, 0xDECADE, b"\1\2\3\4", marker=True),
    RtpPacket(0, 32761, 1, 0xDECADE, b"x" * 33, csrc=(1, 2), extension=(0xBEDE, b"abcdefgh"), padding=4),
    RtpPacket(0, 32762, 1, 0xDECADE, b""),
]
CONTROL = bytes.fromhex("80c90001 00decade 81ca0006 00decade 0110") + b"0123456789abcdef" + bytes(2)


@pytest.fixture(params=list(CryptoSuite))
def suite(request: pytest.FixtureRequest) -> CryptoSuite:
    """Every suite that the library can do, too."""
    if LIBRARY is None:
        pytest.skip("libsrtp 2 is not installed")
    chosen = CryptoSuite(request.param)
    try:
        with LibSrtp(LIBRARY, chosen, MASTER[: chosen.key_octets], sends=True):
            return chosen
    except Refused:
        pytest.skip(f"this libsrtp was built without {chosen.value}")


def test_libsrtp_reads_what_we_write(suite: CryptoSuite) -> None:
    assert LIBRARY is not None
    ours = Outgoing(suite, MASTER[: suite.key_octets])
    with LibSrtp(LIBRARY, suite, MASTER[: suite.key_octets], sends=False) as theirs:
        for packet in STREAM:
            assert theirs.unprotect(ours.protect(bytes(packet))) == bytes(packet)
            assert theirs.unprotect_control(ours.protect_control(CONTROL)) == CONTROL


def test_we_read_what_libsrtp_writes(suite: CryptoSuite) -> None:
    assert LIBRARY is not None
    ours = Incoming(suite, MASTER[: suite.key_octets])
    with LibSrtp(LIBRARY, suite, MASTER[: suite.key_octets], sends=True) as theirs:
        for packet in STREAM:
            assert ours.unprotect(theirs.protect(bytes(packet))) == bytes(packet)
            assert ours.unprotect_control(theirs.protect_control(CONTROL)) == CONTROL


def test_the_sequence_wraps_as_libsrtp_has_it(suite: CryptoSuite) -> None:
    """Two wraps, in steps of a few thousand so that it takes no time; both sides lose what lies between."""
    assert LIBRARY is not None
    master = MASTER[: suite.key_octets]
    sender, receiver = Outgoing(suite, master), Incoming(suite, master)
    with LibSrtp(LIBRARY, suite, master, sends=False) as reads, LibSrtp(LIBRARY, suite, master, sends=True) as writes:
        for index in range(30000, 3 * 0x10000, 9001):
            packet = bytes(RtpPacket(0, index & 0xFFFF, index, 7, b"voice" * 32))
            assert reads.unprotect(sender.protect(packet)) == packet
            assert receiver.unprotect(writes.protect(packet)) == packet
