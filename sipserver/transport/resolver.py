"""What `locate` asks of the DNS, answered: services by dnspython, addresses as the system knows them, hosts file included."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
import structlog

from sipserver.locate import Lookup, Pointer, Record, Service, Transport

log = structlog.get_logger(__name__)

ADDRESS_SECONDS = 30.0
"""The system does not tell for how long its answers hold."""
NOTHING_SECONDS = 10.0
"""How long it is believed that there is nothing; a DNS that is silent is not waited for again by each call."""
MAX_SECONDS = 3600.0
MAX_NAMES = 1000
_SERVICE_SECONDS = 2.0
_ADDRESS_WAIT = 5.0
_TRANSPORTS: dict[str, Transport] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}

Held = tuple[float, Sequence[Record]]


class Resolver:
    """Remembers `MAX_NAMES` answers, the latest. `family` is that of the addresses (AF_UNSPEC: of both).

    `clock` gives seconds that never go back, `servers` is where services are asked for: by default those that
    the system is configured with.
    """

    def __init__(
        self,
        family: socket.AddressFamily,
        clock: Callable[[], float],
        servers: dns.asyncresolver.Resolver | None = None,
    ) -> None:
        self._family = family
        self._clock = clock
        self._servers = servers or _configured()
        self._known: dict[Lookup, Held] = {}

    async def answer(self, lookup: Lookup) -> Sequence[Record]:
        """The records, from memory while they hold; empty where there are none, or where the DNS is silent."""
        held = self._known.pop(lookup, None)
        if held is None or held[0] <= self._clock():
            seconds, records = await self._ask(lookup)
            held = self._clock() + (min(seconds, MAX_SECONDS) if records else NOTHING_SECONDS), records
        self._known[lookup] = held
        if len(self._known) > MAX_NAMES:
            del self._known[next(iter(self._known))]
        return held[1]

    async def _ask(self, lookup: Lookup) -> Held:
        """For how many seconds the answer holds, and the answer."""
        if lookup.kind == "address":
            return ADDRESS_SECONDS, await self._addresses(lookup.name)
        if self._servers is None or not _is_public(lookup.name):
            return 0.0, ()
        try:
            found = await self._servers.resolve(
                lookup.name, lookup.kind.upper(), lifetime=_SERVICE_SECONDS, search=False
            )
        except (dns.exception.DNSException, OSError) as error:
            if not isinstance(error, (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)):
                log.info("sip_services_not_found", name=lookup.name, error=type(error).__name__)
            return 0.0, ()
        records = [record for each in found if (record := _record(each)) is not None]
        return float(found.rrset.ttl) if found.rrset is not None else 0.0, records

    async def _addresses(self, name: str) -> Sequence[str]:
        try:
            async with asyncio.timeout(_ADDRESS_WAIT):
                found = await asyncio.get_running_loop().getaddrinfo(
                    name, None, family=self._family, type=socket.SOCK_DGRAM
                )
        except (OSError, TimeoutError, UnicodeError):
            log.info("sip_name_not_found", name=name)
            return ()
        return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


def _configured() -> dns.asyncresolver.Resolver | None:
    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        return None


def _is_public(name: str) -> bool:
    """Whether there may be services: the name of a machine in its own network, such as localhost, has none."""
    labels = [label for label in name.split(".") if label and not label.startswith("_")]
    return len(labels) > 1


def _record(data: Any) -> Service | Pointer | None:
    """A record of ours; None for a NAPTR that is not of SIP over a transport that we know (RFC 3263 section 4.1)."""
    if data.rdtype == dns.rdatatype.SRV:
        return Service(data.priority, data.weight, data.port, data.target.to_text())
    transport = _TRANSPORTS.get(data.service.decode("ascii", "replace").upper())
    if transport is None or data.flags.lower() != b"s":
        return None
    return Pointer(data.order, data.preference, transport, data.replacement.to_text(omit_final_dot=True))
