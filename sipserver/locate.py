"""Where a request goes: from a URI to transports, addresses and ports (RFC 3263 section 4), without asking anybody itself.

`locate` is a generator: what it wants to know of the DNS it yields, what the DNS knows it is sent, and what it comes to it
returns. A URI with a numeric host asks nothing, one with a port for addresses only, others for services first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal

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
class Service:
    """An SRV record (RFC 2782): the smaller `priority` first, among equals by chance, in proportion to `weight`."""

    priority: int
    weight: int
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """A NAPTR record of SIP (RFC 3263 section 4.1): the transport, and the name whose SRV records are to be asked for."""

    order: int
    preference: int
    transport: Transport
    name: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question to the DNS: the addresses (A and AAAA) of a name, its SRV records, or its NAPTR records for SIP.

    The answer is a sequence of numeric hosts (best first), of `Service`, or of `Pointer`; empty for what is not there.
    """

    name: str
    kind: Literal["address", "srv", "naptr"] = "address"


class LocateError(ValueError):
    """There is no way to the target; the sentence says why."""


Record = str | Service | Pointer
Location = Generator[Lookup, Sequence[Any], tuple[Target, ...]]

MAX_TARGETS = 8
"""Targets of one request: whoever has not answered at eight addresses will not at the ninth."""
_SERVICES: dict[Transport, str] = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


def locate(uri: SipUri, spoken: Collection[Transport], random: Callable[[], float]) -> Location:
    """The targets of a request to this URI, in the order in which they are to be tried (RFC 3263 section 4).

    `spoken` are the transports to choose from where the URI leaves the choice, `random` gives numbers of [0, 1) for the weights
    of SRV. Raises LocateError for a transport that nobody speaks and for a name without address.
    """
    transport = transport_of(uri)
    host = str(uri.params.get("maddr") or uri.host).strip("[]")
    if numeric(host):
        return (Target(transport, host, uri.port or default_port(transport)),)
    if uri.port is not None:
        targets = yield from _at(transport, host, uri.port, host)
    else:
        targets = yield from _by_services(uri, host, spoken, random)
        if not targets:
            targets = yield from _at(transport, host, default_port(transport), host)
    if not targets:
        raise LocateError(f"{host} has no address")
    return targets[:MAX_TARGETS]


def _by_services(
    uri: SipUri, domain: str, spoken: Collection[Transport], random: Callable[[], float]
) -> Generator[Lookup, Sequence[Any], tuple[Target, ...]]:
    """By the domain's SRV records, over the transport that is asked for, or those that its NAPTR records prefer."""
    if uri.scheme == "sips" or uri.params.get("transport"):
        transport = transport_of(uri)
        pointers = [Pointer(0, 0, transport, f"{_SERVICES[transport]}.{domain}")]
    else:
        found = yield Lookup(domain, "naptr")
        usable = [pointer for pointer in found if pointer.transport in spoken]
        pointers = sorted(usable, key=lambda pointer: (pointer.order, pointer.preference))
    if not pointers:
        pointers = [Pointer(0, 0, each, f"{_SERVICES[each]}.{domain}") for each in _SERVICES if each in spoken]
    targets: tuple[Target, ...] = ()
    for pointer in pointers:
        services = yield Lookup(pointer.name, "srv")
        # A host of "." says that the service is not there (RFC 2782).
        for service in in_order([each for each in services if each.host.strip(".")], random):
            targets += yield from _at(pointer.transport, service.host.rstrip("."), service.port, domain)
            if len(targets) >= MAX_TARGETS:
                return targets
        if targets:
            return targets
    return targets


def _at(
    transport: Transport, host: str, port: int, domain: str
) -> Generator[Lookup, Sequence[Any], tuple[Target, ...]]:
    addresses = yield Lookup(host)
    name = domain if transport == "tls" else None
    return tuple(Target(transport, address, port, server_name=name) for address in addresses)


def in_order(services: Sequence[Service], random: Callable[[], float]) -> list[Service]:
    """SRV records as they are to be tried: by priority, and within one by weighted chance (RFC 2782)."""
    ordered: list[Service] = []
    for priority in sorted({service.priority for service in services}):
        # Those of weight 0 first, so that they keep a very small chance.
        left = sorted((each for each in services if each.priority == priority), key=lambda each: each.weight > 0)
        while left:
            point = random() * sum(each.weight for each in left)
            for each in left:
                point -= each.weight
                if point <= 0:
                    break
            ordered.append(each)
            left.remove(each)
    return ordered


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
