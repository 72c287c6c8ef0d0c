"""How a packet is encrypted and signed, given its index: AES in counter mode with HMAC-SHA1 (RFC 3711), and AES-GCM (RFC 7714).

An *index* is the sequence number with its rollover counter before it, 48 bits; of RTCP 31 bits, carried in the packet.
"""

from __future__ import annotations

import struct
from hmac import compare_digest
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC

from media.frames import CryptoSuite
from media.srtp.derivation import SessionKeys
from media.srtp.error import SrtpError

CONTROL_HEADER = 8
"""Octets at the beginning of RTCP that stay in the clear: the first header and the sender's SSRC."""
CONTROL_TRAILER = 4
"""The E flag and the index (RFC 3711 section 3.4)."""

_ENCRYPTED = 1 << 31
_INDEX = _ENCRYPTED - 1
_SSRC = struct.Struct("!I")
_GCM_TAG = 16
_CONTROL_TAG = 10
"""Of either HMAC suite: the short tag is for RTP alone (RFC 4568 section 6.2.2)."""
_NOT_AUTHENTIC = "The packet is not authentic."


class Transform(Protocol):
    """The work on the packets of one direction. `header` is how many octets of RTP stay in the clear."""

    overhead: int
    """Octets by which an RTP packet grows."""
    control_overhead: int
    """The same for RTCP, the trailer included."""

    def seal(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """The secure form of an RTP packet."""

    def open(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """The RTP packet within. Raises SrtpError where it is not authentic."""

    def seal_control(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """The secure form of an RTCP packet."""

    def open_control(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """The RTCP packet within. Raises SrtpError where it is not authentic."""

    def control_index(self, packet: bytes) -> int:
        """The index that the packet says it has. Raises SrtpError where it was not encrypted."""


def transform_of(suite: CryptoSuite, rtp: SessionKeys, rtcp: SessionKeys) -> Transform:
    """The transform of a suite, with its session keys."""
    if suite is CryptoSuite.AEAD_AES_128_GCM:
        return Gcm(rtp, rtcp)
    return CounterHmac(rtp, rtcp, 10 if suite is CryptoSuite.AES_CM_128_HMAC_SHA1_80 else 4)


def _index_of(word: bytes) -> int:
    value: int = _SSRC.unpack(word)[0]
    if not value & _ENCRYPTED:
        raise SrtpError("RTCP that is not encrypted was not agreed upon.")
    return value & _INDEX


class CounterHmac:
    """AES_CM_128 with HMAC_SHA1; tag: octets of it that an RTP packet carries, 10 or 4."""

    def __init__(self, rtp: SessionKeys, rtcp: SessionKeys, tag: int) -> None:
        self.overhead = tag
        self.control_overhead = _CONTROL_TAG + CONTROL_TRAILER
        self._rtp = _Counter(rtp)
        self._rtcp = _Counter(rtcp)

    def seal(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """Encrypt, then sign what is encrypted and the rollover counter (section 4.2)."""
        sealed = packet[:header] + self._rtp.crypt(packet[header:], ssrc, index)
        return sealed + self._rtp.sign(sealed, _SSRC.pack(index >> 16))[: self.overhead]

    def open(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """Compare the signature in constant time, then decrypt."""
        sealed, tag = packet[: -self.overhead], packet[-self.overhead :]
        if not compare_digest(self._rtp.sign(sealed, _SSRC.pack(index >> 16))[: self.overhead], tag):
            raise SrtpError(_NOT_AUTHENTIC)
        return sealed[:header] + self._rtp.crypt(sealed[header:], ssrc, index)

    def seal_control(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """The trailer is signed too (section 3.4)."""
        body = self._rtcp.crypt(packet[CONTROL_HEADER:], ssrc, index)
        sealed = packet[:CONTROL_HEADER] + body + _SSRC.pack(index | _ENCRYPTED)
        return sealed + self._rtcp.sign(sealed, b"")[:_CONTROL_TAG]

    def open_control(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """Compare the signature in constant time, then decrypt."""
        sealed, tag = packet[:-_CONTROL_TAG], packet[-_CONTROL_TAG:]
        if not compare_digest(self._rtcp.sign(sealed, b"")[:_CONTROL_TAG], tag):
            raise SrtpError(_NOT_AUTHENTIC)
        return sealed[:CONTROL_HEADER] + self._rtcp.crypt(sealed[CONTROL_HEADER:-CONTROL_TRAILER], ssrc, index)

    def control_index(self, packet: bytes) -> int:
        """It stands before the tag."""
        return _index_of(packet[-_CONTROL_TAG - CONTROL_TRAILER : -_CONTROL_TAG])


class _Counter:
    """AES in counter mode, and the signature over it. The cipher is set up once: that costs eight times what a packet does."""

    def __init__(self, keys: SessionKeys) -> None:
        self._salt = int.from_bytes(keys.salt, "big") << 16
        self._cipher = Cipher(algorithms.AES(keys.key), modes.CTR(bytes(16))).encryptor()
        self._hmac = HMAC(keys.auth, SHA1())

    def crypt(self, octets: bytes, ssrc: int, index: int) -> bytes:
        """Both ways the same (section 4.1.1)."""
        self._cipher.reset_nonce((self._salt ^ ssrc << 64 ^ index << 16).to_bytes(16, "big"))
        return self._cipher.update(octets)

    def sign(self, octets: bytes, more: bytes) -> bytes:
        """HMAC-SHA1, 20 octets."""
        hmac = self._hmac.copy()
        hmac.update(octets)
        hmac.update(more)
        return hmac.finalize()


class Gcm:
    """AEAD_AES_128_GCM with its tag of 16 octets."""

    def __init__(self, rtp: SessionKeys, rtcp: SessionKeys) -> None:
        self.overhead = _GCM_TAG
        self.control_overhead = _GCM_TAG + CONTROL_TRAILER
        self._rtp, self._rtp_salt = AESGCM(rtp.key), int.from_bytes(rtp.salt, "big")
        self._rtcp, self._rtcp_salt = AESGCM(rtcp.key), int.from_bytes(rtcp.salt, "big")

    def seal(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """The header is signed, the rest encrypted and signed (RFC 7714 section 8)."""
        clear = packet[:header]
        return clear + self._rtp.encrypt(_nonce(self._rtp_salt, ssrc, index), packet[header:], clear)

    def open(self, packet: bytes, header: int, ssrc: int, index: int) -> bytes:
        """Nothing is returned of what is not authentic."""
        clear = packet[:header]
        try:
            return clear + self._rtp.decrypt(_nonce(self._rtp_salt, ssrc, index), packet[header:], clear)
        except InvalidTag:
            raise SrtpError(_NOT_AUTHENTIC) from None

    def seal_control(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """The trailer is signed and follows the tag (RFC 7714 section 9)."""
        clear, trailer = packet[:CONTROL_HEADER], _SSRC.pack(index | _ENCRYPTED)
        nonce = _nonce(self._rtcp_salt, ssrc, index)
        return clear + self._rtcp.encrypt(nonce, packet[CONTROL_HEADER:], clear + trailer) + trailer

    def open_control(self, packet: bytes, ssrc: int, index: int) -> bytes:
        """Nothing is returned of what is not authentic."""
        clear, trailer = packet[:CONTROL_HEADER], packet[-CONTROL_TRAILER:]
        nonce = _nonce(self._rtcp_salt, ssrc, index)
        try:
            return clear + self._rtcp.decrypt(nonce, packet[CONTROL_HEADER:-CONTROL_TRAILER], clear + trailer)
        except InvalidTag:
            raise SrtpError(_NOT_AUTHENTIC) from None

    def control_index(self, packet: bytes) -> int:
        """It is the end of the packet."""
        return _index_of(packet[-CONTROL_TRAILER:])


def _nonce(salt: int, ssrc: int, index: int) -> bytes:
    """RFC 7714 sections 8.1 and 9.1; the index of RTCP has zeros before it."""
    return (salt ^ (ssrc << 48 | index)).to_bytes(12, "big")
