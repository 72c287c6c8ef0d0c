"""RFC 5407 section 3.2: messages that arrive after a BYE has been sent."""

from __future__ import annotations

from tests.sipserver.midcall.dialogs import called, calling
from tests.sipserver.transcripts import Transcript


def test_3_2_1_bye_meets_bye() -> None:
    script = called()
    script.run(
        """
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE cseq=1
        1.010  <  BYE cseq=2
        1.010  >  200 method=BYE
        1.020  <  200 BYE tag=peer
        1.510  <  BYE cseq=2
        1.510  >  200 method=BYE
        99.000 .
        """
    )
    assert script.agent.idle


def test_3_2_2_a_reinvite_meets_our_bye() -> None:
    script = calling()
    script.run(
        """
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE cseq=2
        1.010  <  INVITE re cseq=1 tag=x branch=b sdp
        1.010  >  481 method=INVITE
        1.020  <  ACK cseq=1 tag=x branch=b
        1.030  <  200 BYE tag=x
        99.000 .
        """
    )
    assert script.agent.idle


def test_3_2_3_the_200_of_our_reinvite_meets_our_bye_and_gets_its_ack() -> None:
    script = called()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.010  !  hang_up
        1.010  *  over
        1.010  >  BYE cseq=2
        1.020  <  200 INVITE tag=peer sdp
        1.020  >  ACK cseq=1
        1.030  <  200 BYE tag=peer
        1.520  <  200 INVITE tag=peer sdp
        1.520  >  ACK cseq=1
        99.000 .
        """
    )
    assert script.agent.idle


def test_3_2_3_the_other_way_round_the_200_of_our_reinvite_meets_the_peers_bye() -> None:
    script = called()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.010  <  BYE cseq=2
        1.010  >  200 method=BYE
        1.010  *  Ended bye
        1.010  *  over
        1.020  <  200 INVITE tag=peer sdp
        1.020  >  ACK cseq=1
        99.000 .
        """
    )
    assert script.agent.idle


def test_3_2_3_a_reinvite_that_is_never_decided_leaves_nothing_behind() -> None:
    script = called()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.005  <  100
        1.010  <  BYE cseq=2
        1.010  >  200 method=BYE
        1.010  *  Ended bye
        1.010  *  over
        99.000 .
        """
    )
    assert script.agent.idle
    assert len(script.agent.transactions) == 0


def test_3_2_4_the_ack_meets_the_bye_of_the_one_who_was_called() -> None:
    """We may not send BYE before the ACK (RFC 3261 section 15), so it is the caller's BYE that overtakes its ACK."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.100  <  BYE cseq=2
        0.100  >  200 method=BYE
        0.100  *  Ended bye
        0.100  *  over
        0.110  <  ACK
        99.000 .
        """
    )
    assert script.agent.idle
