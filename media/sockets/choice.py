"""Which backend moves the packets: the one that was asked for, else the best that works here."""

from __future__ import annotations

from media.sockets.bound import BoundSockets
from media.sockets.native import NativeMissing, NativeSockets, load
from media.sockets.plain import PlainSockets
from media.sockets.ports import PortPairs

AUTO = "auto"
BACKENDS = ("native", "plain")
"""The best first."""


class SocketsMissing(Exception):
    """The backend that was asked for does not work here; the text says why."""


def works(name: str) -> str:
    """Why a backend does not work here, "" where it does."""
    if name == "native":
        try:
            load()
        except NativeMissing as error:
            return str(error)
    return ""


def best() -> str:
    """What `auto` takes."""
    return next(name for name in BACKENDS if not works(name))


def open_sockets(name: str, host: str, ports: PortPairs) -> BoundSockets:
    """The backend of this name or `auto`, on one address and a range of ports. Raises SocketsMissing."""
    chosen = best() if name == AUTO else name
    trouble = works(chosen)
    if trouble:
        raise SocketsMissing(trouble)
    return NativeSockets(host, ports) if chosen == "native" else PlainSockets(host, ports)
