"""Our own offers in a call (RFC 3261 section 14, RFC 3311, RFC 6337 section 4): their answers, refusals, glare, and what ends the call."""

from __future__ import annotations

import pytest

from sipserver.message import Request
from tests.sipserver.midcall.dialogs import called, calling
from tests.sipserver.transcripts import ANSWER, Transcript


def retry_in(script: Transcript) -> float:
    """Seconds until the next thing that is due."""
    due = script.agent.next_timer()
    assert due is not None
    return round(due - script.now, 6)


def test_a_reinvite_is_acknowledged_each_time_its_200_comes() -> None:
    script = called()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1 uri=sip:peer@192.0.2.9:5070 Content-Type=application/sdp Contact="<sip:us@192.0.2.1:5060>"
        1.100  <  100
        1.200  <  200 tag=peer sdp contact=sip:moved@192.0.2.9:5070
        1.200  >  ACK cseq=1 uri=sip:moved@192.0.2.9:5070
        1.200  *  OfferAnswered sdp
        1.700  <  200 tag=peer sdp contact=sip:moved@192.0.2.9:5070
        1.700  >  ACK cseq=1 uri=sip:moved@192.0.2.9:5070
        2.000  !  hang_up
        2.000  *  over
        2.000  >  BYE cseq=2 uri=sip:moved@192.0.2.9:5070
        2.000  <  200 BYE tag=peer
        60.000 .
        """
    )
    reinvite = script.last("INVITE")
    assert isinstance(reinvite, Request)
    assert reinvite.body == ANSWER
    assert script.agent.idle


def test_a_reinvite_is_challenged_and_sent_again_with_credentials() -> None:
    script = calling()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=2 branch=a
        1.000  <  407 tag=x challenge
        1.000  >  ACK cseq=2 branch=a
        1.000  >  INVITE cseq=3 branch=b
        1.100  <  200 tag=x sdp
        1.100  >  ACK cseq=3
        1.100  *  OfferAnswered sdp
        """
    )
    assert "proxy-authorization" in script.last("INVITE").headers
    assert "proxy-authorization" in script.last("ACK").headers


def test_nobody_in_a_call_that_came_in_gets_credentials() -> None:
    called().run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.000  <  401 tag=peer challenge
        1.000  >  ACK cseq=1
        1.000  *  OfferRefused 401
        """
    )


@pytest.mark.parametrize("status", ["488", "403", "603", "503"])
def test_a_refusal_leaves_the_call_as_it_was(status: str) -> None:
    script = called()
    script.run(
        f"""
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.100  <  {status} tag=peer
        1.100  >  ACK cseq=1
        1.100  *  OfferRefused {status}
        2.000  <  OPTIONS cseq=2
        2.000  >  200
        3.000  !  offer
        3.000  >  INVITE cseq=2
        3.000  <  200 tag=peer sdp
        3.000  >  ACK cseq=2
        3.000  *  OfferAnswered sdp
        """
    )


@pytest.mark.parametrize("status", ["408", "481"])
def test_two_answers_end_the_call(status: str) -> None:
    script = called()
    script.run(
        f"""
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.100  <  {status} tag=peer
        1.100  >  ACK cseq=1
        1.100  *  Ended lost
        1.100  *  over
        1.100  >  BYE cseq=2
        1.100  <  481 BYE tag=peer
        60.000 .
        """
    )
    assert script.agent.idle


def test_no_answer_at_all_ends_the_call() -> None:
    script = called("contact=sip:peer@192.0.2.9:5070;transport=tcp")
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        33.000 *  Ended lost
        33.000 *  over
        33.000 >  BYE cseq=2
        99.000 .
        """
    )
    assert script.agent.idle


def test_a_peer_that_takes_a_reinvite_and_never_decides_is_asked_to_forget_it() -> None:
    """Section 14.1 leaves the time open; we are as patient as with everything, then CANCEL, and the call stays."""
    script = called()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1 branch=a
        1.100  <  100
        33.000 >  CANCEL cseq=1 branch=a
        33.100 <  200 CANCEL tag=peer
        33.100 <  487 tag=peer
        33.100 >  ACK cseq=1 branch=a
        33.100 *  OfferRefused 487
        99.000 .
        """
    )


def test_a_peer_that_does_not_even_forget_it_is_lost() -> None:
    script = called("contact=sip:peer@192.0.2.9:5070;transport=tcp")
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1 branch=a
        1.100  <  100
        33.000 >  CANCEL cseq=1 branch=a
        33.100 <  200 CANCEL tag=peer
        65.000 *  Ended lost
        65.000 *  over
        65.000 >  BYE cseq=2
        65.100 <  200 BYE tag=peer
        199.000 .
        """
    )
    assert script.agent.idle


@pytest.mark.parametrize(("ours", "least", "most"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_after_glare_we_wait_as_long_as_the_owner_of_the_call_id_has_to(ours: bool, least: float, most: float) -> None:
    script, tag, number = (calling(), "x", 2) if ours else (called(), "peer", 1)
    script.run(
        f"""
        1.000  !  offer
        1.000  >  INVITE cseq={number}
        1.000  <  491 tag={tag}
        1.000  >  ACK cseq={number}
        """
    )
    wait = retry_in(script)
    assert least <= wait <= most
    assert round(wait * 1000) % 10 == 0
    script.run(
        f"""
        {1 + wait:.3f} >  INVITE cseq={number + 1}
        {1 + wait:.3f} <  200 tag={tag} sdp
        {1 + wait:.3f} >  ACK cseq={number + 1}
        {1 + wait:.3f} *  OfferAnswered sdp
        """
    )


def test_glare_that_never_ends_is_a_refusal() -> None:
    script = called()
    script.run("1.000 ! offer\n1.000 > INVITE")
    for _ in range(5):
        at = f"{script.now:.3f}"
        script.run(f"{at} < 491 tag=peer\n{at} > ACK")
        script.run(f"{script.now + retry_in(script):.3f} > INVITE")
    at = f"{script.now:.3f}"
    script.run(f"{at} < 491 tag=peer\n{at} > ACK\n{at} * OfferRefused 491\n99.000 .")


def test_a_500_with_retry_after_is_waited_for_but_not_long() -> None:
    script = called()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.000  <  500 tag=peer Retry-After=3
        1.000  >  ACK
        4.000  >  INVITE cseq=2
        4.000  <  500 tag=peer Retry-After=11
        4.000  >  ACK
        4.000  *  OfferRefused 500
        5.000  !  offer
        5.000  >  INVITE cseq=3
        5.000  <  500 tag=peer
        5.000  >  ACK
        5.000  *  OfferRefused 500
        """
    )


def test_while_ours_is_open_an_offer_of_the_peers_is_491_and_an_update_without_one_is_not() -> None:
    """RFC 3261 section 14.2, RFC 3311 section 5.2."""
    called().run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.100  <  INVITE re cseq=2 branch=b sdp
        1.100  >  491 method=INVITE
        1.100  <  ACK cseq=2 branch=b
        1.200  <  UPDATE cseq=3 sdp
        1.200  >  491 method=UPDATE
        1.300  <  UPDATE cseq=4
        1.300  >  200 method=UPDATE
        1.400  <  200 INVITE tag=peer sdp
        1.400  >  ACK cseq=1
        1.400  *  OfferAnswered sdp
        1.500  <  INVITE re cseq=5 branch=c sdp
        1.500  >  100
        1.500  *  Offered sdp
        1.500  !  accept
        1.500  >  200
        1.500  <  ACK cseq=5
        """
    )


def test_while_the_peers_is_open_ours_waits_and_is_out_of_date_once_that_is_accepted() -> None:
    called().run(
        """
        1.000  <  INVITE re cseq=2 sdp
        1.000  >  100
        1.000  *  Offered sdp
        1.100  !  offer
        1.200  !  accept
        1.200  *  OfferRefused 491
        1.200  >  200
        1.300  <  ACK cseq=2
        1.300  !  offer
        1.300  >  INVITE cseq=1
        1.300  <  200 INVITE tag=peer sdp
        1.300  >  ACK cseq=1
        1.300  *  OfferAnswered sdp
        """
    )


def test_ours_goes_out_once_the_peers_was_declined() -> None:
    called().run(
        """
        1.000  <  INVITE re cseq=2 branch=b sdp
        1.000  >  100
        1.000  *  Offered sdp
        1.100  !  offer
        1.200  !  decline 488
        1.200  >  488
        1.200  <  ACK cseq=2 branch=b
        1.600  >  INVITE cseq=1
        1.700  <  200 INVITE tag=peer sdp
        1.700  >  ACK cseq=1
        1.700  *  OfferAnswered sdp
        """
    )


def test_no_reinvite_of_ours_before_the_ack() -> None:
    """RFC 3261 section 14.1: while the peer's INVITE is under way there is no second one, from either side."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.100  !  offer
        0.200  <  ACK
        0.200  *  Answered
        0.600  >  INVITE cseq=1
        0.700  <  200 INVITE tag=peer sdp
        0.700  >  ACK cseq=1
        0.700  *  OfferAnswered sdp
        """
    )


def test_before_the_answer_there_is_nothing_to_offer() -> None:
    script = Transcript()
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.100  !  offer
        0.100  *  OfferRefused 491
        """
    )


def test_one_offer_at_a_time() -> None:
    called().run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.100  !  offer
        1.100  *  OfferRefused 491
        1.200  <  200 tag=peer sdp
        1.200  >  ACK cseq=1
        1.200  *  OfferAnswered sdp
        """
    )


def test_an_offer_follows_the_refresh_that_is_under_way() -> None:
    called("Supported=timer Session-Expires=100;refresher=uas Allow=UPDATE").run(
        """
        50.000 >  UPDATE cseq=1
        50.100 !  offer
        50.200 <  200 UPDATE tag=peer Session-Expires=100;refresher=uac
        50.200 >  INVITE cseq=2
        50.300 <  200 INVITE tag=peer sdp
        50.300 >  ACK cseq=2
        50.300 *  OfferAnswered sdp
        """
    )


def test_overlapping_requests_of_the_peer_get_500_with_a_time() -> None:
    script = called()
    script.run(
        """
        1.000  <  UPDATE cseq=2 sdp
        1.000  *  Offered sdp
        1.100  <  UPDATE cseq=3 sdp
        1.100  >  500
        1.200  <  INVITE re cseq=4 branch=c sdp
        1.200  >  500
        1.200  <  ACK cseq=4 branch=c
        1.300  !  accept
        1.300  >  200 method=UPDATE
        """
    )
    assert 0 <= int(script.last("500").headers.get("retry-after") or "") <= 10


def test_an_update_that_nobody_decides_on_is_504() -> None:
    """RFC 3311 section 5.2: an UPDATE is answered at once."""
    called().run(
        """
        1.000  <  UPDATE cseq=2 sdp
        1.000  *  Offered sdp
        4.000  >  504 method=UPDATE
        4.100  !  accept
        9.000  .
        """
    )
