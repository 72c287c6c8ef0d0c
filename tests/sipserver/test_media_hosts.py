"""The address in our session descriptions, for each call: numeric, of the peer's family, and the one that this peer reaches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from sipserver.legs import Leg, Source
from sipserver.media_hosts import MediaHosts
from sipserver.message import Headers, Params, Request, Via
from sipserver.protocols import Trunk, TrunkOptions
from sipserver.useragent.addresses import Addresses, Facing, Told
from tests.sipserver.transcripts import OFFER

TRUNK = Trunk("t", "o", "ip_allowlist", "pbx.example.com")
PLAIN = TrunkOptions()
OFFER6 = OFFER.replace(b"IN IP4 192.0.2.9", b"IN IP6 2001:db8::9")


def own(peer: str | None) -> str:
    return "2001:db8::5" if peer is not None and ":" in peer else "10.0.0.5"


@dataclass
class Incoming:
    """A leg as far as it matters here."""

    source: Source | None
    invite: Request


class Endpoint:
    """Finds every trunk at one address."""

    def __init__(self, told: Told, found: str | None = "192.0.2.9") -> None:
        self.addresses = Addresses(own, told)
        self.found = found

    async def facing(self, trunk: Trunk) -> Facing:
        return Facing("udp", self.found, trunk)


def invite(sdp: bytes) -> Request:
    headers = Headers()
    headers.add("Content-Type", "application/sdp")
    return Request("INVITE", "sip:us@10.0.0.5", headers, sdp)


def host(
    told: Told, *, advertised: str | None = None, options: TrunkOptions = PLAIN, source: str | None = None,
    sdp: bytes = OFFER, found: str | None = "192.0.2.9",
) -> str:  # fmt: skip
    leg = None if source is None else cast(Leg, Incoming(Source("udp", source, 5060), invite(sdp)))
    trunk = Trunk("t", "o", "ip_allowlist", "pbx.example.com", options=options)
    return asyncio.run(MediaHosts(Endpoint(told, found), own, advertised).of(trunk, leg))


def test_a_call_that_we_place() -> None:
    assert host(Told()) == "10.0.0.5"
    assert host(Told("203.0.113.7")) == "203.0.113.7"
    assert host(Told("203.0.113.7"), advertised="203.0.113.8") == "203.0.113.8"
    assert host(Told("203.0.113.7"), options=TrunkOptions(advertised_address="203.0.113.9")) == "203.0.113.9"
    assert host(Told("203.0.113.7", None, ("192.0.2.0/24",)), advertised="203.0.113.8") == "10.0.0.5"
    assert host(Told("203.0.113.7"), found=None) == "203.0.113.7"


@pytest.mark.parametrize("options", [TrunkOptions(advertised_address="sbc.example.com"), TrunkOptions()])
def test_a_name_is_none_that_media_could_be_sent_to(options: TrunkOptions) -> None:
    assert host(Told("sip.example.com"), options=options) == "10.0.0.5"
    assert host(Told("sip.example.com"), options=options, advertised="203.0.113.8") == "203.0.113.8"


def test_what_was_learnt_for_the_trunk_counts_for_media_too() -> None:
    endpoint = Endpoint(Told(learn=True))
    via = Via("UDP", "10.0.0.5", 5060, Params((("received", "203.0.113.7"), ("rport", "40001"))))
    endpoint.addresses.learn(Facing("udp", "192.0.2.9", TRUNK), via)
    assert asyncio.run(MediaHosts(endpoint, own, None).of(TRUNK, None)) == "203.0.113.7"
    assert asyncio.run(MediaHosts(endpoint, own, None).of(None, None)) == "10.0.0.5"


def test_a_call_that_comes_in_is_answered_in_the_family_of_its_offer() -> None:
    assert host(Told("203.0.113.7"), source="192.0.2.9") == "203.0.113.7"
    assert host(Told("203.0.113.7"), source="2001:db8::9", sdp=OFFER6) == "2001:db8::5"
    # A proxy between the families: signalling by one, media by the other.
    assert host(Told("203.0.113.7"), source="2001:db8::9") == "203.0.113.7"
    assert host(Told(), source="192.0.2.9", sdp=OFFER6) == "2001:db8::5"
    assert host(Told(), source="192.0.2.9", sdp=b"nonsense") == "10.0.0.5"
    assert host(Told(), source="192.0.2.9", sdp=b"") == "10.0.0.5"
    assert host(Told("203.0.113.7", None, ("192.0.2.0/24",)), source="192.0.2.9") == "10.0.0.5"
