"""Provisional answers that we acknowledge, fork by fork, on the time line (RFC 3262 section 4, RFC 3261 section 13.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipserver.legs import Answered, Progress
from sipserver.message import Request, Response
from sipserver.protocols import TrunkOptions
from sipserver.useragent.events import Happened
from tests.sipserver.transcripts import OFFER, TRUNK, Transcript

CALLING = """
    0.000  !  invite
    0.000  >  INVITE branch=a cseq=1
    """


def over(mode: str) -> Transcript:
    """A call over a trunk with this mode of 100rel."""
    return Transcript(trunk=replace(TRUNK, options=TrunkOptions(reliable100=mode)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "supported", "required"),
    [("off", None, None), ("supported", "100rel", None), ("required", "100rel", "100rel")],
)
def test_what_the_invite_says_by_the_trunks_mode(mode: str, supported: str | None, required: str | None) -> None:
    script = over(mode)
    script.run(CALLING)
    headers = script.last("INVITE").headers
    assert ("100rel" in headers.all("supported")) is (supported is not None)
    assert headers.get("require") == required
    assert "PRACK" in (headers.get("allow") or "")


@pytest.mark.parametrize("mode", ["off", "supported", "required"])
def test_a_reliable_answer_gets_one_prack_along_its_own_way(mode: str) -> None:
    """The Contact of the 183 through its Record-Route (INTEROP: Telekom), a CSeq of its own, and none for repetitions."""
    script = over(mode)
    script.run(
        CALLING
        + """
        0.100  <  180 tag=x contact=sip:first@192.0.2.9
        0.100  *  Progress 180
        0.200  <  183 tag=x sdp Require=100rel RSeq=9021 contact=sip:c@10.9.9.9 rr=sip:192.0.2.51;lr,sip:192.0.2.50;lr;r2=on
        0.200  >  PRACK branch=b cseq=2 RAck='9021 1 INVITE' uri=sip:c@10.9.9.9 Route="<sip:192.0.2.50;lr;r2=on>, <sip:192.0.2.51;lr>"
        0.200  *  Progress 183 sdp
        0.300  <  200 PRACK
        0.700  <  183 INVITE tag=x sdp Require=100rel RSeq=9021
        1.700  <  183 INVITE tag=x sdp Require=100rel RSeq=9021
        2.000  <  200 INVITE tag=x
        2.000  >  ACK cseq=1
        2.000  *  Answered sdp
        3.000  !  hang_up
        3.000  *  over
        3.000  >  BYE cseq=3
        3.100  <  200 BYE
        40.000 .
        """
    )
    assert script.target_of("PRACK").host == "192.0.2.50"
    assert script.agent.idle
    prack = script.last("PRACK")
    assert isinstance(prack, Request)
    assert (prack.from_.tag, prack.to.tag) == (script.last("INVITE").from_.tag, "x")
    assert prack.body == b""


def test_a_prack_that_is_lost_is_repeated_by_its_transaction() -> None:
    Transcript().run(
        CALLING
        + """
        0.100  <  180 tag=x Require=100rel RSeq=1
        0.100  >  PRACK branch=b
        0.100  *  Progress 180
        0.600  >  PRACK branch=b
        0.700  <  200 PRACK
        9.000  .
        """
    )


def test_an_answer_ahead_of_its_turn_waits_for_the_one_that_is_missing() -> None:
    Transcript().run(
        CALLING
        + """
        0.100  <  180 tag=x Require=100rel RSeq=7
        0.100  >  PRACK cseq=2 RAck='7 1 INVITE'
        0.100  *  Progress 180
        0.110  <  200 PRACK
        0.200  <  183 INVITE tag=x sdp Require=100rel RSeq=9
        0.300  <  182 INVITE tag=x Require=100rel RSeq=8
        0.300  >  PRACK cseq=3 RAck='8 1 INVITE'
        0.300  *  Progress 182
        0.310  <  200 PRACK
        0.700  <  183 INVITE tag=x sdp Require=100rel RSeq=9
        0.700  >  PRACK cseq=4 RAck='9 1 INVITE'
        0.700  *  Progress 183 sdp
        0.710  <  200 PRACK
        0.800  <  182 INVITE tag=x Require=100rel RSeq=8       # long acknowledged
        9.000  .
        """
    )


@pytest.mark.parametrize("headers", ["RSeq=5", "Require=100rel", "Require=100rel RSeq=x", "Require=100rel RSeq=0"])
def test_what_does_not_ask_for_it_properly_gets_no_prack(headers: str) -> None:
    Transcript().run(CALLING + f"0.1 < 180 tag=x {headers}\n0.1 * Progress 180\n9 .")


def test_a_reliable_answer_without_a_contact_cannot_be_acknowledged() -> None:
    Transcript().run(CALLING + "0.1 < 180 tag=x contact=none Require=100rel RSeq=1\n0.1 * Progress 180\n9 .")


@pytest.mark.parametrize(("status", "header"), [(401, "authorization"), (407, "proxy-authorization")])
def test_a_challenged_prack_is_sent_again_with_credentials(status: int, header: str) -> None:
    script = Transcript()
    script.run(
        CALLING
        + f"""
        0.100  <  180 tag=x Require=100rel RSeq=1
        0.100  >  PRACK cseq=2 branch=b
        0.100  *  Progress 180
        0.200  <  {status} PRACK challenge
        0.200  >  PRACK cseq=3 branch=c RAck='1 1 INVITE'
        0.300  <  200 PRACK
        1.000  <  200 INVITE tag=x sdp
        1.000  >  ACK cseq=1
        1.000  *  Answered sdp
        9.000  .
        """
    )
    assert header in script.last("PRACK").headers


def test_after_a_challenge_the_numbers_begin_anew() -> None:
    """The PRACK names the CSeq of the INVITE that was answered."""
    Transcript().run(
        CALLING
        + """
        0.100  <  407 tag=p challenge
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=2
        0.200  <  183 tag=x sdp Require=100rel RSeq=77
        0.200  >  PRACK cseq=3 RAck='77 2 INVITE'
        0.200  *  Progress 183 sdp
        0.300  <  200 PRACK
        """
    )


def test_a_prack_that_is_refused_does_not_end_the_call_and_an_offer_in_its_200_harms_nothing() -> None:
    Transcript().run(
        CALLING
        + """
        0.100  <  180 tag=x Require=100rel RSeq=1
        0.100  >  PRACK
        0.100  *  Progress 180
        0.200  <  481 PRACK
        0.300  <  183 INVITE tag=x sdp Require=100rel RSeq=2
        0.300  >  PRACK
        0.300  *  Progress 183 sdp
        0.400  <  200 PRACK sdp
        1.000  <  200 INVITE tag=x sdp
        1.000  >  ACK cseq=1
        1.000  *  Answered sdp
        9.000  .
        """
    )


def test_where_it_is_required_a_peer_that_cannot_do_it_refuses() -> None:
    over("required").run(
        CALLING + "0.1 < 420 tag=x Unsupported=100rel\n0.1 > ACK branch=a\n0.1 * Refused 420\n0.1 * over\n9 ."
    )


# -- forks ------------------------------------------------------------------------------------------------------------


def test_two_forks_with_a_prack_each_and_a_second_200_that_is_repeated() -> None:
    """INTEROP: the ringback server's 183 and the 200 of another To tag with other SDP (pjproject #657, baresip #2114)."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  183 tag=ringback at=r sdp Require=100rel RSeq=100
        0.100  >  PRACK cseq=2 RAck='100 1 INVITE' uri=sip:r@192.0.2.9:5070
        0.100  *  Progress 183 sdp
        0.110  <  200 PRACK
        0.200  <  180 INVITE tag=callee at=c Require=100rel RSeq=5000
        0.200  >  PRACK cseq=2 RAck='5000 1 INVITE' uri=sip:c@192.0.2.9:5070
        0.200  *  Progress 180
        0.210  <  200 PRACK
        0.300  <  182 INVITE tag=ringback at=r Require=100rel RSeq=101
        0.300  >  PRACK cseq=3 RAck='101 1 INVITE' uri=sip:r@192.0.2.9:5070
        0.300  *  Progress 182
        0.310  <  200 PRACK
        1.000  <  200 INVITE tag=callee at=c sdp
        1.000  >  ACK branch=b cseq=1 uri=sip:c@192.0.2.9:5070
        1.000  *  Answered sdp
        2.000  <  200 INVITE tag=ringback at=r sdp
        2.000  >  ACK branch=c cseq=1 uri=sip:r@192.0.2.9:5070
        2.000  >  BYE branch=d cseq=4 uri=sip:r@192.0.2.9:5070
        2.100  <  200 BYE
        2.500  <  200 INVITE tag=ringback at=r sdp
        2.500  >  ACK branch=c cseq=1 uri=sip:r@192.0.2.9:5070
        3.000  <  200 INVITE tag=callee at=c sdp
        3.000  >  ACK branch=b cseq=1
        4.000  <  BYE tag=ringback cseq=1 branch=loser
        4.000  >  481
        5.000  !  hang_up
        5.000  *  over
        5.000  >  BYE cseq=3 uri=sip:c@192.0.2.9:5070
        5.100  <  200 BYE
        60.000 .
        """
    )
    assert script.agent.idle


def events_of(script: Transcript, *lines: str) -> list[object]:
    """The events as they are, and not only in words, that these lines bring."""
    found: list[object] = []
    note = script.agent.events

    def watched() -> list[object]:
        events = note()
        found.extend(event.event for event in events if isinstance(event, Happened))
        return events  # type: ignore[return-value]

    script.agent.events = watched  # type: ignore[method-assign,assignment]
    script.run("\n".join(lines))
    return found


def test_progress_tells_which_fork_it_is_of() -> None:
    found = events_of(
        Transcript(), CALLING, "0.1 < 180 tag=x\n0.1 * Progress 180", "0.2 < 183 tag=y sdp\n0.2 * Progress 183 sdp"
    )
    assert found == [Progress(180, "Ringing", None, "x"), Progress(183, "Session Progress", OFFER, "y")]


@pytest.mark.parametrize("reliable", ["", "Require=100rel RSeq=1"])
def test_a_200_without_sdp_after_a_183_of_the_same_fork_with_it(reliable: str) -> None:
    """INTEROP: Telekom; after a reliable 183 it is the rule, after a plain one it is tolerated."""
    script = Transcript()
    script.run(CALLING)
    found = events_of(
        script,
        f"0.1 < 183 tag=x sdp {reliable}",
        "0.1 > PRACK" if reliable else "",
        "0.1 * Progress 183 sdp",
        "0.15 < 200 PRACK" if reliable else "",
        "0.3 < 200 INVITE tag=x\n0.3 > ACK\n0.3 * Answered sdp",
    )
    assert found[-1] == Answered(OFFER)


def test_another_forks_early_media_do_not_count() -> None:
    Transcript().run(
        CALLING
        + """
        0.100  <  183 tag=ringback sdp
        0.100  *  Progress 183 sdp
        0.200  <  200 tag=callee
        0.200  >  ACK
        0.200  *  Answered
        """
    )


def test_a_flood_of_reliable_forks_makes_no_flood_of_pracks() -> None:
    script = Transcript()
    script.run(CALLING)
    for number in range(16):
        script.run(
            f"0.1 < 180 INVITE tag=t{number} Require=100rel RSeq=1\n0.1 > PRACK\n0.1 * Progress 180\n0.1 < 200 PRACK"
        )
    for number in range(16, 100):
        script.run(f"0.1 < 180 INVITE tag=t{number} Require=100rel RSeq=1")
    assert isinstance(script.last("INVITE"), Request)
    assert not any(isinstance(message, Response) for message in script.sent)
