"""The SIP fields of a number, and the trunk that they describe."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping
from typing import Any

from control_api.errors import ApiError, invalid
from control_api.models.base import MASK
from control_api.models.phone_number import Mode, Sip, host_of, is_address, is_host, split_sources
from control_api.secrets import SecretBox
from control_api.store.trunks import TrunkRow

HOSTED = frozenset({"twilio", "voximplant", "jambonz"})
REQUIRED: Mapping[Mode, tuple[str, ...]] = {
    "registration": ("sipUsername", "sipPassword", "sipProxy"),
    "ip_allowlist": ("sipIp",),
}
TRANSPORT: Mapping[Mode, str] = {"registration": "sipRegisterTransport", "ip_allowlist": "sipProtocol"}
FIELDS = frozenset(
    {
        "sipMode",
        "sipUsername",
        "sipPassword",
        "sipProxy",
        "sipPort",
        "sipOutboundProxy",
        "sipAuthUser",
        "sipRegisterTransport",
        "sipIp",
        "sipProtocol",
    }
)


INBOUND = frozenset({"inboundUsername", "inboundPassword"})
"""Fields of `/trunks` alone."""


def refuse_hosted(given: Mapping[str, Any]) -> None:
    """Raises ApiError 400 for the hosted providers."""
    provider = given.get("provider", "sip")
    if provider in HOSTED:
        raise ApiError(400, f"Take {provider}'s SIP trunk and use provider `sip`.")
    if given.get("twilioAccountSid") is not None or given.get("twilioAuthToken") is not None:
        raise ApiError(400, "Take twilio's SIP trunk and use provider `sip`.")


def trunk_from(fields: Mapping[str, Any], organization_id: str, box: SecretBox, now: int) -> TrunkRow:
    """The trunk of a complete set of SIP fields. Raises ApiError 400, naming what is missing or not available."""
    mode: Mode = fields["sipMode"]
    needed = () if mode == "ip_allowlist" and fields.get("inboundUsername") else REQUIRED[mode]
    problems = [(name, f"is required when sipMode is {mode}") for name in needed if not fields.get(name)]
    if mode == "registration" and fields.get("sipPassword") == MASK and not fields.get("sealedPassword"):
        problems.append(("sipPassword", "is the mask of a password, and there is none to be kept"))
    if bool(fields.get("inboundUsername")) is not bool(fields.get("inboundPassword")):
        problems.append(("inboundPassword", "goes with inboundUsername: both, or neither"))
    if fields.get("inboundPassword") == MASK and not fields.get("sealedInboundPassword"):
        problems.append(("inboundPassword", "is the mask of a password, and there is none to be kept"))
    if problems:
        raise invalid(*problems)
    make = _registration if mode == "registration" else _allowlist
    return TrunkRow(
        id=str(uuid.uuid4()),
        organization_id=organization_id,
        mode=mode,
        port=fields["sipPort"],
        transport=fields.get("transport") or fields[TRANSPORT[mode]],
        created_at=now,
        updated_at=now,
        inbound_username=fields.get("inboundUsername"),
        inbound_password=fields.get("sealedInboundPassword") or box.seal_optional(fields.get("inboundPassword")),
        **make(fields, box),
    )


def fields_of(trunk: TrunkRow) -> dict[str, Any]:
    """The SIP fields that describe a trunk; its password as the mask."""
    fields = {"sipMode": trunk.mode, "sipPort": trunk.port, "sipRegisterTransport": "udp", "sipProtocol": "udp"}
    fields |= _inbound(trunk)
    if trunk.mode == "ip_allowlist":
        return {**fields, "sipIp": ", ".join(trunk.sources) or None, "sipProtocol": trunk.transport}
    return {
        **fields,
        "sipUsername": trunk.username,
        "sipPassword": MASK,
        "sipProxy": trunk.host,
        "sipOutboundProxy": trunk.outbound_proxy,
        "sipAuthUser": trunk.auth_user,
        "sipRegisterTransport": trunk.transport,
    }


def changed(trunk: TrunkRow, given: Mapping[str, Any], box: SecretBox, now: int) -> TrunkRow:
    """What these SIP fields make of a trunk. What is not given stays, the password too while the mode does.

    Raises ApiError 400, naming what is missing.
    """
    fields = fields_of(trunk)
    if given.get("sipMode", trunk.mode) != trunk.mode:
        fields = {"sipPort": 5060, "sipRegisterTransport": "udp", "sipProtocol": "udp", **_inbound(trunk)}
    fields |= {name: value for name, value in given.items() if name in FIELDS | INBOUND or name == "transport"}
    if fields.get("sipPassword") == MASK:
        fields["sealedPassword"] = trunk.password
    if fields.get("inboundPassword") == MASK:
        fields["sealedInboundPassword"] = trunk.inbound_password
    return trunk_from(fields, trunk.organization_id, box, now)


def sip_of(trunk: TrunkRow) -> Sip:
    """What of a trunk may be read."""
    listed = trunk.mode == "ip_allowlist"
    return Sip(
        username=trunk.username,
        proxy=None if listed else trunk.host,
        outbound_proxy=trunk.outbound_proxy,
        auth_user=trunk.auth_user,
        ip=", ".join(trunk.sources) if listed else None,
        port=trunk.port,
        transport=trunk.transport,
    )


def _inbound(trunk: TrunkRow) -> dict[str, Any]:
    shown = None if trunk.inbound_password is None else MASK
    return {"inboundUsername": trunk.inbound_username, "inboundPassword": shown}


def _registration(fields: Mapping[str, Any], box: SecretBox) -> dict[str, Any]:
    """Calls come from the registrar or its proxy. One user at one registrar is one registration, whatever else is said of it."""
    user, host, proxy = fields["sipUsername"], fields["sipProxy"].lower(), fields.get("sipOutboundProxy")
    return {
        "identity": f"registration {user} {host}:{fields['sipPort']}",
        "host": host,
        "sources": [host, *([host_of(proxy)] if proxy else [])],
        "outbound_proxy": proxy,
        "username": user,
        "auth_user": fields.get("sipAuthUser"),
        "password": fields.get("sealedPassword") or box.seal(fields["sipPassword"]),
    }


def _allowlist(fields: Mapping[str, Any], _box: SecretBox) -> dict[str, Any]:
    """Calls go to the first of the sources that is one machine. Peers with credentials need none: such a trunk only takes calls."""
    sources = [source.lower() for source in split_sources(fields.get("sipIp") or "")]
    transport = fields.get("transport") or fields["sipProtocol"]
    who = ",".join(sorted(sources)) or f"inbound {fields.get('inboundUsername')}"
    return {
        "identity": f"ip_allowlist {who}:{fields['sipPort']}/{transport}",
        "host": next((host for source in sources if (host := _machine(source))), ""),
        "sources": sources,
        "outbound_proxy": None,
        "username": None,
        "auth_user": None,
        "password": None,
    }


def _machine(source: str) -> str | None:
    """The host of a source: an address, a name, or a block of one address. None for larger blocks."""
    if is_address(source) or is_host(source):
        return source
    network = ipaddress.ip_network(source, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else None
