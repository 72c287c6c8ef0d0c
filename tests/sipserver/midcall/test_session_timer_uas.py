"""Session timers of calls that come in (RFC 4028 sections 9 and 10): what our 2xx says, who refreshes, and how a dead call ends."""

from __future__ import annotations

import pytest

from tests.sipserver.transcripts import ANSWER, Transcript

ABLE = "Supported=timer"


def taken(script: Transcript, invite: str, answer: str = "answer", *said: str) -> None:
    """A call that is answered at 0.000; its INVITE and the owner's answer as given, and what the 200 says."""
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp {invite}
        0.000  >  100
        0.000  !  {answer}
        0.000  >  200 {" ".join(said)}
        0.000  <  ACK
        0.000  *  Answered
        """
    )


@pytest.mark.parametrize(
    ("invite", "answer", "expires", "required"),
    [
        # Table 2 of section 9: without support by the caller the refresher is the UAS only.
        ("Session-Expires=1800", "answer", "1800;refresher=uas", None),
        ("Session-Expires=1800;refresher=uac", "answer", "1800;refresher=uas", None),
        (f"{ABLE} Session-Expires=1800", "answer", "1800;refresher=uas", "timer"),
        (f"{ABLE} Session-Expires=1800;refresher=uac", "answer", "1800;refresher=uac", "timer"),
        (f"{ABLE} Session-Expires=1800;refresher=uas", "answer", "1800;refresher=uas", "timer"),
        ("Require=timer x=90;refresher=uac", "answer", "90;refresher=uac", "timer"),
        # Nobody asks for one, or only we do.
        (ABLE, "answer", None, None),
        ("", "answer", None, None),
        (ABLE, "answer 600", "600;refresher=uas", "timer"),
        ("", "answer 600", "600;refresher=uas", None),
        # An answer makes the interval shorter, never longer, and not below Min-SE.
        (f"{ABLE} Session-Expires=1800", "answer 600", "600;refresher=uas", "timer"),
        (f"{ABLE} Session-Expires=1800 Min-SE=900", "answer 600", "900;refresher=uas", "timer"),
        (f"{ABLE} Session-Expires=300", "answer 600", "300;refresher=uas", "timer"),
        (f"{ABLE} Min-SE=900", "answer 600", "900;refresher=uas", "timer"),
        # What is no interval is as if it were not there.
        (f"{ABLE} Session-Expires=soon", "answer", None, None),
    ],
)
def test_what_the_200_says(invite: str, answer: str, expires: str | None, required: str | None) -> None:
    script = Transcript()
    taken(script, invite, answer)
    ok = script.last("200")
    assert ok.headers.get("session-expires") == expires
    assert ok.headers.get("require") == required
    assert ok.headers.get("supported") is not None


@pytest.mark.parametrize("seconds", ["0", "1", "89"])
def test_an_interval_that_is_too_small_is_422_with_ours(seconds: str) -> None:
    script = Transcript()
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp {ABLE} Session-Expires={seconds}
        0.000  >  422 Min-SE=90
        0.000  <  ACK branch=a
        0.100  <  INVITE branch=b cseq=2 sdp {ABLE} Session-Expires=90 Min-SE=90
        0.100  >  100
        0.100  !  answer
        0.100  >  200 Session-Expires=90;refresher=uas
        0.200  <  ACK cseq=2
        0.200  *  Answered
        """
    )


def test_a_refresh_with_too_small_an_interval_is_422_and_the_call_goes_on() -> None:
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=90;refresher=uac")
    script.run(
        f"""
        20.000 <  UPDATE cseq=2 {ABLE} Session-Expires=60;refresher=uac
        20.000 >  422 Min-SE=90
        21.000 <  UPDATE cseq=3 {ABLE} Session-Expires=90;refresher=uac
        21.000 >  200 Session-Expires=90;refresher=uac
        80.999 .
        81.000 *  Ended lost
        81.000 *  over
        81.000 >  BYE
        81.100 <  200 BYE
        """
    )


def test_a_caller_that_refreshes_keeps_the_call_and_one_that_forgets_loses_it() -> None:
    """Section 10: BYE at SE - min(32, SE/3), counted from the last 2xx, whichever request it was for."""
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=90;refresher=uac", "answer", "Session-Expires=90;refresher=uac")
    script.run(
        f"""
        45.000 <  UPDATE cseq=2 {ABLE} Session-Expires=90;refresher=uac
        45.000 >  200 Session-Expires=90;refresher=uac Require=timer
        90.000 <  INVITE re cseq=3 sdp {ABLE} Session-Expires=90;refresher=uac
        90.000 >  100
        90.000 *  Offered sdp
        90.000 !  accept
        90.000 >  200 Session-Expires=90;refresher=uac Require=timer
        90.000 <  ACK cseq=3
        149.999 .
        150.000 *  Ended lost
        150.000 *  over
        150.000 >  BYE cseq=1 Reason="SIP;text=\\"Session expired\\""
        150.010 <  200 BYE
        900.000 .
        """
    )
    assert script.agent.idle


def test_we_refresh_with_update_where_the_caller_takes_it() -> None:
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=100;refresher=uas Allow=INVITE,ACK,BYE,CANCEL,UPDATE")
    script.run(
        """
        49.999 .
        50.000 >  UPDATE cseq=1 uri=sip:peer@192.0.2.9:5070 Session-Expires=100;refresher=uac Contact="<sip:us@192.0.2.1:5060>"
        50.010 <  200 UPDATE tag=x Session-Expires=100;refresher=uac
        100.010 >  UPDATE cseq=2
        100.020 <  200 UPDATE tag=x Session-Expires=100;refresher=uac
        110.000 !  hang_up
        110.000 *  over
        110.000 >  BYE cseq=3          # the refresh and the BYE never share a number
        110.010 <  200 BYE
        900.000 .
        """
    )
    update = script.last("UPDATE")
    assert update.body == b""
    assert script.agent.idle


def test_we_refresh_with_a_reinvite_that_repeats_our_description_where_update_is_not_allowed() -> None:
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=100;refresher=uas Allow=INVITE,ACK,BYE,CANCEL")
    script.run(
        """
        50.000 >  INVITE cseq=1 Session-Expires=100;refresher=uac Content-Type=application/sdp
        50.010 <  200 tag=x sdp Session-Expires=100;refresher=uac
        50.010 >  ACK cseq=1
        50.010 *  OfferAnswered sdp
        50.510 <  200 tag=x sdp Session-Expires=100;refresher=uac       # our ACK was lost
        50.510 >  ACK cseq=1
        100.010 >  INVITE cseq=2
        100.020 <  200 tag=x sdp          # without Session-Expires the timer is off from now on
        100.020 >  ACK cseq=2
        100.020 *  OfferAnswered sdp
        900.000 .
        """
    )
    assert script.last("INVITE").body == ANSWER


def test_a_peer_that_has_no_update_after_all_gets_a_reinvite_at_once() -> None:
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=100;refresher=uas Allow=UPDATE")
    script.run(
        """
        50.000 >  UPDATE cseq=1
        50.010 <  501 UPDATE tag=x
        50.010 >  INVITE cseq=2
        50.020 <  200 tag=x sdp Session-Expires=100;refresher=uac
        50.020 >  ACK cseq=2
        50.020 *  OfferAnswered sdp
        """
    )


@pytest.mark.parametrize("status", ["408", "481"])
def test_a_refresh_that_shows_that_nobody_is_there_ends_the_call(status: str) -> None:
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=100;refresher=uas Allow=UPDATE")
    script.run(
        f"""
        50.000 >  UPDATE cseq=1
        50.010 <  {status} UPDATE tag=x
        50.010 *  Ended lost
        50.010 *  over
        50.010 >  BYE cseq=2
        50.020 <  481 BYE tag=x
        900.000 .
        """
    )
    assert script.agent.idle


def test_a_refresh_that_is_never_answered_ends_the_call() -> None:
    script = Transcript(transport="tcp")
    taken(
        script, f"{ABLE} Session-Expires=100;refresher=uas Allow=UPDATE contact=sip:peer@192.0.2.9:5070;transport=tcp"
    )
    script.run(
        """
        50.000 >  UPDATE cseq=1
        82.000 *  Ended lost
        82.000 *  over
        82.000 >  BYE cseq=2
        900.000 .
        """
    )
    assert script.agent.idle


def test_a_refresh_that_is_refused_is_tried_again_and_the_session_ends_in_time_all_the_same() -> None:
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=100;refresher=uas Allow=UPDATE")
    script.run(
        """
        50.000 >  UPDATE cseq=1
        50.000 <  403 UPDATE tag=x
        75.000 >  UPDATE cseq=2
        75.000 <  403 UPDATE tag=x
        87.500 >  UPDATE cseq=3
        87.500 <  403 UPDATE tag=x
        93.750 >  UPDATE cseq=4
        93.750 <  403 UPDATE tag=x
        100.000 *  Ended lost
        100.000 *  over
        100.000 >  BYE cseq=5
        100.000 <  200 BYE tag=x
        900.000 .
        """
    )
    assert script.agent.idle


def test_a_refresh_refused_as_too_short_asks_for_what_is_wanted() -> None:
    """Section 7.3: the 422 of a refresh keeps the dialog, and its Min-SE is kept from then on."""
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=100;refresher=uas Allow=UPDATE")
    script.run(
        """
        50.000 >  UPDATE cseq=1 Session-Expires=100;refresher=uac
        50.000 <  422 UPDATE tag=x Min-SE=200
        50.000 >  UPDATE cseq=2 Session-Expires=200;refresher=uac Min-SE=200
        50.000 <  200 UPDATE tag=x Session-Expires=200;refresher=uac
        150.000 >  UPDATE cseq=3 Session-Expires=200;refresher=uac Min-SE=200
        150.000 <  200 UPDATE tag=x
        900.000 .
        """
    )


def test_a_refresh_waits_for_the_peers_own_offer_and_is_not_needed_after_it() -> None:
    script = Transcript()
    taken(script, f"{ABLE} Session-Expires=100;refresher=uas Allow=UPDATE")
    script.run(
        f"""
        49.900 <  INVITE re cseq=2 sdp {ABLE}
        49.900 >  100
        49.900 *  Offered sdp
        50.200 !  accept
        50.200 >  200 Session-Expires=100;refresher=uas
        50.300 <  ACK cseq=2
        100.199 .
        100.200 >  UPDATE cseq=1
        100.200 <  200 UPDATE tag=x
        """
    )


def test_what_was_agreed_in_the_early_dialog_survives_the_answer() -> None:
    script = Transcript()
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp {ABLE}
        0.000  >  100
        0.000  !  ring 180
        0.000  >  180
        1.000  <  UPDATE cseq=2 {ABLE} Session-Expires=300;refresher=uac
        1.000  >  200 Session-Expires=300;refresher=uac
        50.000 !  answer
        50.000 >  200 Session-Expires=300;refresher=uac Require=timer
        50.000 <  ACK
        50.000 *  Answered
        317.999 .
        318.000 *  Ended lost
        318.000 *  over
        318.000 >  BYE
        318.000 <  200 BYE tag=x
        """
    )
