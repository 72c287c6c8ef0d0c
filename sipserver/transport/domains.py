"""Whom a certificate speaks for: SIP domains in certificates (RFC 5922 section 7), without touching a socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from sipserver.message import MessageError, SipUri

Certificate = Mapping[str, Any]
"""A verified certificate as `ssl.SSLSocket.getpeercert` tells it."""


def speaks_for(certificate: Certificate | None, host: str) -> bool:
    """Whether the certificate is one of `host`, which is a name, or an address where nothing but an address was configured.

    Names are compared without case; the subject's common name counts for nothing. RFC 5922 section 7.2 knows no wildcards, but
    carriers that give each customer a host name of its own have certificates with them: `*` counts where it is the whole
    leftmost label, stands for exactly one label, and two more follow.
    """
    names = tuple(certificate.get("subjectAltName", ())) if certificate else ()
    address = _address(host)
    if address is not None:
        return any(kind == "IP Address" and _address(value) == address for kind, value in names)
    wanted = _plain(host)
    return any(wanted == domain or _covers(domain, wanted) for domain in domains(names))


def domains(names: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The SIP domains among the alternative names: the hosts of `sip:` URIs without user, and only if there is none, the DNS
    names (RFC 5922 section 7.1).
    """
    listed = tuple(names)
    uris = tuple(filter(None, (_domain_of(value) for kind, value in listed if kind == "URI")))
    return uris or tuple(_plain(value) for kind, value in listed if kind == "DNS")


def _domain_of(uri: str) -> str | None:
    try:
        parsed = SipUri.parse(uri)
    except MessageError:
        return None
    return _plain(parsed.host) if parsed.scheme == "sip" and parsed.user is None else None


def _covers(pattern: str, name: str) -> bool:
    first, _, rest = pattern.partition(".")
    return first == "*" and "." in rest and "*" not in rest and name.partition(".")[2] == rest


def _plain(name: str) -> str:
    """A name as it is compared: lower case, without the dot of the root."""
    return name.lower().removesuffix(".")


def _address(text: str) -> object | None:
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None
