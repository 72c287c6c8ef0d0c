"""Phone numbers, with the SIP fields of the trunk that they come by."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from control_api.models.base import Body, Dialled, Id, JsonObject, Resource, Time
from control_api.models.reception import BlockedCallers, Fallback, OpeningHours

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PROXY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def is_host(text: str) -> bool:
    """An address or a host name; a name's last label has a letter, or it would be a mistyped address."""
    if is_address(text):
        return True
    return bool(_HOST.fullmatch(text)) and not text.rstrip(".").rpartition(".")[2].isdigit()


def split_sources(text: str) -> list[str]:
    """`sipIp` may name several, with commas or spaces between."""
    return [part for part in re.split(r"[,\s]+", text) if part]


def _host(text: str) -> str:
    if not is_host(text):
        raise ValueError("must be a host name or an address; the port has a field of its own")
    return text


def host_of(proxy: str) -> str:
    """The host of an outbound proxy that may come with its port: `proxy.example.com:5080`, `[2001:db8::1]:5080`."""
    bracketed, bare = _PROXY.fullmatch(proxy), is_address(proxy)
    return proxy if bare or bracketed is None else (bracketed["six"] or bracketed["host"])


def _proxy(text: str) -> str:
    match = _PROXY.fullmatch(text)
    port = None if match is None else match["port"]
    if not is_host(host_of(text)) or (port is not None and not 1 <= int(port) <= 65535):
        raise ValueError("must be a host name or an address, with `:port` where it is not 5060")
    return text


def _sources(text: str) -> str:
    wrong = [part for part in split_sources(text) if not (is_host(part) or is_network(part))]
    if wrong or not split_sources(text):
        raise ValueError("must be addresses, CIDR blocks or host names")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must have no control characters")
    return text


Host = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_host)]
Proxy = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_proxy)]
Sources = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_sources)]
User = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_printable)]
Password = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]
Port = Annotated[int, Field(ge=1, le=65535)]
Transport = Literal["udp", "tcp", "tls"]
Provider = Literal["twilio", "sip", "voximplant", "jambonz"]
Mode = Literal["registration", "ip_allowlist"]

READ_ONLY = frozenset({"id", "organizationId", "sip", "registration", "health", "createdAt", "updatedAt"})


class SipFields(Body):
    """Where a trunk is, and how it knows us. Which fields are needed depends on `sipMode`."""

    sip_mode: Mode = "registration"
    sip_username: User | None = None
    sip_password: Password | None = None
    sip_proxy: Host | None = None
    sip_port: Port = 5060
    sip_outbound_proxy: Proxy | None = None
    sip_auth_user: User | None = None
    sip_register_transport: Transport = "udp"
    sip_ip: Sources | None = None
    sip_protocol: Transport = "udp"


class NumberSettings(SipFields):
    """What can be set of a number. `trunkId` names a trunk of `/trunks`; else the SIP fields describe one."""

    READ_ONLY: ClassVar[frozenset[str]] = READ_ONLY

    name: Annotated[str | None, Field(max_length=255)] = None
    agent_id: Id | None = None
    metadata: JsonObject = Field(default_factory=dict)
    provider: Provider = "sip"
    trunk_id: Id | None = None
    opening_hours: OpeningHours | None = None
    fallback: Fallback | None = None
    blocked_callers: BlockedCallers = Field(default_factory=list)
    twilio_account_sid: Annotated[str | None, Field(max_length=255)] = None
    twilio_auth_token: Annotated[str | None, Field(max_length=255)] = None


class NumberCreate(NumberSettings):
    """`id` is for moving an installation."""

    number: Dialled
    id: Id | None = None


class NumberUpdate(NumberSettings):
    """Only what is sent is changed."""

    number: Dialled = ""


class Sip(Resource):
    """The trunk's settings without its secrets. The fields of the other mode are null."""

    username: str | None
    proxy: str | None
    outbound_proxy: str | None
    auth_user: str | None
    ip: str | None
    port: int
    transport: Literal["udp", "tcp", "tls", "auto"]


class Registration(Resource):
    """How our registration at the trunk stands: of numbers with `sipMode` `registration`.

    `failed` is tried again by itself, `stopped` is not: the registrar answered 403, or the server is going down.
    """

    status: Literal["registering", "registered", "failed", "stopped"]
    expires_at: Time | None
    last_error: str | None


class Health(Resource):
    """What the last OPTIONS to the trunk came to: of numbers with `sipMode` `ip_allowlist`. `unknown`: it has never answered one."""

    status: Literal["up", "down", "unknown"]
    checked_at: Time | None
    round_trip_ms: float | None
    last_error: str | None


class PhoneNumber(Resource):
    """A number as it is read: never a credential."""

    id: Id
    name: str | None
    number: str
    provider: Provider
    sip_mode: Mode
    agent_id: Id | None
    created_at: Time
    updated_at: Time
    organization_id: Id
    trunk_id: Id
    metadata: JsonObject
    opening_hours: OpeningHours | None
    fallback: Fallback | None
    blocked_callers: BlockedCallers
    sip: Sip
    registration: Registration | None
    health: Health | None
