"""Secure RTP (RFC 3711, RFC 7714): what leaves is encrypted and signed, what comes is believed only when it is authentic."""

from media.srtp.context import Incoming, Outgoing
from media.srtp.error import SrtpError
from media.srtp.rows import SecureRows

__all__ = ["Incoming", "Outgoing", "SecureRows", "SrtpError"]
