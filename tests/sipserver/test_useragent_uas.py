"""A call that comes in, on the time line: RFC 3261 sections 9.2, 12.2.2, 13.3, 14.2, 15.1.2, 17.2."""

from __future__ import annotations

import pytest

from sipserver.message import Request, Response
from sipserver.useragent.identity import ABLE
from tests.sipserver.midcall.dialogs import called
from tests.sipserver.transcripts import ANSWER, Transcript


def taken(script: Transcript) -> None:
    """A call that is established at 0.030."""
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.010  !  ring 180
        0.010  >  180
        0.020  !  answer
        0.020  >  200
        0.030  <  ACK
        0.030  *  Answered
        """
    )


def test_a_call_from_ring_to_bye() -> None:
    script = Transcript()
    taken(script)
    ok = script.last("200")
    assert isinstance(ok, Response)
    assert ok.body == ANSWER
    assert ok.headers.get("content-type") == "application/sdp"
    assert ok.contacts[0].uri == "sip:us@192.0.2.1:5060"
    assert ok.headers.get("allow") == ABLE.allow
    assert ok.via.received == "192.0.2.9"
    assert ok.via.rport == 5070
    assert "to" in script.sent[0].headers
    assert script.sent[0].to.tag is None
    assert script.last("180").to.tag == ok.to.tag
    script.run(
        """
        1.000  <  BYE cseq=2
        1.000  >  200 method=BYE
        1.000  *  Ended bye
        1.000  *  over
        1.500  <  BYE cseq=2        # the 200 was lost; timer J keeps it for 32 s
        1.500  >  200 method=BYE
        33.500 <  BYE cseq=2 branch=later
        33.500 >  481
        99.000 .
        """
    )
    assert script.agent.idle
    assert len(script.agent.transactions) == 0


def test_a_200_is_repeated_from_t1_to_t2_until_the_ack_and_then_given_up() -> None:
    """RFC 3261 section 13.3.1.4: also on a reliable transport."""
    for transport in ("udp", "tcp"):
        script = Transcript(transport=transport)
        script.run(
            """
            0.000  <  INVITE branch=a sdp
            0.000  >  100
            0.000  !  answer
            0.000  >  200
            0.300  <  INVITE branch=a sdp       # swallowed: the user repeats the 200 (RFC 6026)
            0.500  >  200
            1.500  >  200
            3.500  >  200
            7.500  >  200
            11.500 >  200
            15.500 >  200
            19.500 >  200
            23.500 >  200
            27.500 >  200
            31.500 >  200
            32.000 *  Ended lost
            32.000 *  over
            32.000 >  BYE cseq=1 uri=sip:peer@192.0.2.9:5070
            32.010 <  200 BYE
            90.000 .
            """
        )
        assert script.agent.idle


@pytest.mark.parametrize("branch", ["a", "other"])
def test_the_ack_stops_the_200_with_its_own_branch_or_that_of_the_invite(branch: str) -> None:
    script = Transcript()
    script.run(
        f"""
        0.000  <  INVITE branch=a
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.500  >  200
        0.600  <  ACK branch={branch} sdp
        0.600  *  Answered sdp
        0.700  <  ACK branch={branch} sdp
        40.000 .
        """
    )


def test_a_refusal_is_repeated_by_timer_g_until_timer_h() -> None:
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  !  reject 486
        0.010  >  486
        0.010  *  over
        0.510  >  486
        1.510  >  486
        3.510  >  486
        7.510  >  486
        11.510 >  486
        15.510 >  486
        19.510 >  486
        23.510 >  486
        27.510 >  486
        31.510 >  486
        60.000 .
        """
    )
    assert len(script.agent.transactions) == 0


def test_the_ack_of_a_refusal_is_waited_for_by_timer_i() -> None:
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  !  reject 486
        0.010  >  486
        0.010  *  over
        0.200  <  INVITE branch=a       # the 486 was lost
        0.200  >  486
        0.300  <  ACK branch=a
        0.400  <  ACK branch=a
        0.500  <  INVITE branch=a
        5.200  .
        """
    )
    assert len(script.agent.transactions) == 1
    script.run("5.300 .")
    assert len(script.agent.transactions) == 0


def test_on_tcp_nothing_is_repeated_and_nothing_waited_for() -> None:
    script = Transcript(transport="tcp")
    script.run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  !  reject 486
        0.010  >  486
        0.010  *  over
        5.000  <  ACK branch=a
        5.000  .
        """
    )
    assert len(script.agent.transactions) == 0


def test_invite_again_while_ringing_gets_the_last_provisional_answer() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.500  <  INVITE branch=a
        0.500  >  100
        1.000  !  ring 183 sdp
        1.000  >  183
        1.500  <  INVITE branch=a
        1.500  >  183
        61.000 >  183                # section 13.3.1.1: every minute, for the proxies
        70.000 !  hang_up
        70.000 >  487
        70.000 *  over
        70.010 <  ACK branch=a
        99.000 .
        """
    )


def test_cancel_while_ringing() -> None:
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  !  ring 180
        0.010  >  180
        0.500  <  CANCEL branch=a
        0.500  >  200 method=CANCEL
        0.500  >  487 method=INVITE
        0.500  *  Ended cancel
        0.500  *  over
        0.600  <  ACK branch=a
        0.700  !  answer
        40.000 .
        """
    )
    assert script.agent.idle


def test_cancel_after_the_answer_has_no_effect() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  !  answer
        0.010  >  200
        0.020  <  CANCEL branch=a
        0.020  >  200 method=CANCEL
        0.030  <  ACK
        0.030  *  Answered
        1.000  <  CANCEL branch=unknown
        1.000  >  481 method=CANCEL
        """
    )


def test_bye_of_ours_along_the_route_set_in_the_order_it_came() -> None:
    """RFC 3261 section 12.1.1: the side that is called keeps the order; the Contact is the Request-URI."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp contact=sip:c@10.0.0.1:5080 rr=sip:192.0.2.50;lr=on;ftag=x,sip:192.0.2.51;lr
        0.000  >  100
        0.000  !  answer
        0.000  >  200 Record-Route="<sip:192.0.2.50;lr=on;ftag=x>, <sip:192.0.2.51;lr>"
        0.010  <  ACK
        0.010  *  Answered
        0.020  !  hang_up agent_ended
        0.020  *  over
        0.020  >  BYE uri=sip:c@10.0.0.1:5080 Route="<sip:192.0.2.50;lr=on;ftag=x>, <sip:192.0.2.51;lr>" Reason='SIP;text="agent_ended"'
        0.030  <  200 BYE
        """
    )
    assert script.target_of("BYE").host == "192.0.2.50"
    assert script.agent.idle


def test_a_strict_router_gets_its_own_uri() -> None:
    """RFC 3261 section 12.2.1.1."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a contact=sip:c@10.0.0.1:5080 rr=sip:192.0.2.50,sip:192.0.2.51;lr
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.010  <  ACK
        0.010  *  Answered
        0.020  !  hang_up
        0.020  *  over
        0.020  >  BYE uri=sip:192.0.2.50 Route="<sip:192.0.2.51;lr>, <sip:c@10.0.0.1:5080>"
        0.030  <  200 BYE
        """
    )
    assert script.target_of("BYE").host == "192.0.2.50"


def test_a_hang_up_before_the_ack_waits_for_it() -> None:
    """RFC 3261 section 15: the callee must not send BYE before the ACK."""
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.100  !  hang_up
        0.100  *  over
        0.500  >  200
        0.600  <  ACK
        0.600  >  BYE
        0.700  <  200 BYE
        40.000 .
        """
    )


def test_a_hang_up_before_an_ack_that_never_comes_is_a_bye_after_64_t1() -> None:
    """RFC 3261 section 15: it waits for the ACK or until the server transaction times out, and no longer."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.100  !  hang_up enough
        0.100  *  over
        0.500  >  200
        1.500  >  200
        3.500  >  200
        7.500  >  200
        11.500 >  200
        15.500 >  200
        19.500 >  200
        23.500 >  200
        27.500 >  200
        31.500 >  200
        32.000 >  BYE Reason="SIP;text=\\"enough\\""
        32.100 <  200 BYE tag=peer
        90.000 .
        """
    )
    assert script.agent.idle


def test_byes_that_cross_are_both_answered() -> None:
    script = Transcript()
    taken(script)
    script.run(
        """
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE
        1.010  <  BYE cseq=2
        1.010  >  200 method=BYE
        1.020  <  200 BYE
        9.000  .
        """
    )
    assert script.agent.idle


def test_the_caller_may_end_an_early_dialog_by_bye() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  !  ring 180
        0.010  >  180
        0.500  <  BYE cseq=2
        0.500  >  200 method=BYE
        0.500  >  487 method=INVITE
        0.500  *  Ended bye
        0.500  *  over
        0.600  <  ACK branch=a
        40.000 .
        """
    )


def test_a_bye_that_nobody_answers_times_out() -> None:
    script = Transcript()
    taken(script)
    script.run(
        """
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE
        1.500  >  BYE
        2.500  >  BYE
        4.500  >  BYE
        8.500  >  BYE
        12.500 >  BYE
        16.500 >  BYE
        20.500 >  BYE
        24.500 >  BYE
        28.500 >  BYE
        32.500 >  BYE
        60.000 .
        """
    )
    assert script.agent.idle


def test_an_answer_is_given_again_until_timer_j() -> None:
    """RFC 3261 section 17.2.2: for 64*T1; later the same request is a new one, whose number has been used."""
    called().run(
        """
        1.000  <  OPTIONS cseq=2 branch=j
        1.000  >  200 method=OPTIONS
        32.900 <  OPTIONS cseq=2 branch=j
        32.900 >  200 method=OPTIONS
        33.100 <  OPTIONS cseq=2 branch=j
        33.100 >  500 method=OPTIONS
        """
    )


# -- re-INVITE and UPDATE ---------------------------------------------------------------------------------------------


def test_an_offer_in_the_dialog_is_accepted_or_declined() -> None:
    script = Transcript()
    taken(script)
    script.run(
        """
        1.000  <  INVITE re branch=b cseq=2 sdp contact=sip:moved@192.0.2.9:5071
        1.000  >  100
        1.000  *  Offered sdp
        1.100  !  accept
        1.100  >  200
        1.600  >  200                # until its ACK too
        1.700  <  ACK cseq=2
        2.000  <  INVITE re branch=c cseq=3 sdp contact=sip:nowhere@192.0.2.9:5072
        2.000  >  100
        2.000  *  Offered sdp
        2.100  !  decline 488
        2.100  >  488
        2.110  <  ACK branch=c cseq=3
        3.000  <  UPDATE cseq=4 sdp
        3.000  *  Offered sdp
        3.010  !  accept
        3.010  >  200 method=UPDATE
        4.000  <  UPDATE cseq=5       # a mere refresh
        4.000  >  200 method=UPDATE
        5.000  !  hang_up
        5.000  *  over
        5.000  >  BYE uri=sip:moved@192.0.2.9:5071
        5.010  <  200 BYE
        99.000 .
        """
    )


def test_a_re_invite_without_an_offer_brings_the_answer_in_its_ack() -> None:
    script = Transcript()
    taken(script)
    script.run(
        """
        1.000  <  INVITE re branch=b cseq=2
        1.000  >  100
        1.000  *  Offered
        1.100  !  accept
        1.100  >  200
        1.200  <  ACK cseq=2 sdp
        1.200  *  Answered sdp
        9.000  .
        """
    )


def test_offers_that_overlap() -> None:
    """RFC 3261 section 14.2: 500 with Retry-After while one is pending."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.000  <  UPDATE cseq=2 sdp to=none
        0.000  >  481
        0.010  !  ring 180
        0.010  >  180
        0.020  <  INVITE re branch=e cseq=2 sdp
        0.020  >  500
        0.030  !  answer
        0.030  >  200
        0.050  <  ACK
        0.050  *  Answered
        0.060  <  ACK branch=e cseq=2
        1.000  <  INVITE re branch=b cseq=4 sdp
        1.000  >  100
        1.000  *  Offered sdp
        1.100  <  INVITE re branch=c cseq=5 sdp
        1.100  >  500
        1.110  <  ACK branch=c cseq=5
        1.200  <  CANCEL branch=b cseq=4
        1.200  >  200 method=CANCEL
        1.200  >  487 method=INVITE
        1.210  <  ACK branch=b cseq=4
        1.300  !  accept                # too late, and harmless
        9.000  .
        """
    )
    refusals = [m for m in script.sent if isinstance(m, Response) and m.status == 500]
    assert all(0 <= int(refusal.headers.get("retry-after") or "99") <= 10 for refusal in refusals)


def test_an_answer_to_a_re_invite_that_is_never_acknowledged_ends_the_call() -> None:
    script = Transcript()
    taken(script)
    script.run("1.000 < INVITE re branch=b cseq=2 sdp\n1.000 > 100\n1.000 * Offered sdp\n1.000 ! accept\n1.000 > 200")
    while script.agent.next_timer() is not None and script.now < 34:
        script._advance(script.now + 1)
    assert script.last("BYE").cseq.number == 1
    assert ("Ended lost") in [what for _, what in script._happened]


def test_a_bye_while_an_offer_waits_refuses_it() -> None:
    script = Transcript()
    taken(script)
    script.run(
        """
        1.000  <  INVITE re branch=b cseq=2 sdp
        1.000  >  100
        1.000  *  Offered sdp
        1.100  <  BYE cseq=3
        1.100  >  200 method=BYE
        1.100  >  487 method=INVITE
        1.100  *  Ended bye
        1.100  *  over
        1.200  <  ACK branch=b cseq=2
        9.000  .
        """
    )


# -- other requests in the dialog -------------------------------------------------------------------------------------


def test_requests_in_the_dialog_that_carry_no_call() -> None:
    script = Transcript()
    taken(script)
    script.run(
        """
        1.000  <  OPTIONS cseq=2
        1.000  >  200 Accept="application/sdp, multipart/mixed, multipart/alternative, multipart/related, message/sipfrag"
        1.100  <  INFO cseq=3
        1.100  >  200
        1.200  <  INFO cseq=4 Content-Type=application/sdp
        1.200  >  415
        1.300  <  NOTIFY cseq=5 Event=message-summary Content-Type=application/simple-message-summary
        1.300  >  200
        1.400  <  NOTIFY cseq=6 Event=presence
        1.400  >  489
        1.500  <  MESSAGE cseq=7
        1.500  >  405
        1.600  <  INFO cseq=5 branch=late
        1.600  >  500
        1.700  <  INFO cseq=8 Require=foo
        1.700  >  420 Unsupported=foo
        1.800  <  BYE cseq=9 tag=stranger
        1.800  >  481
        1.900  <  BYE cseq=9 to=stranger branch=x
        1.900  >  481
        60.000 .
        """
    )


def test_from_a_dialog_whose_requests_come_over_tcp_ours_go_back_over_the_same_connection() -> None:
    script = Transcript(transport="tcp")
    script.run(
        """
        0.000  <  INVITE branch=a sdp contact=sip:c@192.0.2.9:5060;transport=tcp
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.010  <  ACK
        0.010  *  Answered
        0.020  !  hang_up
        0.020  *  over
        0.020  >  BYE uri=sip:c@192.0.2.9:5060;transport=tcp
        0.030  <  200 BYE
        9.000  .
        """
    )
    assert script.target_of("BYE").flow == script.source
    ok = script.last("200")
    assert isinstance(ok, Response)
    assert ok.contacts[0].uri == "sip:us@192.0.2.1:5060;transport=tcp"
    bye = script.last("BYE")
    assert isinstance(bye, Request)
    assert bye.via.transport == "TCP"


def test_an_invite_expires_when_its_caller_said_so() -> None:
    """RFC 3261 section 13.3.1."""
    Transcript().run(
        """
        0.000  <  INVITE branch=a Expires=20
        0.000  >  100
        1.000  !  ring 180
        1.000  >  180
        20.000 >  487
        20.000 *  Ended cancel
        20.000 *  over
        20.010 <  ACK branch=a
        90.000 .
        """
    )


@pytest.mark.parametrize("expires", ["20", "soon", "-1"])
def test_a_call_that_was_answered_does_not_expire(expires: str) -> None:
    Transcript().run(
        f"""
        0.000  <  INVITE branch=a Expires={expires}
        0.000  >  100
        1.000  !  answer
        1.000  >  200
        1.100  <  ACK
        1.100  *  Answered
        90.000 .
        """
    )
