"""The sockets of one SIP address: UDP and TCP on the same port number."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_ELSEWHERE = {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}
"""The wildcards, and an address for each to which only the default route leads."""
_TRIES = 20
"""How many free ports of one kind are tried until one is free of the other kind too."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Bound sockets; None for a transport that was not asked for."""

    port: int
    udp: socket.socket | None = None
    tcp: socket.socket | None = None


def bind(host: str, port: int, transports: Sequence[Literal["udp", "tcp"]]) -> Bound:
    """Bind all of them to one port; port 0 finds one that all can have. Raises OSError, which names the address."""
    for _ in range(_TRIES):
        try:
            return _bind(host, port, transports)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"No port of {host} is free for {' and '.join(transports)}.")


def bind_tls(host: str, port: int) -> tuple[socket.socket, int]:
    """A socket for TLS connections, and its port. Raises OSError."""
    sock = _open(host, port, socket.SOCK_STREAM)
    return sock, sock.getsockname()[1]


def is_wildcard(host: str) -> bool:
    """Whether a socket bound to this host has every address of the machine; `::` has those of IPv4, too."""
    return host in _ELSEWHERE


def local_address(host: str, peer: str | None = None) -> str:
    """The address that a peer sees when we are bound to `host`: itself, or, for a wildcard, the one that the route to the peer

    uses. Without a peer, that of the default route.
    """
    if host not in _ELSEWHERE:
        return host
    if peer is None or (":" in peer and host == "0.0.0.0"):
        peer = _ELSEWHERE[host]
    return _towards(peer) or _towards(_ELSEWHERE["0.0.0.0"]) or ("::1" if ":" in peer else "127.0.0.1")


def _towards(peer: str) -> str | None:
    with socket.socket(socket.AF_INET6 if ":" in peer else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; it only asks the routing table.
            probe.connect((peer, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _bind(host: str, port: int, transports: Sequence[Literal["udp", "tcp"]]) -> Bound:
    opened: dict[str, socket.socket] = {}
    try:
        for transport in transports:
            opened[transport] = _open(host, port, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
            port = opened[transport].getsockname()[1]
    except OSError:
        for sock in opened.values():
            sock.close()
        raise
    return Bound(port, opened.get("udp"), opened.get("tcp"))


def _open(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            # IPv4 too, whatever the system's default is.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setblocking(False)
        sock.bind(address)
    except OSError as error:
        sock.close()
        name = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
        raise OSError(error.errno, f"cannot listen on {host}:{port} ({name}): {error.strerror}") from None
    return sock
