"""Session keys from the master key (RFC 3711 section 4.3). The key derivation rate is always 0: SDES peers use no other."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from media.frames import CryptoSuite

MASTER_KEY = 16
_AUTH_KEY = 20
_SALT = 14
_RTP = 0
_RTCP = 3


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What one direction of RTP, or of RTCP, works with. `auth` is empty where the cipher signs by itself (AEAD)."""

    key: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    salt: bytes = field(repr=False)


def session_keys(suite: CryptoSuite, master: bytes) -> tuple[SessionKeys, SessionKeys]:
    """Those of RTP and of RTCP. master: master key and master salt in a row, `suite.key_octets` in all."""
    return _session_keys(suite, master, _RTP), _session_keys(suite, master, _RTCP)


def _session_keys(suite: CryptoSuite, master: bytes, label: int) -> SessionKeys:
    """The labels follow each other: cipher key, authentication key, salt (section 4.3.2)."""
    salt_octets = suite.key_octets - MASTER_KEY
    auth_octets = 0 if suite is CryptoSuite.AEAD_AES_128_GCM else _AUTH_KEY
    return SessionKeys(
        derive(master, label, MASTER_KEY),
        derive(master, label + 1, auth_octets),
        derive(master, label + 2, salt_octets),
    )


def derive(master: bytes, label: int, octets: int) -> bytes:
    """AES in counter mode over zeros, beginning at the salt with `label` in it; a salt of 96 bits is filled up with zeros."""
    salt = int.from_bytes(master[MASTER_KEY:].ljust(_SALT, b"\0"), "big")
    counter = ((salt ^ label << 48) << 16).to_bytes(16, "big")
    return Cipher(algorithms.AES(master[:MASTER_KEY]), modes.CTR(counter)).encryptor().update(bytes(octets))
