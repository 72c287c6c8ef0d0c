"""The one HTTP client for URLs that a user gave: it cannot be talked into reaching this house's own network.

A name is resolved here, every address it has is judged, and the connection goes to the judged address (not to a second,
perhaps different, resolution), with the name in Host and SNI. Public addresses over https pass; private, loopback, link-local
and other special ones, and http, only where the operator's `egress.allow` names them. Redirects are never followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?")
MAX_ANSWER = 64 * 1024

_EMBEDDING = tuple(ipaddress.IPv6Network(block) for block in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
"""Blocks whose last 32 bits are an IPv4 address: compatible, translated (RFC 2765), NAT64."""
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
"""RFC 8215: where the IPv4 address stands in it is the network's own affair."""


class EgressRefused(Exception):
    """This URL may not be reached; the text says why."""


class EgressFailed(Exception):
    """The other side could not be reached, or did not answer in time; the text says what happened, without the URL's query."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status and the beginning of the body, of a POST's answer 64 KiB."""

    status: int
    body: bytes


class EgressPolicy:
    """What `egress.allow` says: addresses and CIDR blocks, or host names, that may be private and may speak http."""

    def __init__(self, allow: Sequence[str]) -> None:
        """Raises ValueError for an entry that is neither a network nor a host name."""
        self._networks = []
        self._hosts = set()
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                if not entry or "/" in entry or " " in entry:
                    raise ValueError(f"egress.allow: {entry!r} is no address, CIDR block or host name") from None
                self._hosts.add(entry.lower().rstrip("."))

    def check_url(self, url: str) -> str | None:
        """The sentence that refuses a URL as it stands (before its name is resolved); None when it may be tried."""
        try:
            # Read by the one who will send to it: a second parser might find another host in it.
            target = httpx.URL(url)
            name = target.raw_host.decode("ascii")
            name.encode("idna")
        except (httpx.InvalidURL, UnicodeError):
            return "must be a URL"
        if target.scheme not in ("https", "http"):
            return "must be an https URL"
        host, port = target.host, target.port
        if (_literal(name) is None and _NAME.fullmatch(name) is None) or (port is not None and not 0 < port < 65536):
            return "must be a URL with a host name or an address"
        if target.userinfo:
            return "must not carry credentials"
        literal = _literal(host)
        if literal is not None:
            return self._judge(literal, host, target.scheme)
        if target.scheme == "http" and host.lower() not in self._hosts and not self._networks:
            return "must be an https URL; http only to what the setting egress.allow names"
        return None

    def pick(self, addresses: Sequence[Address], host: str, scheme: str) -> Address:
        """The address to connect to. Raises EgressRefused unless *every* address of the name may be reached."""
        for address in addresses:
            refusal = self._judge(address, host, scheme)
            if refusal is not None:
                raise EgressRefused(f"{host}: {refusal}")
        return addresses[0]

    def _judge(self, address: Address, host: str, scheme: str) -> str | None:
        address = _inner(address)
        named = host.lower().rstrip(".") in self._hosts or any(address in network for network in self._networks)
        if named:
            return None
        if not address.is_global or address.is_multicast or address.is_reserved or _is_local(address):
            return "is a private address; the setting egress.allow must name it"
        return None if scheme == "https" else "must be an https URL; http only to what the setting egress.allow names"


class Egress:
    """Sends requests under a policy. One per server; `aclose` at the end."""

    def __init__(self, policy: EgressPolicy, timeout: float = 15.0) -> None:
        self._policy = policy
        self._timeout = timeout
        # No connection is kept: the pool knows them by address, and would send for one name over what was verified for another.
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False, limits=limits)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST `body`. Raises EgressRefused, or EgressFailed when nothing came back in time."""
        return await self._ask("POST", url, body, headers, MAX_ANSWER)

    async def get(self, url: str, most: int) -> Answer:
        """GET, of the body the first `most` octets. Raises as `post` does."""
        return await self._ask("GET", url, b"", {}, most)

    async def _ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str], most: int) -> Answer:
        refusal = self._policy.check_url(url)
        if refusal is not None:
            raise EgressRefused(refusal)
        target = httpx.URL(url)
        try:
            async with asyncio.timeout(self._timeout):
                address = self._policy.pick(await _resolve(target.host, target.port), target.host, target.scheme)
                return await self._send(method, target, address, body, headers, most)
        except TimeoutError:
            raise EgressFailed(f"no answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            raise EgressFailed(f"{type(error).__name__}: {error}") from None

    async def _send(
        self, method: str, target: httpx.URL, address: Address, body: bytes, headers: Mapping[str, str], most: int
    ) -> Answer:
        request = self._client.build_request(
            method,
            target.copy_with(host=str(address)),
            content=body,
            headers={**headers, "Host": target.netloc.decode("ascii")},
            extensions={"sni_hostname": target.host},
        )
        response = await self._client.send(request, stream=True)
        try:
            return Answer(response.status_code, await _first(response, most))
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def _is_local(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address in _LOCAL_NAT64)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to through a mapping, NAT64 (RFC 6052) or a tunnel; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and any(address in network for network in _EMBEDDING):
        inner = ipaddress.IPv4Address(address.packed[-4:])
    return inner or address


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def _resolve(host: str, port: int | None) -> Sequence[Address]:
    literal = _literal(host)
    if literal is not None:
        return [literal]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(item[4][0]) for item in found]


async def _first(response: httpx.Response, size: int) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= size:
            break
    return bytes(body[:size])
