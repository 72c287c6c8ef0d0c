"""The session description is found in every message that may carry one, also among and within other parts (RFC 5621)."""

from __future__ import annotations

from tests.sipserver.transcripts import Transcript


def test_in_an_invite_and_in_a_re_invite() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a mixed
        0.000  >  100
        0.010  !  answer
        0.010  >  200
        0.020  <  ACK
        0.020  *  Answered
        1.000  <  INVITE re branch=b cseq=2 mixed
        1.000  >  100
        1.000  *  Offered sdp
        1.010  !  accept
        1.010  >  200
        1.020  <  ACK cseq=2 branch=c
        2.000  <  UPDATE cseq=3 mixed
        2.000  *  Offered sdp
        2.010  !  decline 488
        2.010  >  488
        """
    )


def test_in_the_ack_of_a_late_offer() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.010  !  answer
        0.010  >  200
        0.020  <  ACK mixed
        0.020  *  Answered sdp
        """
    )


def test_in_a_prack() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a Require=100rel
        0.000  >  100
        0.010  !  ring 180 sdp
        0.010  >  180
        0.020  <  PRACK cseq=2 rack=0 mixed
        0.020  >  200
        0.020  *  Agreed sdp
        """
    )


def test_in_an_18x_and_in_a_200() -> None:
    Transcript().run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  183 tag=x mixed
        0.100  *  Progress 183 sdp
        0.200  <  180 tag=y
        0.200  *  Progress 180
        0.300  <  200 tag=y mixed
        0.300  >  ACK
        0.300  *  Answered sdp
        """
    )


def test_in_the_183_of_a_fork_whose_200_has_none() -> None:
    Transcript().run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  183 tag=x mixed
        0.100  *  Progress 183 sdp
        0.300  <  200 tag=x
        0.300  >  ACK
        0.300  *  Answered sdp
        """
    )


def test_a_body_that_is_optional_and_no_description_is_as_if_it_were_not_there() -> None:
    """RFC 3261 section 8.2.3: the INVITE has no offer, so ours goes into the 200."""
    Transcript().run(
        """
        0.000  <  INVITE branch=a Content-Type=application/isup Content-Disposition=signal;handling=optional
        0.000  >  100
        0.010  !  answer
        0.010  >  200
        0.020  <  ACK sdp
        0.020  *  Answered sdp
        """
    )
