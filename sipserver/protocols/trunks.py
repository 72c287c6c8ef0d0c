"""Trunks, their options, and how they are doing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class TrunkOptions:
    """How calls over a trunk are made and taken: the options of the contract's `/trunks`, with its defaults.

    `number_format`: how numbers stand in the URIs of this trunk, both ways; `region` (ISO 3166-1) reads those without a plus.
    `from_user` replaces the caller id in From, which then stands in the header that `identity` names (RFC 3325, RFC 5806).
    `identity_format`: how the caller id is written: as numbers are `dialled`, or in a form of its own.
    `session_timer` in seconds (RFC 4028), None: only when the peer asks for it. `codecs` are encoding names in our order,
    `ptime` milliseconds. `max_channels`, `max_calls_per_second`, `ring_timeout_seconds` None: no limit of the trunk's own.
    `advertised_address`: the host in Via, Contact and SDP; peers inside `local_nets` (CIDR) see our own address instead.
    `failover_hosts`: where calls go, in this order, that the trunk's own host does not take; calls may come from them too.
    `rtcp_xr`: we ask its peers for extended reports (RFC 3611); they get ours where they ask.
    `auth_realm`: the one realm whose challenges are answered; None: whichever the trunk names.
    `caller_id`: where an inbound caller's number is read; `context_headers`: names of headers that become variables.
    """

    number_format: Literal["e164", "national", "raw"] = "e164"
    region: str | None = None
    from_user: str | None = None
    identity: Literal["none", "pai", "ppi", "diversion"] = "none"
    identity_format: Literal["dialled", "e164", "digits", "national"] = "dialled"
    privacy: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    ptime: int = 20
    srtp: Literal["off", "preferred", "required"] = "off"
    session_timer: int | None = None
    reliable100: Literal["off", "supported", "required"] = "supported"
    max_channels: int | None = None
    max_calls_per_second: float | None = None
    ring_timeout_seconds: int | None = None
    advertised_address: str | None = None
    local_nets: tuple[str, ...] = ()
    accept_refer: bool = False
    catch_all_agent_id: str | None = None
    caller_id: Literal["pai", "from"] = "pai"
    context_headers: tuple[str, ...] = ("User-to-User",)
    follow_redirects: bool = False
    failover_hosts: tuple[str, ...] = ()
    rtcp_xr: bool = False
    auth_realm: str | None = None


@dataclass(frozen=True, slots=True)
class Trunk:
    """A way to the telephone network.

    `host` is where calls are sent (registrar, proxy or peer), `sources` what calls may come from: addresses, CIDR
    blocks or names. `username`/`password` answer the trunk's own challenges only. `transport` `auto`: the DNS decides
    (RFC 3263 section 4.1). Who shows the inbound ones, from wherever, is this trunk's peer: we challenge those whom we do not know.
    """

    id: str
    organization_id: str
    mode: Literal["registration", "ip_allowlist"]
    host: str
    port: int = 5060
    transport: Literal["udp", "tcp", "tls", "auto"] = "udp"
    sources: tuple[str, ...] = ()
    outbound_proxy: str | None = None
    username: str | None = None
    auth_user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: TrunkOptions = TrunkOptions()
    inbound_username: str | None = None
    inbound_password: str | None = field(default=None, repr=False)

    def each_host(self) -> tuple[Trunk, ...]:
        """The trunk once for each of its hosts, as if it had no other, its own first."""
        hosts = (self.host, *self.options.failover_hosts)
        alone = replace(self.options, failover_hosts=())
        return (self,) if len(hosts) == 1 else tuple(replace(self, host=host, options=alone) for host in hosts)


@dataclass(frozen=True, slots=True)
class RegistrationState:
    """How our registration at a trunk stands. `expires_at` in microseconds; None where the registrar holds no binding of ours.

    `failed`: it is tried again by itself. `stopped`: it is not (the registrar forbade it with 403, or the node drains).
    """

    status: Literal["registering", "registered", "failed", "stopped"]
    expires_at: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class TrunkHealth:
    """What the last OPTIONS came to. `unknown`: the trunk has never answered one. `round_trip_ms` None without an answer."""

    status: Literal["up", "down", "unknown"]
    checked_at: int | None
    round_trip_ms: float | None
    last_error: str | None


class TrunkStates(Protocol):
    """How trunks are doing, from memory."""

    def registration(self, trunk_id: str) -> RegistrationState | None:
        """None where we do not register."""

    def health(self, trunk_id: str) -> TrunkHealth | None:
        """None where we do not probe."""
