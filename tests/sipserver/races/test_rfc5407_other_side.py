"""RFC 5407 from the sides that the other tests of its sections leave out, and its appendices.

Where the RFC draws us as Bob elsewhere, we are Alice here; with Bob's BYE before the ACK (3.2.4) we are Alice only, for RFC 3261
section 15 forbids it to us.
"""

from __future__ import annotations

from tests.sipserver.midcall.dialogs import called, calling
from tests.sipserver.transcripts import Transcript


def test_3_1_3_the_callees_200_crosses_the_end_of_an_early_call() -> None:
    """We end early calls by CANCEL, as appendix A recommends; it never reached the callee, who answers and is hung up."""
    script = Transcript()
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.300  <  200 INVITE tag=x sdp
        0.300  >  ACK branch=b cseq=1
        0.300  >  BYE branch=c cseq=2
        0.310  <  481 CANCEL
        0.320  <  200 BYE tag=x
        99.000 .
        """
    )
    assert script.agent.idle


def test_3_1_4_the_200_comes_again_while_our_reinvite_is_under_way() -> None:
    """The first ACK was lost: it is sent again, with the CSeq of its INVITE, and the re-INVITE goes on as if nothing had been."""
    script = calling()
    script.run(
        """
        0.400  !  offer
        0.400  >  INVITE cseq=2 branch=re
        0.500  <  200 INVITE of=1 tag=x sdp
        0.500  >  ACK cseq=1
        0.510  <  200 INVITE of=2 tag=x sdp
        0.510  >  ACK cseq=2
        0.510  *  OfferAnswered sdp
        99.000 .
        """
    )


def test_3_1_6_the_200_comes_again_after_our_bye() -> None:
    """It gets its ACK, and no new session."""
    script = calling()
    script.run(
        """
        0.400  !  hang_up
        0.400  *  over
        0.400  >  BYE cseq=2
        0.500  <  200 INVITE tag=x sdp
        0.500  >  ACK cseq=1
        0.510  <  200 BYE tag=x
        1.500  <  200 INVITE tag=x sdp
        1.500  >  ACK cseq=1
        99.000 .
        """
    )
    assert script.agent.idle


def test_3_2_4_the_callees_bye_meets_our_ack() -> None:
    script = calling()
    script.run(
        """
        0.001  <  BYE cseq=1 tag=x
        0.001  >  200 method=BYE
        0.001  *  Ended bye
        0.001  *  over
        99.000 .
        """
    )
    assert script.agent.idle


def test_3_3_2_an_update_that_only_refreshes_and_a_reinvite_both_succeed() -> None:
    """491 is about offers, of which this UPDATE has none."""
    script = called("Supported=timer Session-Expires=1800;refresher=uac")
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.010  <  UPDATE cseq=2 Supported=timer Session-Expires=1800;refresher=uac
        1.010  >  200 method=UPDATE
        1.020  <  200 INVITE tag=peer sdp
        1.020  >  ACK cseq=1
        1.020  *  OfferAnswered sdp
        20.000 .
        """
    )


def test_appendix_a_a_bye_of_the_early_dialog_gets_the_invite_a_487() -> None:
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.010  !  ring 180
        0.010  >  180
        0.100  <  BYE cseq=2
        0.100  >  200 method=BYE
        0.100  >  487 method=INVITE
        0.100  *  Ended bye
        0.100  *  over
        0.110  <  ACK branch=a
        99.000 .
        """
    )
    assert script.agent.idle


def test_appendix_b_a_reinvite_that_comes_after_its_bye_is_refused() -> None:
    """It was lost when it was sent first. Nor does it begin a call: it has a To tag."""
    script = called()
    script.run(
        """
        1.000  <  BYE cseq=3
        1.000  >  200 method=BYE
        1.000  *  Ended bye
        1.000  *  over
        1.100  <  INVITE re cseq=2 branch=late sdp
        1.100  >  481 method=INVITE
        1.110  <  ACK cseq=2 branch=late
        99.000 .
        """
    )
    assert script.agent.idle


def test_appendix_d_a_bye_that_is_challenged_is_sent_again_while_the_dialog_is_mortal() -> None:
    script = calling()
    script.run(
        """
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE cseq=2 branch=first
        1.010  <  407 BYE tag=x challenge
        1.010  >  BYE cseq=3 branch=second
        1.020  <  200 BYE tag=x
        99.000 .
        """
    )
    assert script.agent.idle
