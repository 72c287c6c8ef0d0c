"""Where a peer's media are: the host of its session description as an address that our socket can send to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket


async def numeric(host: str, ours: str) -> str:
    """The host as a numeric address that our socket can send to; names (RFC 4566 allows them in c=) are looked up.

    A socket bound to `::` reaches IPv4 by mapped addresses (RFC 4291 section 2.5.5.2), and hears from it so. Empty when there is
    none: then we send nowhere until the peer's own packets have told where it is.
    """
    version = ipaddress.ip_address(ours).version
    try:
        given = ipaddress.ip_address(host)
    except ValueError:
        return await _look_up(host, ours)
    # The unspecified address is how peers used to say hold (RFC 3264 section 8.4), and means this host to sendto.
    if given.is_unspecified:
        return ""
    if given.version == version:
        return str(given)
    return f"::ffff:{given}" if ours == "::" else ""


async def _look_up(host: str, ours: str) -> str:
    family = socket.AF_INET6 if ":" in ours else socket.AF_INET
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, None, family=family, type=socket.SOCK_DGRAM, flags=socket.AI_V4MAPPED if ours == "::" else 0
        )
    except socket.gaierror:
        return ""
    return str(found[0][4][0])
