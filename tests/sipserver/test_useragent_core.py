"""What is no call: requests outside of dialogs, refusals, the guard, the limits, and whatever is thrown at the port."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipserver.legs import Source
from sipserver.locate import Target, Transport
from sipserver.message import MessageError, Request, Response, parse
from sipserver.useragent.identity import ABLE, Limits
from tests.sipserver.transcripts import Transcript, user_agent

ALLOW = ABLE.allow


class Closed:
    """A guard that answers everything with one status, and remembers what it was asked."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.asked: list[str] = []

    def trusts(self, source: Source) -> bool:
        return False

    def admit(self, request: Request, source: Source) -> int | None:
        self.asked.append(request.method)
        return self.status


def test_requests_outside_of_dialogs() -> None:
    script = Transcript()
    script.run(
        f"""
        0.000  <  OPTIONS uri=sip:us@192.0.2.1
        0.000  >  200 Allow="{ALLOW}" Contact="<sip:us@192.0.2.1:5060>"
        0.100  <  MESSAGE to=none
        0.100  >  405 Allow="{ALLOW}"
        0.200  <  OPTIONS to=none uri=http://example.com
        0.200  >  416
        0.300  <  INVITE branch=a Require=precondition,foo
        0.300  >  420 Unsupported="precondition, foo"
        0.310  <  ACK branch=a
        0.400  <  INVITE branch=b Content-Type=text/plain
        0.400  >  415 Accept="application/sdp, multipart/mixed, multipart/alternative, multipart/related"
        0.500  <  BYE to=none
        0.500  >  481
        0.600  <  UPDATE to=gone
        0.600  >  481
        0.700  <  NOTIFY to=none Event=message-summary
        0.700  >  200
        0.800  <  NOTIFY to=none Event=dialog
        0.800  >  489 Allow-Events="refer, message-summary"
        0.810  <  NOTIFY to=none cseq=2 Event="dialog;;"
        0.810  >  400
        0.820  <  NOTIFY to=none cseq=3 Event=refer Subscription-State=active Content-Type=message/sipfrag
        0.820  >  481
        0.830  <  REFER to=none Refer-To=<sip:a@b>
        0.830  >  403
        0.900  <  CANCEL branch=never to=none
        0.900  >  481
        1.000  <  INVITE branch=c contact=none
        1.000  >  400
        1.010  <  ACK branch=c
        1.100  <  INVITE branch=d method=BYE
        1.100  >  400
        1.200  <  INVITE branch=e to=gone
        1.200  >  481
        1.300  <  ACK branch=zz
        60.000 .
        """
    )
    assert len(script.agent.transactions) == 0
    assert script.agent.idle
    options = script.sent[0].headers
    assert "supported" in options
    assert {"application/sdp", "message/sipfrag"} <= set(options.all("accept")), "section 11.2"


def test_one_request_by_two_ways_is_merged() -> None:
    """RFC 3261 section 8.2.2.2."""
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  <  INVITE branch=b
        0.010  >  482
        0.020  <  INVITE branch=a
        0.020  >  100
        0.030  <  INVITE branch=c cseq=2 tag=other
        0.030  >  100
        """
    )


def test_an_invite_again_with_credentials_is_no_merger() -> None:
    Transcript().run("0 < INVITE branch=a\n0 > 100\n0.1 < INVITE branch=b cseq=2\n0.1 > 100")


def test_a_peer_of_rfc_2543_needs_no_contact() -> None:
    script = Transcript()
    script.agent.receive(
        b"INVITE sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070\r\nFrom: <sip:a@192.0.2.9:5070>\r\n"
        b"To: <sip:us@192.0.2.1>\r\nCall-ID: old\r\nCSeq: 1 INVITE\r\n\r\n",
        script.source,
        0.0,
    )
    script.run("0 > 100\n0 ! answer\n0 > 200")


def test_a_peer_of_rfc_2543_is_recognised_without_a_cookie() -> None:
    script = Transcript()
    invite = (
        b"INVITE sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070\r\nFrom: <sip:a@b>\r\nTo: <sip:us@192.0.2.1>\r\n"
        b"Call-ID: old\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.9:5070>\r\nContent-Length: 0\r\n\r\n"
    )
    for _ in range(2):
        script.agent.receive(invite, script.source, 0.0)
    script.run("0 > 100\n0 > 100\n0.1 ! reject 480\n0.1 > 480\n0.1 * over")
    to = script.last("480").headers.get("to") or ""
    ack = invite.replace(b"INVITE", b"ACK").replace(b"To: <sip:us@192.0.2.1>", b"To: " + to.encode())
    script.agent.receive(ack, script.source, 0.2)
    script.run("40 .")


def test_draining_refuses_what_is_new_and_keeps_what_is_there() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.100  !  drain
        0.200  <  INVITE branch=b tag=other cseq=7
        0.200  >  503 Retry-After=5
        0.300  <  OPTIONS to=none
        0.300  >  503
        0.400  !  answer
        0.400  >  200
        0.500  <  ACK
        0.500  *  Answered
        0.600  <  OPTIONS cseq=2
        0.600  >  200
        """
    )


# -- the guard ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "answers"), [(403, ["403"]), (0, [])])
def test_the_guard_comes_before_everything(status: int, answers: list[str]) -> None:
    for method in ("INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "MESSAGE"):
        script = Transcript(user_agent(Closed(status)))
        script.run("\n".join([f"0 < {method} to=none", *(f"0 > {answer}" for answer in answers)]))
        assert len(script.agent.transactions) == 0
        assert script.agent.idle
        assert script.agent.counters["guarded"] == 1


def test_repetitions_and_requests_in_a_dialog_do_not_ask_the_guard() -> None:
    guard = Closed(None)
    script = Transcript(user_agent(guard))
    script.run("0 < INVITE branch=a\n0 > 100\n0 < INVITE branch=a\n0 > 100\n0 ! answer\n0 > 200\n0 < ACK\n0 * Answered")
    guard.status = 403
    script.run("1 < BYE cseq=2\n1 > 200\n1 * Ended bye\n1 * over")
    assert guard.asked == ["INVITE"]


def test_answers_without_state_are_the_same_each_time() -> None:
    """RFC 3261 section 8.2.7: the To tag of a stateless answer must not change with the repetition."""
    script = Transcript(user_agent(Closed(403)))
    script.run("0 < INVITE branch=a\n0 > 403\n0.5 < INVITE branch=a\n0.5 > 403")
    assert bytes(script.sent[0]) == bytes(script.sent[1])
    assert script.sent[0].to.tag


# -- limits -------------------------------------------------------------------------------------------------------------


def test_one_call_too_many() -> None:
    script = Transcript(user_agent(limits=Limits(legs=1)))
    script.run("0 < INVITE branch=a\n0 > 100\n1 < INVITE branch=b cseq=5\n1 > 503 Retry-After=5")


def test_calls_that_are_here_keep_room_for_their_requests() -> None:
    """Without its BYE a call would stay for ever; and beyond all measure not even that is kept."""
    script = Transcript(user_agent(limits=Limits(transactions=1)))
    script.run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.100  <  ACK
        0.100  *  Answered
        0.200  <  OPTIONS cseq=2
        0.200  >  200
        0.300  <  OPTIONS cseq=3
        0.300  >  503 Retry-After=5
        """
    )


def test_a_full_node_says_so_before_there_is_any_state() -> None:
    full = [False]
    script = Transcript(user_agent(is_full=lambda: full[0]))
    script.run("0 < INVITE branch=a\n0 > 100")
    full[0] = True
    script.run(
        """
        0.100  <  INVITE branch=b cseq=7 tag=other
        0.100  >  503 Retry-After=5
        0.110  <  ACK branch=b cseq=7 tag=other
        0.200  <  INVITE branch=a
        0.200  >  100
        0.300  !  answer
        0.300  >  200
        0.400  <  ACK
        0.400  *  Answered
        0.500  <  BYE cseq=2
        0.500  >  200
        0.500  *  Ended bye
        0.500  *  over
        """
    )
    assert script.agent.counters == {"overload": 1, "stray": 1}
    assert script.agent.counters["overload"] == 1


def test_a_full_node_refuses_a_call_before_it_looks_at_what_it_asks_for() -> None:
    asks = "INVITE branch=b cseq=7 tag=other Require=x-unheard-of"
    script = Transcript(user_agent(is_full=lambda: True))
    script.run(f"0 < {asks}\n0 > 503 Retry-After=5")
    assert script.agent.counters == {"overload": 1}
    script = Transcript(user_agent())
    script.run(f"0 < {asks}\n0 > 420")


def test_one_transaction_too_many() -> None:
    script = Transcript(user_agent(limits=Limits(transactions=1)))
    script.run("0 < INVITE branch=a\n0 > 100\n1 < INVITE branch=b cseq=5\n1 > 503 Retry-After=5")


# -- where answers go -----------------------------------------------------------------------------------------------------


def test_answers_go_back_to_the_source() -> None:
    """RFC 3261 section 18.2.2 and RFC 3581: by rport to the very source, else to the port of the Via."""
    script = Transcript()
    for rport, port in ((";rport", 40000), ("", 5070)):
        data = (
            f"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.1.1:5070;branch=z9hG4bKq{rport}\r\nFrom: <sip:a@b>;tag=1\r\n"
            "To: <sip:x@y>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
        script.agent.receive(data.encode(), Source("udp", "192.0.2.9", 40000), 0.0)
        (outgoing,) = script.agent.to_send()
        assert (outgoing.target.host, outgoing.target.port) == ("192.0.2.9", port)
        assert outgoing.message.via.received == "192.0.2.9"


@pytest.mark.parametrize(
    ("transport", "sent_by", "port", "name"),
    [
        ("tls", "proxy.example.com", 5061, "proxy.example.com"),
        ("tls", "10.1.1.1:5071", 5071, None),
        ("tls", "[2001:db8::1]", 5061, None),
        ("tcp", "proxy.example.com", 5060, None),
    ],
)
def test_answers_go_back_along_the_connection_and_a_new_one_is_to_the_vias_name(
    transport: Transport, sent_by: str, port: int, name: str | None
) -> None:
    """RFC 3261 section 18.2.2. Where that one is gone, the certificate of the next has to speak for that name (RFC 5922)."""
    script = Transcript()
    source = Source(transport, "192.0.2.9", 40000)
    data = (
        f"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/{transport.upper()} {sent_by};branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:x@y>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    script.agent.receive(data.encode(), source, 0.0)
    (outgoing,) = script.agent.to_send()
    assert outgoing.target == Target(transport, "192.0.2.9", port, source, name)


# -- the ladder -----------------------------------------------------------------------------------------------------------


def test_the_ladder_shows_the_calls_messages_and_nothing_else() -> None:
    rungs: list[tuple[str, str]] = []
    script = Transcript()
    script.agent._tap = lambda call_id, direction, message: rungs.append(
        (direction, message.method if isinstance(message, Request) else str(message.status))
    )
    script.run(
        """
        0.000  <  OPTIONS to=none
        0.000  >  200
        0.000  <  INVITE branch=a
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.500  >  200
        0.600  <  ACK
        0.600  *  Answered
        1.000  <  BYE cseq=2
        1.000  >  200
        1.000  *  Ended bye
        1.000  *  over
        """
    )
    call = [("<", "INVITE"), (">", "100"), (">", "200"), (">", "200"), ("<", "ACK"), ("<", "BYE"), (">", "200")]
    assert rungs == call


# -- whatever comes -------------------------------------------------------------------------------------------------------

INVITE = (
    b"INVITE sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa;rport\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:us@192.0.2.1>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.9:5070>\r\nMax-Forwards: 70\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def test_what_is_malformed_is_answered_where_it_can_be() -> None:
    script = Transcript()
    script.agent.receive(INVITE.replace(b"CSeq: 1 INVITE", b"CSeq: 99999999999 INVITE"), script.source, 0.0)
    script.run("0 > 400")
    script.agent.receive(INVITE.replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), script.source, 0.0)
    script.run("0 > 505")
    script.agent.receive(INVITE.replace(b";branch", b";;,;,,branch"), script.source, 0.0)
    script.run("0 > 400")
    assert script.targets[-1] == Target("udp", "192.0.2.9", 5070)
    for garbage in (b"\x00\xff garbage", b"SIP/2.0 200 OK\r\n\r\n", INVITE.replace(b"Via:", b"Vix:")):
        script.agent.receive(garbage, script.source, 0.0)
    script.run("0 .")
    assert script.agent.counters["malformed"] == 6
    for keep_alive in (b"\r\n\r\n", b"\x00\x00\x00\x00"):
        script.agent.receive(keep_alive, script.source, 0.0)
    assert script.agent.counters["malformed"] == 6
    script.agent.receive(
        INVITE.replace(b"INVITE", b"ACK").replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), script.source, 0.0
    )
    script.run("0 .")
    assert script.agent.counters["malformed"] == 7, "an ACK is never answered (section 17)"
    script.agent.receive(INVITE, script.source, 0.0)
    script.run("0 > 100")


def test_a_response_with_two_vias_is_dropped() -> None:
    """RFC 3261 section 8.1.3.3."""
    script = Transcript()
    script.run("0 ! options\n0 > OPTIONS")
    sent = script.sent[0]
    assert isinstance(sent, Request)
    data = f"SIP/2.0 200 OK\r\nVia: {sent.via}\r\nVia: SIP/2.0/UDP 9.9.9.9;branch=z9hG4bKx\r\n"
    data += f"From: {sent.from_}\r\nTo: {sent.to}\r\nCall-ID: {sent.call_id}\r\nCSeq: 1 OPTIONS\r\n\r\n"
    script.agent.receive(data.encode(), script.source, 0.1)
    assert script.options == []


FRAGMENTS = st.sampled_from(
    [
        b"\r\n",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b'"',
        b" ",
        b"\x00",
        b"\xff",
        b"sip:",
        b"tag=",
        b"branch=",
        b"99999999999",
        b"Via: x",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "NOTIFY", "REFER", "INFO", "SIP/2.0 200 OK"]
    ),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8), FRAGMENTS), max_size=4),
    st.booleans(),
)
def test_whatever_comes_nothing_is_raised_and_what_is_sent_can_be_read(
    method: str, cuts: list[tuple[int, int, bytes]], in_dialog: bool
) -> None:
    script = Transcript()
    script.run("0 < INVITE branch=a\n0 > 100\n0 ! answer\n0 > 200\n0 < ACK\n0 * Answered")
    data = INVITE.replace(b"INVITE sip", method.encode() + b" sip").replace(b"1 INVITE", b"2 " + method.encode())
    if in_dialog:
        data = data.replace(b"To: <sip:us@192.0.2.1>", f"To: <sip:us@192.0.2.1>;tag={script.our_tag}".encode())
        data = data.replace(b"tag=1", b"tag=peer").replace(b"Call-ID: x", b"Call-ID: call")
    for at, size, fragment in cuts:
        data = data[:at] + fragment + data[at + size :]
    script.agent.receive(data, script.source, 0.1)
    script.agent.handle_timer(200.0)
    script.agent.handle_timer(400.0)
    for outgoing in script.agent.to_send():
        assert isinstance(parse(outgoing.data), Request | Response)
    assert len(script.agent.transactions) <= 1


def test_an_error_of_a_stream_is_answered_too() -> None:
    script = Transcript(transport="tcp")
    request = parse(INVITE)
    assert isinstance(request, Request)
    script.agent.malformed(MessageError("Too long.", 513, request), script.source, 0.0)
    script.run("0 > 513")
    script.agent.malformed(MessageError("Nothing readable."), script.source, 0.0)
    script.run("0 .")
