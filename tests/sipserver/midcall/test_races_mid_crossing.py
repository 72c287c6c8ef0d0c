"""RFC 5407 section 3.3: requests that cross each other in the middle of a call."""

from __future__ import annotations

from tests.sipserver.midcall.dialogs import called, calling


def test_3_3_1_reinvites_cross_and_both_sides_get_491() -> None:
    script = calling()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=2
        1.010  <  INVITE re cseq=1 tag=x branch=b sdp
        1.010  >  491 method=INVITE
        1.020  <  491 INVITE tag=x
        1.020  >  ACK cseq=2
        1.020  <  ACK cseq=1 tag=x branch=b
        2.000  <  INVITE re cseq=2 tag=x branch=again sdp     # the peer waits for less time: the Call-ID is ours
        2.000  >  100
        2.000  *  Offered sdp
        2.000  !  accept
        2.000  *  OfferRefused 491                           # ours was made before that, so its owner makes it anew
        2.000  >  200 method=INVITE
        2.010  <  ACK cseq=2 tag=x
        99.000 .
        """
    )


def test_3_3_2_an_update_crosses_our_reinvite() -> None:
    called().run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.010  <  UPDATE cseq=2 sdp
        1.010  >  491 method=UPDATE
        1.020  <  200 INVITE tag=peer sdp
        1.020  >  ACK cseq=1
        1.020  *  OfferAnswered sdp
        1.500  <  UPDATE cseq=3 sdp
        1.500  *  Offered sdp
        1.500  !  accept
        1.500  >  200 method=UPDATE
        """
    )


def test_3_3_3_a_refer_meets_our_bye() -> None:
    script = called()
    script.run(
        """
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE cseq=1
        1.010  <  REFER cseq=2 Refer-To=<sip:else@192.0.2.9>
        1.010  >  481 method=REFER
        1.020  <  200 BYE tag=peer
        99.000 .
        """
    )
    assert script.agent.idle


def test_a_session_refresh_meets_the_peers_bye() -> None:
    script = called("Supported=timer Session-Expires=100;refresher=uas Allow=UPDATE")
    script.run(
        """
        50.000 >  UPDATE cseq=1
        50.010 <  BYE cseq=2
        50.010 >  200 method=BYE
        50.010 *  Ended bye
        50.010 *  over
        50.020 <  481 UPDATE tag=peer
        199.000 .
        """
    )
    assert script.agent.idle


def test_an_info_meets_our_bye() -> None:
    called().run(
        """
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE cseq=1
        1.010  <  INFO cseq=2 Content-Type=application/dtmf-relay body="Signal=1"
        1.010  >  481 method=INFO
        1.020  <  200 BYE tag=peer
        """
    )
