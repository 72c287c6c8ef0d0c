"""From one target to the next (RFC 3263 section 4.3): on 503, on silence, on a transport that fails; on a time line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipserver.locate import Target
from sipserver.message import SipUri
from sipserver.useragent.finder import AVOIDED_SECONDS, LONGEST_AVOIDED, MAX_AVOIDED, Finder, Question
from tests.sipserver.transcripts import TRUNK, Transcript

FIRST, SECOND = "192.0.2.9", "192.0.2.8"
NAMED = replace(TRUNK, host="sip.example.com")


def two_targets() -> Transcript:
    return Transcript(trunk=NAMED, addresses=(FIRST, SECOND))


def hosts(script: Transcript, what: str) -> list[str]:
    """Where all messages of a kind went."""
    kinds = [getattr(message, "method", None) for message in script.sent]
    return [target.host for kind, target in zip(kinds, script.targets, strict=True) if kind == what]


def test_a_503_is_acknowledged_and_the_next_target_gets_an_invite_of_its_own() -> None:
    script = two_targets()
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a cseq=1
        0.100  <  100
        0.200  <  503 tag=x
        0.200  >  ACK branch=a
        0.200  >  INVITE branch=b cseq=1
        0.300  <  180 tag=y
        0.300  *  Progress 180
        0.400  <  200 tag=y sdp
        0.400  >  ACK
        0.400  *  Answered sdp
        """
    )
    assert hosts(script, "INVITE") == [FIRST, SECOND]
    assert hosts(script, "ACK")[0] == FIRST


def test_when_all_say_503_so_does_the_call() -> None:
    two_targets().run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.100  <  503 tag=x
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b
        0.200  <  503 tag=y
        0.200  >  ACK branch=b
        0.200  *  Refused 503
        0.200  *  over
        40.00  .
        """
    )


def test_other_refusals_are_the_answer() -> None:
    two_targets().run("0 ! invite\n0 > INVITE\n0.1 < 486 tag=x\n0.1 > ACK\n0.1 * Refused 486\n0.1 * over\n40 .")


def test_who_said_that_it_rings_has_taken_the_call() -> None:
    two_targets().run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  180 tag=x
        0.100  *  Progress 180
        0.200  <  503 tag=x
        0.200  >  ACK
        0.200  *  Refused 503
        0.200  *  over
        40.00  .
        """
    )


def test_timer_b_leads_to_the_next_target() -> None:
    script = two_targets()
    script.run("0 ! invite\n0 > INVITE branch=a")
    for at in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5):
        script.run(f"{at} > INVITE branch=a")
    script.run(
        """
        32.000 >  INVITE branch=b
        32.100 <  486 tag=y
        32.100 >  ACK branch=b
        32.100 *  Refused 486
        32.100 *  over
        """
    )
    assert hosts(script, "INVITE") == [FIRST] * 7 + [SECOND]


def test_timer_f_leads_to_the_next_target() -> None:
    script = two_targets()
    script.run("0 ! options\n0 > OPTIONS branch=a")
    for at in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5):
        script.run(f"{at} > OPTIONS branch=a")
    script.run("32.0 > OPTIONS branch=b\n32.1 < 200 OPTIONS\n40 .")
    assert [answer.status for answer in script.options if answer] == [200]


def test_a_transport_that_fails_leads_to_the_next_target_at_once() -> None:
    two_targets().run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.100  !  unreachable
        0.100  >  INVITE branch=b
        0.200  <  486 tag=x
        0.200  >  ACK branch=b
        0.200  *  Refused 486
        0.200  *  over
        """
    )


def test_the_challenge_of_the_next_target_is_answered_there() -> None:
    script = two_targets()
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a cseq=1
        0.100  <  503 tag=x
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=1
        0.200  <  407 tag=y challenge
        0.200  >  ACK branch=b
        0.200  >  INVITE branch=c cseq=2
        0.300  <  486 tag=y
        0.300  >  ACK branch=c
        0.300  *  Refused 486
        0.300  *  over
        """
    )
    assert hosts(script, "INVITE") == [FIRST, SECOND, SECOND]


def test_a_hang_up_ends_the_search() -> None:
    two_targets().run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.050  !  hang_up
        0.050  *  over
        0.100  <  503 tag=x
        0.100  >  ACK branch=a
        40.00  .
        """
    )


def test_the_next_target_is_not_cancelled_before_it_was_heard() -> None:
    """RFC 3261 section 9.1: what the first target said does not count for the second."""
    two_targets().run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.050  <  100
        0.100  <  503 tag=x
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b
        0.200  !  hang_up
        0.200  *  over
        0.300  <  100
        0.300  >  CANCEL branch=b
        0.400  <  200 CANCEL
        0.400  <  487 INVITE tag=y
        0.400  >  ACK branch=b
        40.00  .
        """
    )


def test_a_target_that_failed_comes_last_for_a_while_and_is_never_left_out() -> None:
    script = two_targets()
    refused = "{0} ! invite\n{0} > INVITE\n{0} < 503 tag=x\n{0} > ACK\n{0} > INVITE\n"
    busy = "{0} < 486 tag=y\n{0} > ACK\n{0} * Refused 486\n{0} * over"
    script.run((refused + busy).format(0.0))
    script.run(("{0} ! invite\n{0} > INVITE\n" + busy).format(1.0))
    script.run(("{0} ! invite\n{0} > INVITE\n" + busy).format(1.0 + AVOIDED_SECONDS))
    assert hosts(script, "INVITE") == [FIRST, SECOND, SECOND, FIRST]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("5", 5.0), ("120 (maintenance);duration=3600", 120.0), ("999999", LONGEST_AVOIDED), ("soon", AVOIDED_SECONDS)],
)
def test_a_target_is_avoided_for_as_long_as_its_retry_after_asks(said: str, seconds: float) -> None:
    """RFC 3261 sections 20.33 and 21.5.4."""
    script = two_targets()
    script.run(f"0 ! invite\n0 > INVITE\n0 < 503 tag=x Retry-After='{said}'\n0 > ACK\n0 > INVITE")
    busy = "{0} < 486 tag=y\n{0} > ACK\n{0} * Refused 486\n{0} * over"
    script.run(busy.format(0.0))
    for at in (seconds - 1, seconds):
        script.run(("{0} ! invite\n{0} > INVITE\n" + busy).format(at))
    assert hosts(script, "INVITE") == [FIRST, SECOND, SECOND, FIRST]


def test_the_ack_of_a_refusal_goes_the_invites_way() -> None:
    """RFC 3261 section 17.1.1.3: with the Route that the INVITE had, or a proxy sends it somewhere else."""
    script = Transcript(trunk=replace(TRUNK, outbound_proxy="sip:192.0.2.77"))
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE Route=<sip:192.0.2.77;lr>
        0.100  <  486 tag=x
        0.100  >  ACK Route=<sip:192.0.2.77;lr>
        0.100  *  Refused 486
        0.100  *  over
        """
    )
    assert script.last("ACK").uri == script.last("INVITE").uri  # type: ignore[union-attr]


def test_what_is_avoided_is_bounded_and_a_single_target_is_tried_all_the_same() -> None:
    asked: list[Question] = []
    finder = Finder({"udp": 5060}, asked.append, 10, lambda size: bytes(size))
    for port in range(1, MAX_AVOIDED + 100):
        finder.avoid(Target("udp", "192.0.2.1", port), 0.0)
    assert len(finder._failed) == MAX_AVOIDED
    found: list[tuple[Target, ...]] = []
    finder.locate(SipUri.parse(f"sip:192.0.2.1:{MAX_AVOIDED}"), None, found.append, lambda *_: None, 1.0)
    assert found == [(Target("udp", "192.0.2.1", MAX_AVOIDED),)]


HOSTS = replace(TRUNK, host="192.0.2.9", options=replace(TRUNK.options, failover_hosts=("192.0.2.8", "192.0.2.7")))


def test_the_trunks_next_host_gets_what_the_first_does_not_take_and_is_tried_first_for_a_while() -> None:
    script = Transcript(trunk=HOSTS)
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a cseq=1
        0.100  <  503 tag=x
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=1
        0.200  <  486 tag=y
        0.200  >  ACK branch=b
        0.200  *  Refused 486
        0.200  *  over
        1.000  !  invite
        1.000  >  INVITE branch=c
        1.100  <  486 tag=z
        1.100  >  ACK branch=c
        1.100  *  Refused 486
        1.100  *  over
        40.00  !  invite
        40.00  >  INVITE branch=d
        """
    )
    assert hosts(script, "INVITE") == ["192.0.2.9", "192.0.2.8", "192.0.2.8", "192.0.2.9"]
    assert {target.port for target in script.targets} == {TRUNK.port}


def test_when_every_host_fails_so_does_the_call() -> None:
    script = Transcript(trunk=HOSTS)
    calling = "{at} ! invite\n{at} > INVITE branch=a{at}\n"
    step = "{at} < 503 tag=x\n{at} > ACK\n{at} > INVITE\n"
    last = "{at} < 503 tag=x\n{at} > ACK\n{at} * Refused 503\n{at} * over\n"
    script.run(calling.format(at=0.0) + step.format(at=0.1) + step.format(at=0.2) + last.format(at=0.3))
    # All have failed: they are all tried again, the last one first.
    script.run(calling.format(at=1.0) + step.format(at=1.1) + step.format(at=1.2) + last.format(at=1.3))
    assert sorted(hosts(script, "INVITE")[3:]) == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]
