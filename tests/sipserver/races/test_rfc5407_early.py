"""RFC 5407 section 3.1: what crosses on the wire before the ACK of the first INVITE, each section from both sides where it has two.

"Moratorium" is the state between a 2xx and its ACK. The races of section 3.1 are named here as the RFC names them; those after
the answer (3.2, 3.3) have a file of their own. Below them are the races of early dialogs that the RFC does not draw.
"""

from __future__ import annotations

from tests.sipserver.transcripts import ANSWER, Transcript

RINGING = """
    0.000  <  INVITE branch=a sdp
    0.000  >  100
    0.010  !  ring 180
    0.010  >  180
    """
CALLING = """
    0.000  !  invite
    0.000  >  INVITE branch=a cseq=1
    """
HEARD = (
    CALLING
    + """
    0.100  <  180 tag=x
    0.100  *  Progress 180
    """
)


def test_3_1_1_an_invite_again_while_in_the_moratorium_state() -> None:
    """The 180 was lost and the INVITE comes again when the 200 is on its way: it is absorbed, the 200 is repeated by its timer."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.400  !  ring 180
        0.400  >  180
        0.450  !  answer
        0.450  >  200
        0.500  <  INVITE branch=a sdp
        0.950  >  200
        1.000  <  ACK
        1.000  *  Answered
        9.000  .
        """
    )


def test_3_1_1_our_invite_again_crosses_the_200() -> None:
    """As the caller sees it."""
    Transcript().run(
        CALLING
        + """
        0.500  >  INVITE branch=a
        0.510  <  200 tag=x sdp
        0.510  >  ACK branch=b
        0.510  *  Answered sdp
        0.600  <  180 tag=x                 # overtaken
        1.010  <  200 tag=x sdp
        1.010  >  ACK branch=b
        9.000  .
        """
    )


def test_3_1_2_a_cancel_while_in_the_moratorium_state() -> None:
    """It comes too late: 200 to it, no effect on the INVITE; the caller sends its ACK and a BYE."""
    script = Transcript()
    script.run(
        RINGING
        + """
        0.100  !  answer
        0.100  >  200
        0.110  <  CANCEL branch=a
        0.110  >  200 method=CANCEL
        0.120  <  ACK
        0.120  *  Answered
        0.130  <  BYE cseq=2
        0.130  >  200 method=BYE
        0.130  *  Ended bye
        0.130  *  over
        60.000 .
        """
    )
    assert script.agent.idle


def test_3_1_2_our_cancel_crosses_the_200() -> None:
    """ACK, then BYE; the 200 that comes again gets its ACK again."""
    script = Transcript()
    script.run(
        HEARD
        + """
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.210  <  200 INVITE tag=x sdp
        0.210  >  ACK branch=b cseq=1
        0.210  >  BYE branch=c cseq=2
        0.220  <  200 CANCEL
        0.230  <  200 BYE
        0.710  <  200 INVITE tag=x sdp
        0.710  >  ACK branch=b
        60.000 .
        """
    )
    assert script.agent.idle


def test_3_1_3_a_bye_of_the_early_dialog_while_in_the_moratorium_state() -> None:
    """The caller's BYE for the early dialog crosses our 200: it ends the call, and the ACK that still comes has nothing to do."""
    script = Transcript()
    script.run(
        RINGING
        + """
        0.100  !  answer
        0.100  >  200
        0.110  <  BYE cseq=2
        0.110  >  200 method=BYE
        0.110  *  Ended bye
        0.110  *  over
        0.120  <  ACK
        60.000 .
        """
    )
    assert script.agent.idle


def test_3_1_4_a_re_invite_while_in_the_moratorium_state_case_1() -> None:
    """The ACK was lost, and the re-INVITE proves that the 200 was not: offer and answer are done, so it is taken."""
    script = Transcript()
    script.run(
        RINGING
        + """
        0.100  !  answer
        0.100  >  200
        0.200  <  INVITE re branch=b cseq=2 sdp
        0.200  >  100
        0.200  *  Answered
        0.200  *  Offered sdp
        0.300  !  accept
        0.300  >  200
        0.350  <  ACK branch=late               # of the first INVITE, after all
        0.400  <  ACK branch=new cseq=2
        9.000  .
        """
    )
    assert script.last("200").body == ANSWER


def test_3_1_5_a_re_invite_while_in_the_moratorium_state_case_2() -> None:
    """The offer was in our 200 and its answer is in the ACK: until that is here another offer is refused with 491."""
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.100  !  answer
        0.100  >  200
        0.200  <  INVITE re branch=b cseq=2 sdp
        0.200  >  491
        0.210  <  ACK branch=b cseq=2
        0.300  <  ACK sdp
        0.300  *  Answered sdp
        1.000  <  INVITE re branch=c cseq=3 sdp
        1.000  >  100
        1.000  *  Offered sdp
        1.010  !  accept
        1.010  >  200
        1.020  <  ACK branch=n cseq=3
        9.000  .
        """
    )


def test_3_1_6_a_bye_while_in_the_moratorium_state() -> None:
    """The ACK was lost and the caller hangs up: 200 to the BYE, and the 200 to the INVITE is not repeated any more."""
    script = Transcript()
    script.run(
        RINGING
        + """
        0.100  !  answer
        0.100  >  200
        0.400  <  BYE cseq=2
        0.400  >  200 method=BYE
        0.400  *  Ended bye
        0.400  *  over
        60.000 .
        """
    )
    assert script.agent.idle


def test_3_1_6_the_callees_bye_overtakes_its_200() -> None:
    """As the caller sees it: nobody may end a dialog that is not there (RFC 3261 section 15); then the 200 makes one."""
    Transcript().run(
        HEARD
        + """
        0.200  <  BYE cseq=1 tag=x
        0.200  >  481
        0.210  <  200 INVITE tag=x sdp
        0.210  >  ACK
        0.210  *  Answered sdp
        0.300  <  BYE cseq=2 tag=x
        0.300  >  200
        0.300  *  Ended bye
        0.300  *  over
        """
    )


# -- CANCEL and the provisional answers -------------------------------------------------------------------------------


def test_a_cancel_waits_for_a_provisional_answer_and_a_200_that_comes_instead_is_ended() -> None:
    """RFC 3261 section 9.1."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  !  hang_up
        0.100  *  over
        0.200  <  200 tag=x sdp
        0.200  >  ACK branch=b
        0.200  >  BYE cseq=2
        0.300  <  200 BYE
        60.000 .
        """
    )
    assert script.agent.idle


def test_a_reliable_answer_to_an_invite_that_is_being_cancelled_gets_its_prack() -> None:
    """Otherwise the callee would repeat it, and could not give its 2xx, until the CANCEL has found its way."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.050  !  hang_up
        0.050  *  over
        0.100  <  183 tag=x sdp Require=100rel RSeq=1
        0.100  >  PRACK cseq=2
        0.100  >  CANCEL branch=a cseq=1
        0.110  <  200 PRACK
        0.120  <  200 CANCEL
        0.130  <  183 INVITE tag=x sdp Require=100rel RSeq=2
        0.130  >  PRACK cseq=3
        0.140  <  200 PRACK
        0.150  <  487 INVITE tag=x
        0.150  >  ACK branch=a
        60.000 .
        """
    )
    assert script.agent.idle


def test_a_487_while_our_prack_waits_for_its_answer() -> None:
    """The callee may answer the PRACK with 481 then, or not at all."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  183 tag=x sdp Require=100rel RSeq=1
        0.100  >  PRACK branch=p cseq=2
        0.100  *  Progress 183 sdp
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.210  <  200 CANCEL
        0.220  <  487 INVITE tag=x
        0.220  >  ACK branch=a
        0.600  >  PRACK branch=p
        0.610  <  481 PRACK
        60.000 .
        """
    )
    assert script.agent.idle


def test_a_200_crosses_our_cancel_while_our_prack_waits() -> None:
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  180 tag=x Require=100rel RSeq=1
        0.100  >  PRACK branch=p cseq=2
        0.100  *  Progress 180
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.210  <  200 INVITE tag=x sdp
        0.210  >  ACK cseq=1
        0.210  >  BYE cseq=3
        0.220  <  200 PRACK
        0.230  <  200 CANCEL
        0.240  <  200 BYE
        60.000 .
        """
    )
    assert script.agent.idle


def test_a_cancel_while_we_wait_for_a_prack() -> None:
    """The 183 is repeated no more; the PRACK that crosses the CANCEL finds no dialog any more."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Require=100rel
        0.000  >  100
        0.010  !  ring 183 sdp
        0.010  >  183
        0.100  <  CANCEL branch=a
        0.100  >  200 method=CANCEL
        0.100  >  487 method=INVITE
        0.100  *  Ended cancel
        0.100  *  over
        0.110  <  PRACK cseq=2 rack=0
        0.110  >  481
        0.120  <  ACK branch=a
        60.000 .
        """
    )
    assert script.agent.idle


def test_a_cancel_while_the_200_waits_for_a_prack() -> None:
    """The 200 was never given, so the CANCEL is in time (RFC 3261 section 9.2)."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Require=100rel
        0.000  >  100
        0.010  !  ring 183 sdp
        0.010  >  183
        0.050  !  answer
        0.100  <  CANCEL branch=a
        0.100  >  200 method=CANCEL
        0.100  >  487 method=INVITE
        0.100  *  Ended cancel
        0.100  *  over
        0.120  <  ACK branch=a
        60.000 .
        """
    )
    assert script.agent.idle


def test_a_bye_of_the_early_dialog_while_we_wait_for_a_prack() -> None:
    """RFC 3261 section 15: the caller may end an early dialog."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Require=100rel
        0.000  >  100
        0.010  !  ring 183 sdp
        0.010  >  183
        0.100  <  BYE cseq=2
        0.100  >  200 method=BYE
        0.100  >  487 method=INVITE
        0.100  *  Ended bye
        0.100  *  over
        0.120  <  ACK branch=a
        60.000 .
        """
    )
    assert script.agent.idle


def test_our_hang_up_while_we_wait_for_a_prack() -> None:
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Require=100rel
        0.000  >  100
        0.010  !  ring 183 sdp
        0.010  >  183
        0.050  !  answer
        0.100  !  hang_up
        0.100  >  487
        0.100  *  over
        0.120  <  ACK branch=a
        60.000 .
        """
    )
    assert script.agent.idle


def test_a_cancel_without_any_final_answer_is_given_up_after_64_t1() -> None:
    """RFC 3261 section 9.1, with a PRACK that nobody answers either."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  180 tag=x Require=100rel RSeq=1
        0.100  >  PRACK branch=p
        0.100  *  Progress 180
        0.150  <  200 PRACK
        0.200  !  hang_up
        0.200  *  over
        0.200  >  CANCEL branch=a
        0.300  <  200 CANCEL
        32.300 .
        """
    )
    assert script.agent.idle
