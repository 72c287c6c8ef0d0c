"""A call that we place, on the time line: RFC 3261 sections 9.1, 12.1.2, 13.2, 17.1, 22, with RFC 5407 and RFC 6026."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sipserver.legs import Invitation
from sipserver.message import MessageError, Request
from tests.sipserver.transcripts import ANSWER, OFFER, TRUNK, Transcript

CALLING = """
    0.000  !  invite
    0.000  >  INVITE branch=a cseq=1 uri=sip:+12025550123@192.0.2.9:5070
    """
ANSWERED = (
    CALLING
    + """
    0.100  <  100
    0.200  <  180 tag=x
    0.200  *  Progress 180
    0.300  <  200 tag=x sdp
    0.300  >  ACK branch=b cseq=1 uri=sip:callee@192.0.2.9:5070
    0.300  *  Answered sdp
    """
)


def test_the_invite_that_is_sent() -> None:
    script = Transcript()
    script.run(CALLING)
    invite = script.last("INVITE")
    assert isinstance(invite, Request)
    assert str(invite.via).startswith("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK")
    assert "rport" in invite.via.params
    assert invite.from_.uri == "sip:+12025550100@192.0.2.1"
    assert invite.to.uri == "sip:+12025550123@192.0.2.9:5070"
    assert invite.contacts[0].uri == "sip:+12025550100@192.0.2.1:5060"
    assert invite.headers.get("max-forwards") == "70"
    assert invite.body == OFFER
    assert script.leg is not None
    assert "via" not in script.leg.invite.headers


def test_a_call_until_our_bye() -> None:
    script = Transcript()
    script.run(
        ANSWERED
        + """
        5.000  !  hang_up
        5.000  *  over
        5.000  >  BYE branch=c cseq=2 uri=sip:callee@192.0.2.9:5070
        5.100  <  200 BYE
        40.000 .
        """
    )
    assert script.agent.idle
    assert len(script.agent.transactions) == 0


def test_a_call_until_the_peers_bye() -> None:
    script = Transcript()
    script.run(
        ANSWERED
        + """
        5.000  <  BYE cseq=1 tag=x Reason='Q.850;cause=16'
        5.000  >  200
        5.000  *  Ended bye
        5.000  *  over
        40.000 .
        """
    )
    assert script.agent.idle


def test_timer_a_repeats_the_invite_until_timer_b() -> None:
    script = Transcript()
    script.run(
        CALLING
        + """
        0.500  >  INVITE branch=a
        1.500  >  INVITE branch=a
        3.500  >  INVITE branch=a
        7.500  >  INVITE branch=a
        15.500 >  INVITE branch=a
        31.500 >  INVITE branch=a
        32.000 *  Refused 408
        32.000 *  over
        99.000 .
        """
    )
    assert script.agent.idle


def test_a_provisional_answer_stops_timers_a_and_b() -> None:
    Transcript().run(
        CALLING
        + """
        0.100  <  183 tag=x sdp
        0.100  *  Progress 183 sdp
        99.000 .
        """
    )


def test_on_tcp_nothing_is_repeated() -> None:
    Transcript(trunk=replace(TRUNK, transport="tcp")).run(
        CALLING
        + """
        32.000 *  Refused 408
        32.000 *  over
        """
    )


def test_a_refusal_is_acknowledged_for_as_long_as_timer_d_runs() -> None:
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  486 tag=x
        0.100  >  ACK branch=a cseq=1 uri=sip:+12025550123@192.0.2.9:5070
        0.100  *  Refused 486
        0.100  *  over
        0.600  <  486 tag=x
        0.600  >  ACK branch=a
        32.000 <  486 tag=x
        32.000 >  ACK branch=a
        32.200 <  486 tag=x           # a stray by now
        40.000 .
        """
    )
    assert script.last("ACK").to.tag == "x"
    assert script.agent.counters["stray"] == 1


@pytest.mark.parametrize("status", [302, 404, 480, 503, 600])
def test_every_other_final_answer_is_a_refusal(status: int) -> None:
    Transcript().run(CALLING + f"0.1 < {status} tag=x\n0.1 > ACK branch=a\n0.1 * Refused {status}\n0.1 * over\n9 .")


def test_each_repetition_of_the_200_gets_the_same_ack_until_timer_m() -> None:
    script = Transcript()
    script.run(
        ANSWERED
        + """
        0.800  <  200 tag=x sdp
        0.800  >  ACK branch=b
        32.200 <  200 tag=x sdp
        32.200 >  ACK branch=b
        32.400 <  200 tag=x sdp        # a stray by now
        40.000 .
        """
    )
    assert script.agent.counters["stray"] == 1


def test_ack_and_bye_go_along_the_reversed_route_set() -> None:
    """RFC 3261 section 12.1.2; two Record-Routes of one proxy that changes the transport."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.300  <  200 tag=x sdp contact=sip:c@10.9.9.9 rr=sip:192.0.2.51;r2=on;lr=on,sip:192.0.2.50;r2=on;lr=on
        0.300  >  ACK branch=b uri=sip:c@10.9.9.9 Route="<sip:192.0.2.50;r2=on;lr=on>, <sip:192.0.2.51;r2=on;lr=on>"
        0.300  *  Answered sdp
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE uri=sip:c@10.9.9.9 Route="<sip:192.0.2.50;r2=on;lr=on>, <sip:192.0.2.51;r2=on;lr=on>"
        1.100  <  200 BYE
        9.000  .
        """
    )
    assert script.target_of("ACK").host == script.target_of("BYE").host == "192.0.2.50"
    assert script.target_of("INVITE").host == "192.0.2.9"


# -- CANCEL -----------------------------------------------------------------------------------------------------------


def test_cancel_waits_for_a_provisional_answer() -> None:
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  !  hang_up canceled
        0.100  *  over
        0.500  >  INVITE branch=a
        0.600  <  100
        0.600  >  CANCEL branch=a cseq=1 uri=sip:+12025550123@192.0.2.9:5070 Reason='SIP;text="canceled"'
        0.700  <  200 CANCEL
        0.800  <  487 INVITE tag=x
        0.800  >  ACK branch=a
        40.000 .
        """
    )
    assert script.agent.idle


def test_cancel_at_once_when_there_was_a_provisional_answer() -> None:
    Transcript().run(
        CALLING
        + """
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.210  <  200 CANCEL
        0.220  <  180 tag=x
        0.300  <  487 tag=x
        0.300  >  ACK branch=a
        40.000 .
        """
    )


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_ended() -> None:
    """RFC 5407 section 3.1.2."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.210  <  200 tag=x sdp
        0.210  >  ACK branch=b
        0.210  >  BYE branch=c cseq=2
        0.220  <  200 CANCEL
        0.230  <  200 BYE
        0.710  <  200 INVITE tag=x sdp
        0.710  >  ACK branch=b
        40.000 .
        """
    )
    assert script.agent.idle


def test_a_cancelled_invite_that_gets_no_final_answer_is_given_up() -> None:
    """RFC 3261 section 9.1: 64*T1 after the CANCEL."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.300  <  200 CANCEL
        32.100 .
        """
    )
    assert not script.agent.idle
    script.run("32.3 .")
    assert script.agent.idle
    assert len(script.agent.transactions) == 0


# -- forks ------------------------------------------------------------------------------------------------------------


def test_the_first_200_of_a_fork_wins_and_the_others_are_ended() -> None:
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  180 tag=x at=x
        0.100  *  Progress 180
        0.110  <  183 tag=y at=y sdp
        0.110  *  Progress 183 sdp
        0.120  <  181 tag=z at=z
        0.120  *  Progress 181
        0.200  <  200 tag=y at=y sdp
        0.200  >  ACK branch=b uri=sip:y@192.0.2.9:5070
        0.200  *  Answered sdp
        0.300  <  200 INVITE tag=x at=x sdp
        0.300  >  ACK branch=c uri=sip:x@192.0.2.9:5070
        0.300  >  BYE branch=d cseq=2 uri=sip:x@192.0.2.9:5070
        0.400  <  200 BYE
        0.800  <  200 INVITE tag=x at=x sdp
        0.800  >  ACK branch=c
        0.900  <  200 INVITE tag=y at=y sdp
        0.900  >  ACK branch=b
        1.000  <  BYE tag=z cseq=1 branch=early
        1.000  >  481
        40.000 <  UPDATE tag=z cseq=2 branch=gone
        40.000 >  481
        41.000 !  hang_up
        41.000 *  over
        41.000 >  BYE cseq=2 uri=sip:y@192.0.2.9:5070
        41.100 <  200 BYE
        99.000 .
        """
    )
    assert script.agent.idle


def test_a_flood_of_forks_makes_no_flood_of_dialogs() -> None:
    script = Transcript()
    script.run(CALLING)
    for number in range(100):
        script.run(f"0.1 < 180 tag=t{number}\n0.1 * Progress 180")
    assert len(script.agent._dialogs) == 16


# -- credentials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_is_answered_once(status: int) -> None:
    script = Transcript()
    script.run(
        CALLING
        + f"""
        0.100  <  {status} tag=x challenge
        0.100  >  ACK branch=a cseq=1
        0.100  >  INVITE branch=b cseq=2
        0.200  <  {status} tag=y challenge
        0.200  >  ACK branch=b cseq=2
        0.200  *  Refused {status}
        0.200  *  over
        40.000 .
        """
    )
    first, again = (message for message in script.sent if isinstance(message, Request) and message.method == "INVITE")
    assert first.call_id == again.call_id
    assert first.from_ == again.from_
    assert again.to.tag is None
    assert again.body == first.body
    header = again.headers.get("Authorization" if status == 401 else "Proxy-Authorization") or ""
    assert 'username="u"' in header
    assert f'uri="{again.uri}"' in header
    assert script.leg is not None
    assert not re.search("uthorization", repr(script.leg.invite.headers))


def test_the_ack_carries_the_credentials_and_the_bye_gets_its_own() -> None:
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  407 tag=x challenge
        0.100  >  ACK branch=a cseq=1
        0.100  >  INVITE branch=b cseq=2
        0.200  <  200 tag=y sdp
        0.200  >  ACK branch=c cseq=2
        0.200  *  Answered sdp
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE branch=d cseq=3
        1.100  <  407 BYE challenge
        1.100  >  BYE branch=e cseq=4
        1.200  <  200 BYE
        9.000  .
        """
    )
    assert "proxy-authorization" in script.last("BYE").headers
    assert any("proxy-authorization" in m.headers for m in script.sent if isinstance(m, Request) and m.method == "ACK")


def test_a_stranger_in_the_dialog_gets_no_credentials() -> None:
    """The callee's own host is not the trunk, and its challenge not ours to answer."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.200  <  200 tag=y sdp contact=sip:evil@198.51.100.66
        0.200  >  ACK branch=c cseq=1
        0.200  *  Answered sdp
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE branch=d cseq=2
        1.100  <  401 BYE challenge
        9.000  .
        """
    )
    assert script.target_of("BYE").host == "198.51.100.66"
    assert script.agent.idle


def test_without_a_password_a_challenge_is_a_refusal() -> None:
    Transcript(trunk=replace(TRUNK, password=None)).run(
        CALLING + "0.1 < 401 tag=x challenge\n0.1 > ACK branch=a\n0.1 * Refused 401\n0.1 * over"
    )


def test_a_cancel_between_challenge_and_answer_sends_no_second_invite() -> None:
    Transcript().run(
        CALLING
        + """
        0.100  !  hang_up
        0.100  *  over
        0.200  <  401 tag=x challenge
        0.200  >  ACK branch=a
        40.000 .
        """
    )


# -- the way ----------------------------------------------------------------------------------------------------------


def test_a_name_is_looked_up() -> None:
    script = Transcript(trunk=replace(TRUNK, host="sip.example.com", mode="registration"))
    script.run("0 ! invite\n0 > INVITE uri=sip:+12025550123@sip.example.com:5070")
    assert (script.target_of("INVITE").host, script.target_of("INVITE").port) == ("192.0.2.9", 5070)
    assert script.last("INVITE").from_.uri == "sip:+12025550100@sip.example.com"


def test_a_name_without_addresses_is_a_503() -> None:
    Transcript(trunk=replace(TRUNK, host="sip.example.com"), addresses=()).run("0 ! invite\n0 * Refused 503\n0 * over")


def test_tls_is_refused_in_words() -> None:
    script = Transcript(trunk=replace(TRUNK, transport="tls"))
    script.run("0 ! invite\n0 * Refused 503\n0 * over")


def test_an_outbound_proxy_is_a_route_of_its_own_and_not_of_the_dialog() -> None:
    script = Transcript(trunk=replace(TRUNK, outbound_proxy="192.0.2.77:5090"))
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE uri=sip:+12025550123@192.0.2.9:5070 Route="<sip:192.0.2.77:5090;lr>"
        0.100  <  100
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL Route="<sip:192.0.2.77:5090;lr>"
        0.200  <  200 INVITE tag=x
        0.200  >  ACK uri=sip:callee@192.0.2.9:5070
        0.200  >  BYE uri=sip:callee@192.0.2.9:5070
        """
    )
    assert script.target_of("INVITE").host == "192.0.2.77"
    assert "route" not in script.last("ACK").headers


def test_nobody_there_is_a_503() -> None:
    Transcript().run(CALLING + "0.1 ! unreachable\n0.1 * Refused 503\n0.1 * over\n40 .")


def test_a_big_invite_stays_on_the_trunks_transport() -> None:
    script = Transcript()
    script.agent.invite(Invitation(TRUNK, "1", "2", OFFER + b"a=x:" + b"y" * 1500), 0.0)
    (outgoing,) = script.agent.to_send()
    assert len(outgoing.data) > 1500
    assert outgoing.target.transport == "udp"


def test_what_cannot_be_written_is_an_error_and_not_a_header() -> None:
    script = Transcript()
    with pytest.raises(MessageError):
        script.agent.invite(Invitation(TRUNK, "1", "2", OFFER, headers=(("X-A", "b\r\nX-C: d"),)), 0.0)
    assert script.agent.idle


# -- what the peer does in our dialog -------------------------------------------------------------------------------------


def test_an_offer_of_the_callee() -> None:
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.110  <  UPDATE tag=x cseq=1 sdp
        0.110  >  491
        0.120  <  UPDATE tag=x cseq=2
        0.120  >  200
        0.130  <  OPTIONS tag=x cseq=3
        0.130  >  200
        0.200  <  200 INVITE tag=x sdp
        0.200  >  ACK branch=b
        0.200  *  Answered sdp
        1.000  <  INVITE re tag=x cseq=4 sdp branch=k
        1.000  >  100
        1.000  *  Offered sdp
        1.010  !  accept
        1.010  >  200 method=INVITE
        1.020  <  ACK tag=x cseq=4
        9.000  .
        """
    )
    assert script.last("200").body == ANSWER


def test_a_200_without_contact_is_no_call() -> None:
    Transcript().run(CALLING + "0.1 < 200 tag=x contact=none\n0.1 * Refused 502\n0.1 * over\n40 .")


# -- OPTIONS ----------------------------------------------------------------------------------------------------------


def test_options_to_a_trunk_with_a_challenge() -> None:
    script = Transcript()
    script.run(
        """
        0.000  !  options
        0.000  >  OPTIONS branch=a cseq=1
        0.100  <  401 OPTIONS challenge
        0.100  >  OPTIONS branch=b cseq=2
        0.200  <  200 OPTIONS
        9.000  .
        """
    )
    assert [answer.status for answer in script.options if answer] == [200]


def test_options_are_repeated_by_timer_e_until_timer_f() -> None:
    script = Transcript()
    script.run("0 ! options\n0 > OPTIONS")
    for at in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5):
        script.run(f"{at} > OPTIONS")
    script.run("99 .")
    assert script.options == [None]


def test_timer_f_ends_a_request_that_was_only_answered_provisionally() -> None:
    """RFC 3261 section 17.1.2.2."""
    script = Transcript()
    script.run("0 ! options\n0 > OPTIONS\n0.1 < 100 OPTIONS")
    for at in (0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5):
        script.run(f"{at} > OPTIONS")
    script.run("99 .")
    assert script.options == [None]


def test_a_provisional_answer_slows_timer_e_down_to_t2() -> None:
    script = Transcript()
    script.run(
        """
        0.000  !  options
        0.000  >  OPTIONS
        0.100  <  100 OPTIONS
        0.500  >  OPTIONS
        4.500  >  OPTIONS
        8.500  >  OPTIONS
        9.000  <  200 OPTIONS
        9.100  <  200 OPTIONS        # absorbed by timer K
        13.900 .
        """
    )
    assert len(script.agent.transactions) == 1
    script.run("14.1 .")
    assert len(script.agent.transactions) == 0
    assert len(script.options) == 1
