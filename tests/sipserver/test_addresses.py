"""Which address peers are told: by local networks, by trunk, by settings, by what answers show, and by the route to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipserver.legs import Source
from sipserver.message import Params, Request, Via
from sipserver.protocols import Trunk, TrunkOptions
from sipserver.transaction import Intervals
from sipserver.useragent.addresses import MAX_LEARNT, Addresses, Facing, Told
from sipserver.useragent.core import UserAgent
from sipserver.useragent.identity import Identity
from tests.sipserver.transcripts import TRUNK, Everybody, Transcript, counting_random

OWN = "10.0.0.5"
PLAIN = Trunk("plain", "o", "ip_allowlist", "198.51.100.1")
NAMED = replace(PLAIN, id="named", options=TrunkOptions(advertised_address="sbc.example.com"))
HOUSE = replace(
    PLAIN, id="house", options=TrunkOptions(advertised_address="203.0.113.9", local_nets=("198.51.100.0/24",))
)


def own(peer: str | None) -> str:
    return "2001:db8::5" if peer is not None and ":" in peer else OWN


@pytest.mark.parametrize(
    ("told", "facing", "host"),
    [
        (Told(), Facing("udp", "198.51.100.1", PLAIN), OWN),
        (Told(), Facing("udp"), OWN),
        (Told("203.0.113.7"), Facing("udp", "198.51.100.1", PLAIN), "203.0.113.7"),
        (Told("203.0.113.7"), Facing("udp"), "203.0.113.7"),
        (Told("203.0.113.7"), Facing("udp", "198.51.100.1", NAMED), "sbc.example.com"),
        (Told("203.0.113.7", "sip.example.com"), Facing("tls", "198.51.100.1", PLAIN), "sip.example.com"),
        (Told("203.0.113.7", "sip.example.com"), Facing("tcp", "198.51.100.1", PLAIN), "203.0.113.7"),
        (Told("203.0.113.7", "sip.example.com"), Facing("tls", "198.51.100.1", NAMED), "sbc.example.com"),
        # Inside: the node's networks, and the trunk's own.
        (Told("203.0.113.7", None, ("10.0.0.0/8",)), Facing("udp", "10.1.2.3", PLAIN), OWN),
        (Told("203.0.113.7", None, ("10.0.0.0/8",)), Facing("udp", "198.51.100.1", PLAIN), "203.0.113.7"),
        (Told("203.0.113.7"), Facing("udp", "198.51.100.1", HOUSE), OWN),
        (Told("203.0.113.7"), Facing("udp", "198.51.101.1", HOUSE), "203.0.113.9"),
        (Told("203.0.113.7", None, ("fd00::/8",)), Facing("udp", "fd00::7", PLAIN), "2001:db8::5"),
        # Who is not known yet is taken for somebody outside, and what is no network encloses nobody.
        (Told("203.0.113.7", None, ("10.0.0.0/8",)), Facing("udp", None, PLAIN), "203.0.113.7"),
        (Told("203.0.113.7", None, ("house", "10.0.0.0/8")), Facing("udp", "pbx", PLAIN), "203.0.113.7"),
        # An address of the other family is of no use to the peer.
        (Told("203.0.113.7"), Facing("udp", "2001:db8::9", PLAIN), "2001:db8::5"),
        (Told("[2001:db8::7]"), Facing("udp", "2001:db8::9", PLAIN), "2001:db8::7"),
    ],
)  # fmt: skip
def test_the_host_that_a_peer_is_told(told: Told, facing: Facing, host: str) -> None:
    assert Addresses(own, told).host(facing) == host


def seen(received: str | None, rport: str | None = "40001") -> Via:
    pairs = [("branch", "z9hG4bK1"), ("rport", rport), *([("received", received)] if received else [])]
    return Via("UDP", OWN, 5060, Params(tuple(pairs)))


def test_a_public_address_is_learnt_for_its_trunk_and_transport() -> None:
    addresses = Addresses(own, Told(local_nets=("10.0.0.0/8",), learn=True))
    facing = Facing("udp", "198.51.100.1", PLAIN)
    addresses.learn(facing, seen("203.0.113.7"))
    assert (addresses.host(facing), addresses.port(facing)) == ("203.0.113.7", 40001)
    # Not for another trunk, nor for a peer of this one in our own network.
    assert addresses.host(replace(facing, trunk=HOUSE)) == OWN
    assert addresses.host(replace(facing, host="10.0.0.9")) == OWN
    # The port of a connection says nothing of where we listen.
    over_tcp = replace(facing, transport="tcp")
    addresses.learn(over_tcp, seen("203.0.113.8"))
    assert (addresses.host(over_tcp), addresses.port(over_tcp)) == ("203.0.113.8", None)


@pytest.mark.parametrize(
    ("told", "facing", "via"),
    [
        (Told(learn=False), Facing("udp", "198.51.100.1", PLAIN), seen("203.0.113.7")),
        (Told("192.0.2.1", learn=True), Facing("udp", "198.51.100.1", PLAIN), seen("203.0.113.7")),
        (Told(learn=True), Facing("udp", "198.51.100.1", NAMED), seen("203.0.113.7")),
        (Told(learn=True), Facing("udp", "198.51.100.1", HOUSE), seen("203.0.113.7")),
        (Told(learn=True), Facing("udp", "198.51.100.1", None), seen("203.0.113.7")),
        (Told(learn=True), Facing("udp", "198.51.100.1", PLAIN), seen(None)),
        (Told(learn=True), Facing("udp", "198.51.100.1", PLAIN), seen("0.0.0.0")),
        (Told(learn=True), Facing("udp", "198.51.100.1", PLAIN), seen("224.0.0.1")),
        (Told(learn=True), Facing("udp", "198.51.100.1", PLAIN), seen("your.house")),
    ],
)
def test_what_is_not_learnt(told: Told, facing: Facing, via: Via) -> None:
    addresses = Addresses(own, told)
    before = addresses.host(facing)
    addresses.learn(facing, via)
    assert (addresses.host(facing), addresses.port(facing)) == (before, None)


def test_a_port_that_is_none_is_not_learnt_and_what_is_learnt_is_bounded() -> None:
    addresses = Addresses(own, Told(learn=True))
    for number in range(MAX_LEARNT + 1):
        addresses.learn(Facing("udp", "198.51.100.1", replace(PLAIN, id=str(number))), seen("203.0.113.7", "0"))
    last = Facing("udp", "198.51.100.1", replace(PLAIN, id=str(MAX_LEARNT)))
    assert (addresses.host(last), addresses.port(last)) == ("203.0.113.7", None)
    assert addresses.host(replace(last, trunk=replace(PLAIN, id="0"))) == OWN


# -- on the wire ------------------------------------------------------------------------------------------------------


def transcript(told: Told, trunk: Trunk, **more: str) -> Transcript:
    """A user agent at 10.0.0.5; its peer is at 192.0.2.9, and everything that comes from there is the trunk's."""
    ports = {"udp": 5060, "tcp": 5060, "tls": 5061}
    identity = Identity.make(Addresses(own, told), ports, "Test", counting_random())  # type: ignore[arg-type]
    agent = UserAgent(identity, Everybody(), trunk_of=lambda _request, _source: trunk, intervals=Intervals(trying=0.0))
    return Transcript(agent, trunk=trunk, **more)  # type: ignore[arg-type]


def places(line: Transcript) -> list[tuple[str, str | None, str | None]]:
    """Of each request of ours: its method, where its Via says that we are, and its Contact."""
    return [
        (message.method, f"{message.via.host}:{message.via.port}", message.headers.get("contact"))
        for message in line.sent
        if isinstance(message, Request)
    ]


OUTBOUND = """
    0.000  !  invite
    0.000  >  INVITE
    0.010  <  180 tag=x
    0.010  *  Progress 180
    0.020  <  200 tag=x sdp
    0.020  >  ACK
    0.020  *  Answered sdp
    1.000  !  offer
    1.000  >  INVITE
    1.010  <  200 tag=x sdp
    1.010  >  ACK
    1.010  *  OfferAnswered sdp
    2.000  !  hang_up
    2.000  *  over
    2.000  >  BYE
    2.010  <  200 BYE
"""


@pytest.mark.parametrize(
    ("told", "options", "host"),
    [
        (Told("203.0.113.7"), TrunkOptions(), "203.0.113.7"),
        (Told("203.0.113.7"), TrunkOptions(advertised_address="sbc.example.com"), "sbc.example.com"),
        (Told("203.0.113.7", None, ("192.0.2.0/24",)), TrunkOptions(), OWN),
        (Told("203.0.113.7"), TrunkOptions(local_nets=("192.0.2.9",)), OWN),
    ],
)
@pytest.mark.parametrize("name", ["192.0.2.9", "pbx.house"])
def test_a_call_that_we_place_says_the_same_address_throughout(
    told: Told, options: TrunkOptions, host: str, name: str
) -> None:
    """Also where the trunk is a name: only its address tells whether it is inside."""
    line = transcript(told, replace(TRUNK, host=name, options=options))
    line.run(OUTBOUND)
    at, contact = f"{host}:5060", f"<sip:+12025550100@{host}:5060>"
    assert places(line) == [
        ("INVITE", at, contact), ("ACK", at, None), ("INVITE", at, contact), ("ACK", at, None), ("BYE", at, None)
    ]  # fmt: skip


def test_a_call_that_comes_in_is_answered_with_its_trunks_address() -> None:
    trunk = replace(TRUNK, options=TrunkOptions(advertised_address="203.0.113.9"))
    line = transcript(Told("203.0.113.7"), trunk)
    line.run("""
        0.000  <  OPTIONS to=none branch=a
        0.000  >  200 Contact=<sip:us@203.0.113.9:5060>
        0.100  <  INVITE sdp branch=b call=b
        0.100  >  100
        0.100  !  ring 180
        0.100  >  180 Contact=<sip:us@203.0.113.9:5060>
        0.200  !  answer
        0.200  >  200 Contact=<sip:us@203.0.113.9:5060>
        0.210  <  ACK call=b
        0.210  *  Answered
        1.000  <  UPDATE cseq=2 call=b
        1.000  >  200 Contact=<sip:us@203.0.113.9:5060>
        2.000  !  hang_up
        2.000  *  over
        2.000  >  BYE
        2.010  <  200 BYE
    """)
    assert places(line) == [("BYE", "203.0.113.9:5060", None)]


def test_the_second_request_says_the_address_that_the_first_answer_showed() -> None:
    line = transcript(Told(learn=True), TRUNK)
    line.run("0.0 ! options\n0.0 > OPTIONS")
    first = line.last("OPTIONS")
    assert isinstance(first, Request)
    answer = bytes(first).replace(b"OPTIONS sip:192.0.2.9:5070 SIP/2.0", b"SIP/2.0 200 OK")
    line.agent.receive(answer.replace(b";rport", b";rport=40001;received=203.0.113.7"), line.source, 0.0)
    line.run("1.0 ! options\n1.0 > OPTIONS")
    assert places(line) == [
        ("OPTIONS", "10.0.0.5:5060", "<sip:u@10.0.0.5:5060>"),
        ("OPTIONS", "203.0.113.7:40001", "<sip:u@203.0.113.7:40001>"),
    ]


def test_over_tls_the_contact_has_the_port_of_tls_and_the_name_of_the_certificate() -> None:
    """And never the port of UDP, nor another connection than the one that is there (RFC 3261 section 18.2.2)."""
    line = transcript(Told("203.0.113.7", "sip.example.com"), TRUNK, transport="tls")
    line.run("""
        0.000  <  INVITE sdp contact=sip:peer@192.0.2.9:5070;transport=tls
        0.000  >  100
        0.000  !  answer
        0.000  >  200 Contact=<sip:us@sip.example.com:5061;transport=tls>
        0.010  <  ACK
        0.010  *  Answered
        1.000  !  offer
        1.000  >  INVITE Contact=<sip:us@sip.example.com:5061;transport=tls>
        1.010  <  200 sdp contact=sip:peer@192.0.2.9:5070;transport=tls
        1.010  >  ACK
        1.010  *  OfferAnswered sdp
        2.000  !  refer sip:other@192.0.2.9
        2.000  >  REFER Contact=<sip:us@sip.example.com:5061;transport=tls>
        2.010  <  405 REFER
        2.010  *  ReferProgress 405 Method Not Allowed final
        3.000  !  hang_up
        3.000  *  over
        3.000  >  BYE
        3.010  <  200 BYE
    """)
    assert {target.flow for target in line.targets} == {Source("tls", "192.0.2.9", 5070)}


@pytest.mark.parametrize(
    ("came_to", "contact", "scheme"),
    [
        ("sips:us@sip.example.com", "sip:peer@192.0.2.9:5070;transport=tls", "sips"),
        ("sip:us@sip.example.com", "sips:peer@192.0.2.9:5070", "sips"),
        ("sip:us@sip.example.com", "sip:peer@192.0.2.9:5070;transport=tls", "sip"),
    ],
)
def test_who_came_to_a_sips_uri_or_is_at_one_is_told_one(came_to: str, contact: str, scheme: str) -> None:
    """RFC 3261 section 12.1.1. A sips: URI needs no transport, for it says it (section 26.2.2)."""
    line = transcript(Told("203.0.113.7", "sip.example.com"), TRUNK, transport="tls")
    ours = {"sips": "<sips:us@sip.example.com:5061>", "sip": "<sip:us@sip.example.com:5061;transport=tls>"}[scheme]
    line.run(f"""
        0.000  <  OPTIONS uri={came_to} contact={contact} branch=o
        0.000  >  200 Contact={ours}
        1.000  <  INVITE sdp uri={came_to} contact={contact} cseq=2
        1.000  >  100
        1.000  !  answer
        1.000  >  200 Contact={ours}
        1.010  <  ACK cseq=2
        1.010  *  Answered
        2.000  !  hang_up
        2.000  *  over
        2.000  >  BYE uri={contact}
        2.010  <  200 BYE
    """)
