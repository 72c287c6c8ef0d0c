"""Where the answers to a request go (RFC 3261 section 18.2.2)."""

from __future__ import annotations

from functools import lru_cache

from sipserver.legs import Source
from sipserver.locate import Target, default_port, numeric
from sipserver.message import MessageError, Request


def reply_target(request: Request, source: Source) -> Target:
    """Back along the connection; over UDP to the source, by `rport` or the Via's port."""
    try:
        via = request.via
    except MessageError:
        # Of a malformed request that is answered all the same, only the source is known.
        return Target(source.transport, source.host, source.port, None if source.transport == "udp" else source)
    if source.transport == "udp":
        return _datagrams(source.host, via.rport or via.port or default_port("udp"))
    port = via.port or default_port(source.transport)
    name = via.host if source.transport == "tls" and not numeric(via.host) else None
    return Target(source.transport, source.host, port, source, name)


@lru_cache(256)
def _datagrams(host: str, port: int) -> Target:
    """The same few peers send most requests."""
    return Target("udp", host, port)
