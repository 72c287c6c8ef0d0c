"""Trunks as a resource: the SIP fields once for many numbers, and how calls over them are made and taken."""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar, Literal

import phonenumbers
from pydantic import AfterValidator, Field, model_validator

from control_api.models.base import Body, Id, Time
from control_api.models.phone_number import Health, Host, Password, Registration, SipFields, User

TrunkTransport = Literal["auto", "udp", "tcp", "tls"]
Codec = Literal["PCMU", "PCMA", "G722", "opus", "L16"]

_WRITTEN = """accept accept-encoding accept-language alert-info allow allow-events authentication-info authorization call-id contact
    cseq date diversion event expires from history-info max-forwards mime-version min-expires min-se p-asserted-identity
    p-preferred-identity path privacy proxy-authenticate proxy-authorization proxy-require rack reason record-route refer-to
    referred-by replaces require retry-after route rseq server service-route session-expires sip-etag subject subscription-state
    supported target-dialog to unsupported user-agent via warning www-authenticate
    a b c d e f i j k l m o r s t u v x"""
OURS = frozenset(_WRITTEN.split())
"""Headers that the stack writes itself, with their short forms (RFC 3261 section 7.3.3)."""
SECRET = frozenset({"authorization", "proxy-authorization"})

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9.!%*_+`'~-]+$", examples=["X-Account"])]


def _custom(name: str) -> str:
    if name.lower() in OURS or name.lower().startswith("content-"):
        raise ValueError("is a header that the server writes itself")
    return name


def _readable(name: str) -> str:
    if name.lower() in SECRET:
        raise ValueError("holds credentials, which become no variable")
    return name


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be on one line, without control characters")
    return text


def _region(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be the code of a country, such as US or DE")
    return text


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"must be a CIDR block: {error}") from None
    return text


def _once(values: list[str]) -> list[str]:
    if len({value.lower() for value in values}) != len(values):
        raise ValueError("must name each only once")
    return values


class Header(Body):
    """A header that is added to each INVITE over the trunk."""

    name: Annotated[Name, AfterValidator(_custom)]
    value: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]


class TrunkOptions(Body):
    """How calls over the trunk are made and taken. Null is: no limit of the trunk's own, or the server's default."""

    number_format: Literal["e164", "national", "raw"] = "e164"
    region: Annotated[str, Field(min_length=2, max_length=2), AfterValidator(_region)] | None = None
    from_user: User | None = None
    identity: Literal["none", "pai", "ppi", "diversion"] = "none"
    identity_format: Literal["dialled", "e164", "digits", "national"] = "dialled"
    privacy: bool = False
    headers: Annotated[list[Header], Field(max_length=20, default_factory=list)]
    codecs: Annotated[
        list[Codec], Field(min_length=1, max_length=5, default_factory=lambda: ["PCMU", "PCMA"]), AfterValidator(_once)
    ]
    ptime: Annotated[int, Field(ge=10, le=60, multiple_of=10)] = 20
    srtp: Literal["off", "preferred", "required"] = "off"
    session_timer: Annotated[int, Field(ge=90, le=86_400)] | None = None
    reliable100: Literal["off", "supported", "required"] = "supported"
    max_channels: Annotated[int, Field(ge=1, le=10_000)] | None = None
    max_calls_per_second: Annotated[float, Field(ge=0.1, le=1000)] | None = None
    ring_timeout_seconds: Annotated[int, Field(ge=5, le=300)] | None = None
    advertised_address: Host | None = None
    local_nets: Annotated[
        list[Annotated[str, Field(max_length=50), AfterValidator(_network)]], Field(max_length=50, default_factory=list)
    ]
    accept_refer: bool = False
    catch_all_agent_id: Id | None = None
    caller_id: Literal["pai", "from"] = "pai"
    context_headers: Annotated[
        list[Annotated[Name, AfterValidator(_readable)]],
        Field(max_length=20, default_factory=lambda: ["User-to-User"]),
        AfterValidator(_once),
    ]
    follow_redirects: bool = False
    failover_hosts: Annotated[list[Host], Field(max_length=7, default_factory=list), AfterValidator(_once)]
    rtcp_xr: bool = False
    auth_realm: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)] | None = None

    @model_validator(mode="after")
    def _reads_national_numbers(self) -> TrunkOptions:
        for name, written in (("number_format", "numberFormat"), ("identity_format", "identityFormat")):
            if getattr(self, name) == "national" and name in self.model_fields_set and self.region is None:
                raise ValueError(f"{written} national needs the region whose numbers these are")
        return self


OPTIONS = frozenset(field.alias or name for name, field in TrunkOptions.model_fields.items())


class TrunkSettings(SipFields, TrunkOptions):
    """What can be set of a trunk. Which SIP fields are needed depends on `sipMode`.

    `transport` stands for sipRegisterTransport or sipProtocol, whichever the mode has, and may also be `auto`: NAPTR and SRV
    records decide (RFC 3263). `inboundUsername` and `inboundPassword` are for peers whose addresses cannot be known: an INVITE from
    an unknown source is challenged for them. With them `ip_allowlist` needs no `sipIp`.
    """

    READ_ONLY: ClassVar[frozenset[str]] = frozenset(
        {"id", "organizationId", "registration", "health", "numbers", "createdAt", "updatedAt"}
    )

    name: Annotated[str | None, Field(max_length=255)] = None
    transport: TrunkTransport | None = None
    inbound_username: User | None = None
    inbound_password: Password | None = None


class TrunkCreate(TrunkSettings):
    """`id` is for moving an installation."""

    id: Id | None = None


class TrunkUpdate(TrunkSettings):
    """Only what is sent is changed."""


class Trunk(TrunkSettings):
    """A trunk as it is read. A password is shown as `********`; `numbers` is how many come by it."""

    id: Id
    organization_id: Id
    transport: TrunkTransport
    registration: Registration | None
    health: Health | None
    numbers: int
    created_at: Time
    updated_at: Time
