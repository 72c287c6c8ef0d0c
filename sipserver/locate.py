"""Where a request goes: from a URI to a transport, an address and a port (RFC 3263 section 4), without asking anybody itself.

`locate` is a generator: what it wants to know of the DNS it yields, what the DNS knows it is sent, and what it comes to it
returns. A URI with a numeric host asks nothing, a name asks for its addresses.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from sipserver.legs import Source
from sipserver.message import SipUri

Transport = Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message is sent. `flow` is the connection to be used for it while it lasts (RFC 3261 section 18.2.2).

    `server_name` is the domain that a TLS server's certificate has to speak for: the one that was asked for, whatever SRV and
    addresses it led to (RFC 5922 section 4). None: there is none but the address.
    """

    transport: Transport
    host: str
    port: int
    flow: Source | None = None
    server_name: str | None = None

    @property
    def reliable(self) -> bool:
        """Whether the transport repeats by itself."""
        return self.transport != "udp"

    @property
    def connection(self) -> Source:
        """The connection of ours that leads there, where the transport has connections."""
        return Source(self.transport, self.host.strip("[]"), self.port, self.server_name)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question to the DNS: the addresses (A and AAAA) of a name. The answer is a sequence of numeric hosts, best first."""

    name: str


class LocateError(ValueError):
    """There is no way to the target; the sentence says why."""


Location = Generator[Lookup, Sequence[str], Target]


def locate(uri: SipUri) -> Location:
    """The target of a request to this URI. Raises LocateError for a transport that nobody speaks or a name without address."""
    transport = transport_of(uri)
    host = str(uri.params.get("maddr") or uri.host).strip("[]")
    port = uri.port or default_port(transport)
    if numeric(host):
        return Target(transport, host, port)
    addresses = yield Lookup(host)
    if not addresses:
        raise LocateError(f"{host} has no address")
    return Target(transport, addresses[0], port, server_name=host if transport == "tls" else None)


def transport_of(uri: SipUri) -> Transport:
    """The transport that a URI asks for; UDP when it does not say (RFC 3263 section 4.1)."""
    named = (uri.params.get("transport") or "").lower()
    if uri.scheme == "sips" and named == "udp":
        raise LocateError("sips: does not go over udp")
    if uri.scheme == "sips" or named == "tls":
        return "tls"
    if named in ("", "udp"):
        return "udp"
    if named == "tcp":
        return "tcp"
    raise LocateError(f"transport {named} is not spoken here")


def default_port(transport: Transport) -> int:
    """5061 for TLS, else 5060 (RFC 3261 section 19.1.2)."""
    return 5061 if transport == "tls" else 5060


def numeric(host: str) -> bool:
    """Whether a host is an address, of either family, in brackets or without."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
