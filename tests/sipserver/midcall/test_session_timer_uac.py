"""Session timers of calls that we place (RFC 4028 sections 7 and 10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipserver.protocols import TrunkOptions
from tests.sipserver.midcall.dialogs import calling
from tests.sipserver.transcripts import OFFER, TRUNK, Transcript

TIMED = replace(TRUNK, options=TrunkOptions(session_timer=100))


def placed(script: Transcript, ok: str = "") -> None:
    """A call that is answered at 1.000; what the 200 says as given."""
    script.run(
        f"""
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  100
        1.000  <  200 tag=x sdp {ok}
        1.000  >  ACK
        1.000  *  Answered sdp
        """
    )


def test_the_invite_asks_for_the_trunks_timer_and_leaves_the_refresher_open() -> None:
    script = Transcript(trunk=TIMED)
    script.run("0.000 ! invite\n0.000 > INVITE Session-Expires=100")
    assert "timer" in script.last("INVITE").headers.all("supported")
    plain = Transcript()
    plain.run("0.000 ! invite\n0.000 > INVITE")
    assert "session-expires" not in plain.last("INVITE").headers
    assert "timer" in plain.last("INVITE").headers.all("supported")


@pytest.mark.parametrize("said", ["100;refresher=uac", "100"])
def test_we_refresh_when_it_falls_to_us(said: str) -> None:
    script = Transcript(trunk=TIMED)
    placed(script, f"Session-Expires={said} Allow=UPDATE")
    script.run(
        """
        51.000 >  UPDATE cseq=2 Session-Expires=100;refresher=uac
        51.010 <  200 UPDATE tag=x Session-Expires=100;refresher=uac
        101.010 >  UPDATE cseq=3
        101.010 <  401 UPDATE tag=x challenge
        101.010 >  UPDATE cseq=4
        101.020 <  200 UPDATE tag=x Session-Expires=100;refresher=uac
        102.000 !  hang_up
        102.000 *  over
        102.000 >  BYE cseq=5
        102.010 <  200 BYE tag=x
        900.000 .
        """
    )
    assert "authorization" in script.last("UPDATE").headers
    assert script.agent.idle


def test_a_callee_that_answers_with_next_to_nothing_is_not_refreshed_more_often_than_every_ten_seconds() -> None:
    """Section 4: no interval is below 90 seconds. Who says one second all the same would have us send for ever."""
    script = Transcript(trunk=TIMED)
    placed(script, "Session-Expires=1;refresher=uac Allow=UPDATE")
    script.run(
        """
        10.999 .
        11.000 >  UPDATE cseq=2 Session-Expires=90;refresher=uac
        11.010 <  200 UPDATE tag=x Session-Expires=1;refresher=uac
        21.009 .
        21.010 >  UPDATE cseq=3
        """
    )


@pytest.mark.parametrize(("status", "header"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_a_challenged_refresh_is_sent_again_with_credentials(status: int, header: str) -> None:
    script = calling("Allow=UPDATE,INVITE,ACK,BYE Session-Expires=90;refresher=uac Require=timer")
    script.run(
        f"""
        45.00  >  UPDATE cseq=2 branch=a
        45.10  <  {status} UPDATE tag=x challenge
        45.10  >  UPDATE cseq=3 branch=b
        45.20  <  200 UPDATE tag=x Session-Expires=90;refresher=uac Require=timer
        90.20  >  UPDATE cseq=4 branch=c
        """
    )
    assert header in script.last("UPDATE", "3").headers


def test_without_update_the_reinvite_repeats_the_offer_of_the_invite() -> None:
    script = Transcript(trunk=TIMED)
    placed(script, "Session-Expires=100;refresher=uac")
    script.run(
        """
        51.000 >  INVITE cseq=2
        51.010 <  200 tag=x sdp Session-Expires=100;refresher=uac
        51.010 >  ACK cseq=2
        51.010 *  OfferAnswered sdp
        """
    )
    assert script.last("INVITE").body == OFFER


def test_a_callee_that_takes_the_refresh_upon_itself_and_forgets_it_loses_the_call() -> None:
    script = Transcript(trunk=TIMED)
    placed(script, "Session-Expires=90;refresher=uas")
    script.run(
        """
        60.999 .
        61.000 *  Ended lost
        61.000 *  over
        61.000 >  BYE cseq=2
        61.000 <  200 BYE tag=x
        900.000 .
        """
    )
    assert script.agent.idle


def test_a_refresh_of_the_callees_begins_the_time_anew() -> None:
    script = Transcript(trunk=TIMED)
    placed(script, "Session-Expires=90;refresher=uas")
    script.run(
        """
        46.000 <  UPDATE cseq=1 tag=x Supported=timer Session-Expires=90;refresher=uac
        46.000 >  200 Session-Expires=90;refresher=uac
        105.999 .
        106.000 *  Ended lost
        106.000 *  over
        106.000 >  BYE cseq=2
        106.000 <  200 BYE tag=x
        """
    )


def test_our_own_reinvite_begins_the_time_anew() -> None:
    script = Transcript(trunk=TIMED)
    placed(script, "Session-Expires=90;refresher=uas")
    script.run(
        """
        46.000 !  offer
        46.000 >  INVITE cseq=2 Session-Expires=90;refresher=uas
        46.100 <  200 tag=x sdp Session-Expires=90;refresher=uas
        46.100 >  ACK cseq=2
        46.100 *  OfferAnswered sdp
        106.099 .
        106.100 *  Ended lost
        106.100 *  over
        106.100 >  BYE cseq=3
        106.100 <  200 BYE tag=x
        """
    )


def test_a_200_without_session_expires_turns_the_timer_off() -> None:
    script = Transcript(trunk=TIMED)
    placed(script)
    script.run("9000.000 .")


def test_what_was_agreed_in_the_early_dialog_survives_the_answer() -> None:
    script = Transcript()
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.200  <  UPDATE cseq=1 tag=x Supported=timer Session-Expires=90;refresher=uas
        0.200  >  200 Session-Expires=90;refresher=uas
        1.000  <  200 tag=x sdp
        1.000  >  ACK
        1.000  *  Answered sdp
        46.000 >  INVITE cseq=2 Session-Expires=90;refresher=uac
        46.000 <  200 tag=x sdp
        46.000 >  ACK cseq=2
        46.000 *  OfferAnswered sdp
        """
    )


def test_what_another_fork_agreed_to_does_not_hold() -> None:
    script = Transcript()
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  180 tag=y
        0.100  *  Progress 180
        0.200  <  UPDATE cseq=1 tag=y Supported=timer Session-Expires=90;refresher=uas
        0.200  >  200 Session-Expires=90;refresher=uas
        1.000  <  200 tag=x sdp
        1.000  >  ACK
        1.000  *  Answered sdp
        900.000 .
        """
    )


def test_an_interval_too_short_for_proxies_on_the_way_is_made_longer_for_each_but_not_for_ever() -> None:
    """Section 7.3: the same Call-ID, the next CSeq, and the greatest Min-SE that came; refreshes keep to it."""
    script = Transcript(trunk=TIMED)
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE cseq=1 Session-Expires=100
        0.000  <  422 tag=x Min-SE=200
        0.000  >  ACK cseq=1
        0.000  >  INVITE cseq=2 Session-Expires=200 Min-SE=200
        0.000  <  422 tag=y Min-SE=300
        0.000  >  ACK cseq=2
        0.000  >  INVITE cseq=3 Session-Expires=300 Min-SE=300
        0.000  <  200 tag=z sdp Session-Expires=300;refresher=uac Allow=UPDATE
        0.000  >  ACK cseq=3
        0.000  *  Answered sdp
        150.000 >  UPDATE cseq=4 Session-Expires=300;refresher=uac Min-SE=300
        150.000 <  200 UPDATE tag=z
        """
    )


@pytest.mark.parametrize("least", ["100", "90", "nonsense"])
def test_a_422_that_asks_for_nothing_new_is_a_refusal(least: str) -> None:
    script = Transcript(trunk=TIMED)
    script.run(
        f"""
        0.000  !  invite
        0.000  >  INVITE
        0.000  <  422 tag=x Min-SE={least}
        0.000  >  ACK
        0.000  *  Refused 422
        0.000  *  over
        """
        if least != "100"
        else """
        0.000  !  invite
        0.000  >  INVITE Session-Expires=100
        0.000  <  422 tag=x Min-SE=100
        0.000  >  ACK
        0.000  >  INVITE Session-Expires=100 Min-SE=100
        0.000  <  422 tag=x Min-SE=100
        0.000  >  ACK
        0.000  *  Refused 422
        0.000  *  over
        """
    )
