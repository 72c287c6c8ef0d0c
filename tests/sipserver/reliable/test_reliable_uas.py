"""Provisional answers of ours that are acknowledged, on the time line (RFC 3262 sections 3 and 5, RFC 3311 section 5.2)."""

from __future__ import annotations

import pytest

from sipserver.message import Response
from sipserver.useragent.reliable import first_number
from tests.sipserver.transcripts import ANSWER, Transcript

REQUIRED = """
    0.000  <  INVITE branch=a sdp Require=100rel
    0.000  >  100
    0.010  !  ring 180
    0.010  >  180 Require=100rel
    """


def test_a_caller_that_requires_it_gets_a_reliable_180() -> None:
    """INTEROP: strict platforms; no 420."""
    script = Transcript()
    script.run(
        REQUIRED
        + """
        0.510  >  180                       # T1, doubling, without T2 as its limit
        1.510  >  180
        1.600  <  PRACK cseq=2 rack=0
        1.600  >  200 method=PRACK
        1.700  <  PRACK cseq=2 rack=0       # our 200 was lost: the transaction repeats it
        1.700  >  200 method=PRACK
        2.000  !  answer
        2.000  >  200 method=INVITE
        2.100  <  ACK
        2.100  *  Answered
        9.000  .
        """
    )
    assert script.last("200").body == ANSWER
    ringing = script.last("180")
    assert isinstance(ringing, Response)
    assert ringing.contacts[0].uri == "sip:us@192.0.2.1:5060"
    assert 1 <= script.rseq() < 2**31


@pytest.mark.parametrize(
    ("random", "first"), [(b"\0\0\0\0", 1), (b"\x7f\xff\xff\xfe", 2**31 - 1), (b"\xff\xff\xff\xff", 2)]
)
def test_the_first_number_is_within_its_bounds(random: bytes, first: int) -> None:
    assert first_number(random) == first


def test_a_caller_that_only_supports_it_gets_it_where_we_want_it() -> None:
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Supported=timer,100rel
        0.000  >  100
        0.010  !  ring 180
        0.010  >  180
        0.020  !  ring 183 sdp reliable
        0.020  >  183 Require=100rel
        0.030  <  PRACK cseq=2 rack=0
        0.030  >  200 method=PRACK
        """
    )
    assert "require" not in script.last("180").headers


def test_without_support_nothing_is_reliable() -> None:
    script = Transcript()
    script.run("0 < INVITE branch=a sdp\n0 > 100\n0.01 ! ring 183 sdp reliable\n0.01 > 183\n9 .")
    assert "rseq" not in script.last("183").headers


def test_without_a_prack_the_invite_is_given_up_after_64_t1() -> None:
    script = Transcript()
    script.run(
        REQUIRED
        + """
        0.510  >  180
        1.510  >  180
        3.510  >  180
        7.510  >  180
        15.510 >  180
        31.510 >  180
        32.010 >  504
        32.010 *  Ended lost
        32.010 *  over
        32.100 <  ACK branch=a
        99.000 .
        """
    )
    assert script.agent.idle


def test_one_at_a_time_and_in_order() -> None:
    script = Transcript()
    script.run(
        REQUIRED
        + """
        0.020  !  ring 182
        0.030  !  ring 183
        0.100  <  PRACK cseq=2 rack=0
        0.100  >  182
        0.100  >  200 method=PRACK
        0.200  <  PRACK cseq=3 rack=-1 branch=old       # acknowledged already, and no repetition of that PRACK
        0.200  >  481
        0.300  <  PRACK cseq=4 rack=1                   # not sent yet
        0.300  >  481
        0.310  <  PRACK cseq=5 rack=0 of='2 INVITE'
        0.310  >  481
        0.320  <  PRACK cseq=6 rack=0 of='1 BYE'
        0.320  >  481
        0.330  <  PRACK cseq=7 RAck=nonsense
        0.330  >  400
        0.340  <  PRACK cseq=8
        0.340  >  400
        0.400  <  PRACK cseq=9 rack=0
        0.400  >  183
        0.400  >  200 method=PRACK
        0.500  <  PRACK cseq=10 rack=0
        0.500  >  200 method=PRACK
        9.000  .
        """
    )
    numbers = [int(m.headers.get("rseq") or 0) for m in script.sent if "rseq" in m.headers]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_a_prack_outside_of_any_dialog_is_481() -> None:
    Transcript().run("0 < PRACK to=gone RAck='1 1 INVITE'\n0 > 481")


def test_a_prack_from_whom_we_called_is_481() -> None:
    Transcript().run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.200  <  PRACK cseq=1 tag=x RAck='1 1 INVITE'
        0.200  >  481
        """
    )


def test_also_over_tcp_it_is_repeated_for_hops_further_on_may_lose_it() -> None:
    Transcript(transport="tcp").run(REQUIRED + "0.51 > 180\n1.51 > 180\n1.6 < PRACK cseq=2 rack=0\n1.6 > 200\n9 .")


def test_the_200_waits_for_the_prack_of_a_183_with_a_description() -> None:
    """RFC 3262 section 3; the description that was acknowledged is not sent again."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Supported=100rel
        0.000  >  100
        0.010  !  ring 183 sdp reliable
        0.010  >  183
        0.100  !  answer
        0.110  !  answer                    # once is enough
        0.120  !  ring 180                  # and nothing rings any more
        0.510  >  183
        0.600  <  PRACK cseq=2 rack=0
        0.600  >  200 method=PRACK
        0.600  >  200 method=INVITE
        0.700  <  ACK
        0.700  *  Answered
        9.000  .
        """
    )
    assert script.last("200").body == b""
    assert script.last("183").body == ANSWER


def test_the_200_does_not_wait_for_the_prack_of_a_plain_180() -> None:
    """RFC 3262 section 3: the 180 is repeated no more, and its PRACK still counts."""
    script = Transcript()
    script.run(
        REQUIRED
        + """
        0.100  !  ring 182
        0.200  !  answer
        0.200  >  200 method=INVITE
        0.300  <  PRACK cseq=2 rack=0
        0.300  >  200 method=PRACK
        0.400  <  ACK
        0.400  *  Answered
        9.000  .
        """
    )
    assert script.last("200").cseq.method == "PRACK"


def test_an_invite_that_is_refused_while_it_waits_for_the_prack() -> None:
    Transcript().run(
        REQUIRED
        + """
        0.100  !  reject 486
        0.100  >  486
        0.100  *  over
        0.200  <  ACK branch=a
        0.300  <  PRACK cseq=2 rack=0
        0.300  >  481
        9.000  .
        """
    )


def test_a_late_offer_goes_out_with_the_180_and_the_prack_answers_it() -> None:
    """RFC 3262 section 5 and RFC 3261 section 13.2.1: the first reliable answer brings our offer; the 200 has none."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a Require=100rel
        0.000  >  100
        0.010  !  ring 180 sdp
        0.010  >  180
        0.020  <  UPDATE cseq=2 sdp         # our offer is open
        0.020  >  491
        0.100  <  PRACK cseq=3 rack=0 sdp
        0.100  >  200 method=PRACK
        0.100  *  Agreed sdp
        0.110  <  UPDATE cseq=4 sdp
        0.110  *  Offered sdp
        0.120  !  accept
        0.120  >  200 method=UPDATE
        0.200  !  answer
        0.200  >  200 method=INVITE
        0.300  <  ACK
        0.300  *  Answered
        9.000  .
        """
    )
    assert script.last("180").body == ANSWER
    assert script.last("200").body == b""


def test_a_late_offer_that_the_prack_does_not_answer_is_told() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a Require=100rel
        0.000  >  100
        0.010  !  ring 180 sdp
        0.010  >  180
        0.100  <  PRACK cseq=3 rack=0
        0.100  >  200 method=PRACK
        0.100  *  Agreed
        0.110  !  reject 488
        0.110  >  488
        0.110  *  over
        0.120  <  ACK branch=a
        """
    )


def test_a_prack_that_brings_an_offer_is_answered_before_the_invite() -> None:
    """RFC 3262 section 5; the 200 to the INVITE waits for the answer to the PRACK (RFC 6337 section 2.2)."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Supported=100rel
        0.000  >  100
        0.010  !  ring 183 sdp reliable
        0.010  >  183
        0.100  <  PRACK cseq=2 rack=0 sdp
        0.100  *  Offered sdp
        0.150  !  answer
        0.160  <  UPDATE cseq=3 sdp
        0.160  >  500
        0.200  !  accept
        0.200  >  200 method=PRACK
        0.200  >  200 method=INVITE
        0.300  <  ACK
        0.300  *  Answered
        9.000  .
        """
    )
    assert [m.body for m in script.sent if m.cseq.method == "PRACK"] == [ANSWER]


def test_an_offer_of_a_prack_that_is_refused() -> None:
    Transcript().run(
        """
        0.000  <  INVITE branch=a sdp Supported=100rel
        0.000  >  100
        0.010  !  ring 183 sdp reliable
        0.010  >  183
        0.100  <  PRACK cseq=2 rack=0 sdp
        0.100  *  Offered sdp
        0.200  !  decline 488
        0.200  >  488 method=PRACK
        0.300  !  answer
        0.300  >  200 method=INVITE
        0.400  <  ACK
        0.400  *  Answered
        9.000  .
        """
    )


def test_an_offer_before_the_first_one_is_answered_has_to_wait() -> None:
    """RFC 3311 section 5.2: 500 and Retry-After; the 180 counts as acknowledged all the same."""
    Transcript().run(
        REQUIRED
        + """
        0.100  <  PRACK cseq=2 rack=0 sdp
        0.100  >  500 method=PRACK
        0.200  <  INVITE re branch=b cseq=3 sdp
        0.200  >  500 method=INVITE
        0.300  <  ACK branch=b cseq=3
        """
    )


def test_every_minute_of_ringing_is_told_with_a_number_of_its_own() -> None:
    """RFC 3261 section 13.3.1.1; the description is not repeated, it would be another offer."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp Require=100rel
        0.000  >  100
        0.010  !  ring 183 sdp
        0.010  >  183
        0.100  <  PRACK cseq=2 rack=0
        0.100  >  200 method=PRACK
        60.010 >  183
        60.100 <  PRACK cseq=3 rack=0
        60.100 >  200 method=PRACK
        70.000 .
        """
    )
    assert script.last("183").body == b""


def test_what_waits_is_bounded() -> None:
    script = Transcript()
    script.run(REQUIRED)
    for _ in range(100):
        script.run("0.02 ! ring 182")
    for cseq in range(2, 18):
        script.run(f"0.03 < PRACK cseq={cseq} rack=0\n0.03 > 182\n0.03 > 200")
    script.run("0.03 < PRACK cseq=18 rack=0\n0.03 > 200\n9 .")
