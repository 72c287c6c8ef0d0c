"""Under which address we are reached: that depends on who asks. Sans-I/O.

A peer inside a local network is told the address that we have there. Everybody else is told what is configured, for its trunk
first; where nothing is, the public address that the trunk's own answers show (`received` and `rport`, RFC 3581), and until
there is one our own. So a PBX in the house and a trunk on the internet are served at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from sipserver.locate import Transport, numeric
from sipserver.message import Via
from sipserver.protocols import Trunk

MAX_LEARNT = 1000
"""Trunks and transports of which a learnt address is remembered, the latest."""


@dataclass(frozen=True, slots=True)
class Facing:
    """Whom a message is for: the peer's numeric address (None: not known yet), by which transport, and whose trunk it is."""

    transport: Transport
    host: str | None = None
    trunk: Trunk | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the settings say. `secure` is the host over TLS, the name in our certificate; `local_nets` are CIDR blocks.

    `learn`: whether answers may tell us our public address where none is configured.
    """

    advertised: str | None = None
    secure: str | None = None
    local_nets: tuple[str, ...] = ()
    learn: bool = False


class Addresses:
    """See the module. `own` gives our own address towards a peer (None: towards anybody), by the route that leads there."""

    def __init__(self, own: Callable[[str | None], str], told: Told = Told()) -> None:
        self._own = own
        self._told = told
        self._learnt: dict[tuple[str, Transport], tuple[str, int | None]] = {}

    def host(self, facing: Facing) -> str:
        """The host that this peer reaches us at, an IPv6 address without brackets."""
        return self.public(facing) or self._own(facing.host)

    def public(self, facing: Facing) -> str | None:
        """The host that is configured or learnt; None where the peer is told our own address."""
        if self.is_local(facing):
            return None
        learnt = self._learnt_of(facing)
        return self._configured(facing) or (None if learnt is None else learnt[0])

    def port(self, facing: Facing) -> int | None:
        """The port that a NAT on the way to this peer has in the place of ours; None where there is none, or it is not known."""
        learnt = self._learnt_of(facing)
        return None if learnt is None or self.is_local(facing) or self._configured(facing) else learnt[1]

    def is_local(self, facing: Facing) -> bool:
        """Whether the peer is in a local network: the node's, or its trunk's."""
        nets = self._told.local_nets + (() if facing.trunk is None else facing.trunk.options.local_nets)
        return bool(nets) and facing.host is not None and _is_within(facing.host, nets)

    def learns(self, facing: Facing) -> bool:
        """Whether this peer may tell us our address."""
        return self._told.learn and not self.is_local(facing) and self._configured(facing) is None

    def learn(self, facing: Facing, via: Via) -> None:
        """A trunk's answer shows where our request seemed to come from. On a connection the port is that of the connection."""
        if facing.trunk is None or via.received is None or not self.learns(facing) or not _may_be_ours(via.received):
            return
        key = (facing.trunk.id, facing.transport)
        port = via.rport if facing.transport == "udp" and 0 < (via.rport or 0) < 2**16 else None
        self._learnt.pop(key, None)
        self._learnt[key] = (via.received.strip("[]"), port)
        if len(self._learnt) > MAX_LEARNT:
            del self._learnt[next(iter(self._learnt))]

    def _learnt_of(self, facing: Facing) -> tuple[str, int | None] | None:
        if not self._learnt or facing.trunk is None:
            return None
        learnt = self._learnt.get((facing.trunk.id, facing.transport))
        return learnt if learnt is not None and _fits(learnt[0], facing.host) else None

    def _configured(self, facing: Facing) -> str | None:
        """An address of the other family is none that this peer could reach."""
        if facing.trunk is None and self._told.advertised is None and self._told.secure is None:
            return None
        named = (
            None if facing.trunk is None else facing.trunk.options.advertised_address,
            self._told.secure if facing.transport == "tls" else None,
            self._told.advertised,
        )
        return next((host.strip("[]") for host in named if host and _fits(host, facing.host)), None)


def _fits(host: str, peer: str | None) -> bool:
    return peer is None or not numeric(host) or (":" in host) == (":" in peer)


def _may_be_ours(host: str) -> bool:
    """Whether peers could send anything to this address at all."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast)


@lru_cache(1024)
def _is_within(host: str, nets: tuple[str, ...]) -> bool:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return any(address in net for net in _networks(nets))


@lru_cache(256)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    found = []
    for text in texts:
        try:
            found.append(ip_network(text, strict=False))
        except ValueError:
            continue
    return tuple(found)
