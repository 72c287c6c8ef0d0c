"""Requests too large for one datagram (RFC 3261 section 18.1.1): over TCP where the trunk leaves the transport open, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sipserver.legs import Invitation
from sipserver.locate import Record, Service
from sipserver.message import Request
from sipserver.protocols import Trunk, TrunkOptions
from sipserver.useragent.client_leg import ClientLeg
from sipserver.useragent.finder import Question
from tests.sipserver.transcripts import OFFER, Transcript

TRUNK = Trunk("t", "o", "ip_allowlist", "192.0.2.9", 5070, "auto", username="u", password="p")
LARGE = (("X-Large", "x" * 1200),)


def line(trunk: Trunk = TRUNK) -> Transcript:
    return Transcript(trunk=trunk)


def invite(line: Transcript, headers: tuple[tuple[str, str], ...] = LARGE) -> ClientLeg:
    leg = line.agent.invite(Invitation(line.trunk, "+12025550123", "+12025550100", OFFER, headers=headers), line.now)
    line.leg = leg
    return leg


def ways(line: Transcript) -> list[tuple[str, str, str, str | None]]:
    """Of each request of ours: method, transport of its target and of its Via, and its Contact."""
    return [
        (message.method, target.transport, message.via.transport.lower(), message.headers.get("contact"))
        for message, target in zip(line.sent, line.targets, strict=True)
        if isinstance(message, Request)
    ]


CONTACT = "<sip:+12025550100@192.0.2.1:5060>"
"""It does not say TCP: the trunk is not left on TCP afterwards."""


def test_a_large_invite_goes_over_tcp_and_what_follows_does_not() -> None:
    call = line()
    invite(call)
    call.run("""
        0.000  >  INVITE
        0.010  <  200 tag=x sdp
        0.010  >  ACK
        0.010  *  Answered sdp
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE
        1.010  <  200 BYE
    """)
    assert ways(call) == [
        ("INVITE", "tcp", "tcp", CONTACT), ("ACK", "udp", "udp", None), ("BYE", "udp", "udp", None)
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "transport"), [(1300, "udp"), (1301, "tcp")])
def test_the_limit_is_1300_bytes_as_they_are_sent(size: int, transport: str) -> None:
    call = line()
    invite(call, (("X-Large", "x"),))
    (small,) = call.agent.to_send()
    invite(call, (("X-Large", "x" * (size - len(small.data) + 1)),))
    (sent,) = call.agent.to_send()
    assert (len(sent.data), sent.target.transport) == (size, transport)


def test_without_tcp_there_it_goes_over_udp_after_all_and_at_once_the_next_time() -> None:
    call = line()
    invite(call)
    call._collect()
    [(_, first)] = call._out
    target = call.targets[0]
    call.run("0.000 > INVITE branch=tcp")
    transaction = next(iter(call.agent.transactions._clients.values()))
    assert transaction.request.via.branch == first.via.branch
    assert target.transport == "tcp"
    transaction.transport_failed()
    call.run("""
        0.000  >  INVITE branch=udp cseq=1
        0.010  <  486
        0.010  >  ACK
        0.010  *  Refused 486
        0.010  *  over
    """)
    invite(call)
    call.run("""
        0.010  >  INVITE branch=again
        0.020  <  486
        0.020  >  ACK
        0.020  *  Refused 486
        0.020  *  over
    """)
    assert [way[1] for way in ways(call) if way[0] == "INVITE"] == ["tcp", "udp", "udp"]


@pytest.mark.parametrize("transport", ["udp", "auto"])
def test_what_fits_or_is_set_to_udp_stays_there(transport: str) -> None:
    call = line(replace(TRUNK, transport=transport))  # type: ignore[arg-type]
    invite(call, () if transport == "auto" else LARGE)
    call.run("""
        0.000  >  INVITE
        0.010  <  486
        0.010  >  ACK
        0.010  *  Refused 486
        0.010  *  over
    """)
    assert [way[1:] for way in ways(call)] == [("udp", "udp", CONTACT), ("udp", "udp", None)]


def test_the_cancel_of_a_large_invite_takes_its_way() -> None:
    call = line(replace(TRUNK, options=TrunkOptions()))
    invite(call)
    call.run("""
        0.000  >  INVITE
        0.010  <  180 tag=x
        0.010  *  Progress 180
        0.020  !  hang_up
        0.020  *  over
        0.020  >  CANCEL
        0.030  <  200 CANCEL
        0.040  <  487
        0.040  >  ACK
    """)
    assert {way[1] for way in ways(call)} == {"tcp"}


def test_an_auto_trunk_whose_name_leads_to_tcp_is_told_so_in_the_contact() -> None:
    """NAPTR and SRV decide (RFC 3263 section 4.1); here there is only an SRV record of TCP."""
    call = line(replace(TRUNK, host="sip.example.com", port=5060))
    invite(call, ())
    asked = []
    while questions := [event for event in call.agent.events() if isinstance(event, Question)]:
        for question in questions:
            asked.append((question.lookup.kind, question.lookup.name))
            found: dict[tuple[str, str], Sequence[Record]] = {
                ("srv", "_sip._tcp.sip.example.com"): [Service(1, 1, 5080, "a.example.com")],
                ("address", "a.example.com"): ["192.0.2.9"],
            }
            call.agent.resolved(question, found.get(asked[-1], []), 0.0)
    call.run("""
        0.000  >  INVITE
        0.010  <  486
        0.010  >  ACK
        0.010  *  Refused 486
        0.010  *  over
    """)
    assert asked[0] == ("naptr", "sip.example.com")
    assert ways(call)[0] == ("INVITE", "tcp", "tcp", "<sip:+12025550100@192.0.2.1:5060;transport=tcp>")
    assert call.targets[0].port == 5080
