"""Calls refused by the bytes of their INVITE: what the answer is, and what is left to be read in full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipserver.legs import Source
from sipserver.message import Request, Response, parse, response_to
from sipserver.useragent.identity import Limits
from sipserver.useragent.shedding import Shedding
from tests.sipserver.transcripts import Everybody, Transcript, user_agent

INVITE = (
    b"INVITE sip:+12025550123@192.0.2.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 198.51.100.9:5070;branch=z9hG4bKone;rport\r\n"
    b"v: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKtwo\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "A, tag=x" <sip:a@example.com>;tag=from\r\n'
    b"t: <sip:+12025550123@192.0.2.1>\r\n"
    b"Call-ID: call@example.com\r\n"
    b"CSeq: 17 INVITE\r\n"
    b"Contact: <sip:a@198.51.100.9>\r\n"
    b"Content-Length: 4\r\n\r\nTo: "
)
PEER = Source("udp", "192.0.2.9", 6000)


class Trusting(Everybody):
    """A guard whose peers are trunks."""

    def trusts(self, source: Source) -> bool:
        return True


def shedding(*served: tuple[str, str, int | None]) -> Shedding:
    agent = user_agent(limits=Limits(retry_after=7))
    return Shedding(agent.identity, 7, lambda branch, host, port: (branch, host, port) in served)


def refused(data: bytes, *served: tuple[str, str, int | None]) -> Response | None:
    answer = shedding(*served).answer(data, PEER.host, PEER.port)
    if answer is None:
        return None
    response = parse(answer[0])
    assert isinstance(response, Response)
    return response


def test_the_answer_is_what_the_request_asks_for() -> None:
    made = shedding()
    answer = made.answer(INVITE, PEER.host, PEER.port)
    assert answer is not None
    data, target = answer
    assert (target.transport, target.host, target.port) == ("udp", "192.0.2.9", 6000)
    response, request = parse(data), parse(INVITE)
    assert isinstance(response, Response)
    assert isinstance(request, Request)
    like = response_to(request, 503, to_tag="t")
    assert (response.status, response.reason) == (like.status, like.reason)
    for name in ("from", "call-id", "cseq"):
        assert response.headers.get(name) == like.headers.get(name)
    assert response.to.uri == like.to.uri
    assert response.headers.get("retry-after") == "7"
    assert [str(via) for via in response.headers.all("via")] == [
        "SIP/2.0/UDP 198.51.100.9:5070;branch=z9hG4bKone;rport=6000;received=192.0.2.9",
        "SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKtwo",
    ]
    assert made.answer(INVITE, PEER.host, PEER.port) == answer, "the same for each repetition (RFC 3261 section 8.2.7)"


def test_without_rport_it_goes_to_the_port_of_the_via() -> None:
    for via, port in ((b"198.51.100.9:5070", 5070), (b"198.51.100.9", 5060), (b"[2001:db8::9]:5071", 5071)):
        data = INVITE.replace(b"198.51.100.9:5070;branch=z9hG4bKone;rport", via + b";branch=z9hG4bKone", 1)
        answer = shedding().answer(data, PEER.host, PEER.port)
        assert answer is not None
        assert (answer[1].host, answer[1].port) == ("192.0.2.9", port)


def test_its_ack_is_known_and_no_other() -> None:
    made = shedding()
    answer = made.answer(INVITE, PEER.host, PEER.port)
    assert answer is not None
    tag = parse(answer[0]).to.tag
    assert tag is not None
    ack = INVITE.replace(b"INVITE", b"ACK").replace(
        b"192.0.2.1>\r\nCall", b"192.0.2.1>;tag=" + tag.encode() + b"\r\nCall"
    )
    assert made.is_acknowledgement(ack)
    assert not made.is_acknowledgement(INVITE.replace(b"INVITE", b"ACK"))


@pytest.mark.parametrize(
    "data",
    [
        INVITE.replace(b"t: <sip:+12025550123@192.0.2.1>", b"t: <sip:+12025550123@192.0.2.1>;tag=ours"),
        INVITE.replace(b"Max-Forwards: 70", b"Replaces: other;from-tag=1;to-tag=2"),
        INVITE.replace(b"INVITE sip", b"BYE sip"),
        INVITE.replace(b"17 INVITE", b"17 BYE"),
        INVITE.replace(b"SIP/2.0/UDP 198", b"SIP/2.0/TCP 198"),
        INVITE.replace(b";rport", b";rport;maddr=203.0.113.77"),
        INVITE.replace(b";rport", b";rport=9"),
        INVITE.replace(b"z9hG4bKone", b"old-style"),
        INVITE.replace(b"z9hG4bKone;rport", b"z9hG4bKone, SIP/2.0/UDP 203.0.113.6"),
        INVITE.replace(b"Call-ID: call@example.com\r\n", b""),
        INVITE.replace(b"Call-ID: call@example.com\r\n", b"Call-ID: a\r\ni: b\r\n"),
        INVITE.replace(b"Max-Forwards: 70", b"X: " + b"a" * 9000),
        INVITE.replace(b"\r\n\r\n", b"\r\n"),
        INVITE.replace(b"Via: SIP/2.0/UDP 198.51.100.9:5070;branch=z9hG4bKone;rport\r\nv: SIP", b"v: nonsense"),
        b"",
        b"INVITE ",
    ],
)  # fmt: skip
def test_what_is_unusual_is_left_to_be_read(data: bytes) -> None:
    assert refused(data) is None


def test_what_is_being_served_is_not_refused_when_it_comes_again() -> None:
    assert refused(INVITE, ("z9hG4bKone", "198.51.100.9", 5070)) is None
    assert refused(INVITE, ("z9hG4bKone", "198.51.100.9", None)) is not None


def test_folded_lines_are_read_whole() -> None:
    response = refused(INVITE.replace(b"CSeq: 17 INVITE", b"CSeq: 17\r\n INVITE"))
    assert response is None or response.cseq.number == 17
    folded = refused(INVITE.replace(b"t: <sip", b"t: Bob\r\n  <sip"))
    assert folded is not None
    assert folded.to.uri == "sip:+12025550123@192.0.2.1"


@given(st.binary(max_size=400), st.integers(0, len(INVITE)))
def test_whatever_comes_nothing_is_raised_and_what_is_answered_is_sip(noise: bytes, at: int) -> None:
    for data in (noise, INVITE[:at] + noise + INVITE[at:], INVITE[:at] + noise):
        answer = shedding().answer(data, PEER.host, PEER.port)
        if answer is not None:
            assert answer[0].startswith(b"SIP/2.0 503 Service Unavailable\r\nVia: SIP/2.0/UDP ")
            assert answer[0].endswith(b"\r\nContent-Length: 0\r\n\r\n")


def test_a_user_agent_sheds_what_comes_from_trunks_only_and_counts_it() -> None:
    stranger, agent = user_agent(), user_agent(guard=Trusting())
    assert stranger.shed(INVITE, PEER) is None
    assert agent.shed(INVITE, Source("tcp", "192.0.2.9", 6000)) is None
    answer = agent.shed(INVITE, PEER)
    assert answer is not None
    assert agent.counters["overload"] == 1
    assert agent.idle
    assert not agent.to_send()


def test_an_invite_that_is_being_served_is_absorbed_although_we_are_behind() -> None:
    script = Transcript(agent=user_agent(guard=Trusting()))
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.000  !  ring 180
        0.000  >  180
        """
    )
    again = script._message(["INVITE", "branch=a", "sdp"])
    new = script._message(["INVITE", "branch=b", "sdp"])
    assert script.agent.shed(again, script.source) is None
    assert script.agent.shed(new, script.source) is not None
