"""libsrtp 2, the implementation that nearly every peer has, through ctypes: the other side of our packets in tests."""

from __future__ import annotations

import ctypes
import ctypes.util

from media.frames import CryptoSuite

_ANY_INBOUND, _ANY_OUTBOUND = 2, 3
_ROOM = 256
_PROFILES = {
    CryptoSuite.AEAD_AES_128_GCM: ("srtp_crypto_policy_set_aes_gcm_128_16_auth",) * 2,
    CryptoSuite.AES_CM_128_HMAC_SHA1_80: ("srtp_crypto_policy_set_rtp_default", "srtp_crypto_policy_set_rtcp_default"),
    CryptoSuite.AES_CM_128_HMAC_SHA1_32: (
        "srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32",
        "srtp_crypto_policy_set_rtcp_default",
    ),
}


class _CryptoPolicy(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int)
        for name in ("cipher_type", "cipher_key_len", "auth_type", "auth_key_len", "auth_tag_len", "sec_serv")
    ]


class _Policy(ctypes.Structure):
    _fields_ = [
        ("ssrc_type", ctypes.c_int),
        ("ssrc_value", ctypes.c_uint),
        ("rtp", _CryptoPolicy),
        ("rtcp", _CryptoPolicy),
        ("key", ctypes.c_char_p),
        ("keys", ctypes.c_void_p),
        ("num_master_keys", ctypes.c_ulong),
        ("deprecated_ekt", ctypes.c_void_p),
        ("window_size", ctypes.c_ulong),
        ("allow_repeat_tx", ctypes.c_int),
        ("enc_xtn_hdr", ctypes.c_void_p),
        ("enc_xtn_hdr_count", ctypes.c_int),
        ("next", ctypes.c_void_p),
    ]


class Refused(Exception):
    """libsrtp's status was not ok."""


def load() -> ctypes.CDLL | None:
    """The library, if this machine has it."""
    name = ctypes.util.find_library("srtp2")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    return library if library.srtp_init() == 0 else None


class LibSrtp:
    """One direction of one key. A context manager."""

    def __init__(self, library: ctypes.CDLL, suite: CryptoSuite, master: bytes, *, sends: bool) -> None:
        self._library = library
        self._policy = _Policy(ssrc_type=_ANY_OUTBOUND if sends else _ANY_INBOUND, key=master, window_size=128)
        rtp, rtcp = _PROFILES[suite]
        getattr(library, rtp)(ctypes.byref(self._policy.rtp))
        getattr(library, rtcp)(ctypes.byref(self._policy.rtcp))
        self._session = ctypes.c_void_p()
        status = library.srtp_create(ctypes.byref(self._session), ctypes.byref(self._policy))
        if status:
            raise Refused(status)

    def __enter__(self) -> LibSrtp:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.srtp_dealloc(self._session)

    def protect(self, packet: bytes) -> bytes:
        return self._call("srtp_protect", packet)

    def unprotect(self, packet: bytes) -> bytes:
        return self._call("srtp_unprotect", packet)

    def protect_control(self, packet: bytes) -> bytes:
        return self._call("srtp_protect_rtcp", packet)

    def unprotect_control(self, packet: bytes) -> bytes:
        return self._call("srtp_unprotect_rtcp", packet)

    def _call(self, function: str, packet: bytes) -> bytes:
        memory = ctypes.create_string_buffer(packet, len(packet) + _ROOM)
        length = ctypes.c_int(len(packet))
        status = getattr(self._library, function)(self._session, memory, ctypes.byref(length))
        if status:
            raise Refused(status)
        return memory.raw[: length.value]
