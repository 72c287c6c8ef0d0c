"""The address in our session descriptions: it is chosen for each call, as the one in Via and Contact is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from sipserver.legs import Leg, Source
from sipserver.locate import numeric
from sipserver.message import Request
from sipserver.protocols import Trunk
from sipserver.sdp import SdpError, Session, sdp_body
from sipserver.useragent.addresses import Addresses, Facing


class Facer(Protocol):
    """What this needs of the endpoint."""

    addresses: Addresses

    async def facing(self, trunk: Trunk) -> Facing:
        """Whom calls over this trunk are sent to."""


class MediaHosts:
    """Numeric always: a session description may name a host, but not every peer looks names up.

    `own` gives the address that RTP is bound to, towards a peer; `advertised` is the one that is configured for media.
    """

    def __init__(self, endpoint: Facer, own: Callable[[str | None], str], advertised: str | None) -> None:
        self._endpoint = endpoint
        self._own = own
        self._advertised = advertised

    async def of(self, trunk: Trunk | None, leg: Leg | None) -> str:
        """For a call of this trunk: `leg` is the one that came in, None where we place the call."""
        facing = await self._facing(trunk, leg)
        peer = facing.host if facing.host is not None and numeric(facing.host) else None
        if leg is not None:
            peer = _media_peer(leg.invite, peer)
        own = self._own(peer)
        if self._endpoint.addresses.is_local(facing):
            return own
        of_trunk = None if trunk is None else trunk.options.advertised_address
        named = (of_trunk, self._advertised, self._endpoint.addresses.public(replace(facing, host=peer)))
        usable = (host.strip("[]") for host in named if host and numeric(host))
        return next((host for host in usable if (":" in host) == (":" in own)), own)

    async def _facing(self, trunk: Trunk | None, leg: Leg | None) -> Facing:
        source: Source | None = None if leg is None else leg.source
        if source is not None:
            return Facing(source.transport, source.host, trunk)
        return Facing("udp") if trunk is None else await self._endpoint.facing(trunk)


def _media_peer(invite: Request, source: str | None) -> str | None:
    """Whom media are exchanged with, as far as it matters: who offers RTP over the other family is answered in that."""
    offer = sdp_body(invite)
    if offer is None or source is None:
        return source
    try:
        described = Session.read(offer)
        hosts = [described.host_of(media) for media in described.media if media.kind == "audio"]
    except SdpError:
        return source
    other = next((host for host in hosts if host and numeric(host) and (":" in host) != (":" in source)), None)
    return other or source
