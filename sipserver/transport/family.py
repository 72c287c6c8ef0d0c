"""IPv4 on a socket of IPv6: the kernel writes its addresses as `::ffff:192.0.2.1` (RFC 4291 section 2.5.5.2), nobody else does."""

from __future__ import annotations

import socket

_MAPPED = "::ffff:"


def as_peer(host: str) -> str:
    """A peer's address as everybody knows it."""
    if host.startswith(_MAPPED) and "." in host:
        return host[len(_MAPPED) :]
    return host


def for_socket(host: str, family: socket.AddressFamily | int) -> str:
    """An address as a socket of this family wants it, without brackets."""
    bare = host.strip("[]")
    return f"{_MAPPED}{bare}" if family == socket.AF_INET6 and ":" not in bare else bare
