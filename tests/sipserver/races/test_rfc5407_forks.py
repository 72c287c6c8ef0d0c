"""RFC 5407 appendix E: responses of several forks to one INVITE of ours, figure by figure, and section 3.3.2 as it is drawn.

The first fork that answers has the call. Another that answers within 64*T1 is acknowledged and hung up; one that only rings is
forgotten after that time.
"""

from __future__ import annotations

from tests.sipserver.midcall.dialogs import called
from tests.sipserver.transcripts import Transcript

A_ANSWERS = """
    0.000  !  invite
    0.000  >  INVITE branch=a
    0.010  <  100
    0.100  <  180 tag=A
    0.100  *  Progress 180
    1.000  <  200 INVITE tag=A sdp
    1.000  >  ACK cseq=1 To=<sip:+12025550123@192.0.2.9:5070>;tag=A
    1.000  *  Answered sdp
    """
A_AND_B = A_ANSWERS.replace("1.000  <", "0.200  <  180 tag=B\n    0.200  *  Progress 180\n    1.000  <", 1)
B_ANSWERS_TOO = """
    9.000  <  200 INVITE tag=B sdp
    9.000  >  ACK cseq=1 To=<sip:+12025550123@192.0.2.9:5070>;tag=B
    9.000  >  BYE cseq=2 To=<sip:+12025550123@192.0.2.9:5070>;tag=B
    9.100  <  200 BYE tag=B
    9.500  <  200 INVITE tag=B sdp
    9.500  >  ACK cseq=1 To=<sip:+12025550123@192.0.2.9:5070>;tag=B
    """


def ends(script: Transcript) -> None:
    """The call goes on with A alone; after it nothing is left of either."""
    script.run("50.000  <  BYE cseq=9 tag=A\n50.000 > 200\n50.000 * Ended bye\n50.000 * over\n99.000 .")
    assert script.agent.idle
    assert len(script.agent.transactions) == 0


def test_figure_4_a_fork_that_only_rings_is_forgotten_64_t1_after_the_answer_of_another() -> None:
    script = Transcript()
    script.run(A_AND_B)
    script.run("32.900  <  OPTIONS tag=B cseq=1 branch=early\n32.900  >  200")
    script.run("33.100  <  OPTIONS tag=B cseq=2 branch=late\n33.100  >  481")
    ends(script)


def test_figure_5_a_fork_that_rang_and_answers_second_is_hung_up() -> None:
    script = Transcript()
    script.run(A_AND_B + B_ANSWERS_TOO)
    ends(script)


def test_figure_6_a_fork_nobody_knew_of_is_hung_up_as_well() -> None:
    script = Transcript()
    script.run(A_ANSWERS + B_ANSWERS_TOO)
    ends(script)


def test_figure_7_a_reliable_180_of_another_fork_comes_too_late_and_makes_no_dialog() -> None:
    """The RFC draws a PRACK, from the time when the 200 ended the transaction. Since RFC 6026 (section 7.2) the transaction is there,
    and gives its user further 2xx only. The fork is cancelled by the proxy that made it (RFC 3261 section 16.7)."""
    script = Transcript()
    script.run(A_ANSWERS + "2.0 < 180 INVITE tag=B Require=100rel RSeq=7\n2.5 < OPTIONS tag=B cseq=1\n2.5 > 481")
    ends(script)


def test_3_3_2_an_update_with_an_offer_and_our_reinvite_both_get_491_and_both_come_again() -> None:
    """We are Bob, who does not own the Call-ID and tries again within 2 s; Alice's UPDATE comes after that."""
    script = called()
    script.run(
        """
        1.000  !  offer
        1.000  >  INVITE cseq=1
        1.010  <  UPDATE cseq=2 sdp
        1.010  >  491 method=UPDATE
        1.020  <  491 INVITE tag=peer
        1.020  >  ACK cseq=1
        """
    )
    again = script.agent.next_timer()
    assert again is not None
    assert 1.02 <= again <= 3.02
    script.run(
        f"""
        {again:.6f}  >  INVITE cseq=2
        {again + 0.1:.6f}  <  200 INVITE tag=peer sdp
        {again + 0.1:.6f}  >  ACK cseq=2
        {again + 0.1:.6f}  *  OfferAnswered sdp
        4.000  <  UPDATE cseq=3 sdp
        4.000  *  Offered sdp
        4.000  !  accept
        4.000  >  200 method=UPDATE
        99.000 .
        """
    )
