"""A second INVITE: after a refusal that can be mended, and to where a 3xx sends us (RFC 3261 sections 8.1.3.4 and 8.1.3.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sipserver.legs import Refused
from sipserver.message import Request, SipUri
from sipserver.protocols import TrunkOptions
from sipserver.useragent.redirect import MAX_TARGETS, Redirection
from tests.sipserver.transcripts import TRUNK, Transcript

CALLING = """
    0.000  !  invite
    0.000  >  INVITE branch=a cseq=1
    """
REFUSED = "0.1 > ACK branch=a\n0.1 * Refused {0}\n0.1 * over\n40 ."


def over(**options: Any) -> Transcript:
    """A call over a trunk with these options."""
    return Transcript(trunk=replace(TRUNK, options=TrunkOptions(**options)))


# -- 420, 421 and what cannot be mended -------------------------------------------------------------------------------


def test_an_extension_that_the_peer_cannot_do_is_left_out_once() -> None:
    script = over()
    script.run(
        CALLING
        + """
        0.100  <  420 tag=x Unsupported=100rel
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=2
        0.200  <  420 tag=y Unsupported=100rel
        0.200  >  ACK branch=b
        0.200  *  Refused 420
        0.200  *  over
        40.000 .
        """
    )
    first, again = (message for message in script.sent if isinstance(message, Request) and message.method == "INVITE")
    assert "100rel" in first.headers.all("supported")
    assert "100rel" not in again.headers.all("supported")
    assert (first.call_id, first.from_, first.to, first.body) == (again.call_id, again.from_, again.to, again.body)


@pytest.mark.parametrize("unsupported", ["", "Unsupported=foo"])
def test_a_420_for_what_was_not_asked_is_a_refusal(unsupported: str) -> None:
    over().run(CALLING + f"0.1 < 420 tag=x {unsupported}\n" + REFUSED.format(420))


def test_an_extension_that_the_peer_asks_for_is_promised_once() -> None:
    script = over()
    script.run(
        CALLING
        + """
        0.100  <  421 tag=x Require=100rel
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=2 Require=100rel
        0.200  <  421 tag=y Require=100rel
        0.200  >  ACK branch=b
        0.200  *  Refused 421
        0.200  *  over
        40.000 .
        """
    )


@pytest.mark.parametrize(("mode", "required"), [("off", "100rel"), ("supported", "precondition"), ("supported", "")])
def test_what_is_not_allowed_or_not_done_is_not_promised(mode: str, required: str) -> None:
    require = f"Require={required}" if required else ""
    over(reliable100=mode).run(CALLING + f"0.1 < 421 tag=x {require}\n" + REFUSED.format(421))


@pytest.mark.parametrize("answer", ["413", "415 Accept=application/foo", "416"])
def test_what_cannot_be_mended_is_not_tried_again(answer: str) -> None:
    over().run(CALLING + f"0.1 < {answer} tag=x\n" + REFUSED.format(answer[:3]))


def test_a_second_try_answers_challenges_of_its_own() -> None:
    script = over()
    script.run(
        CALLING
        + """
        0.100  <  407 tag=x challenge
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=2
        0.200  <  420 tag=y Unsupported=100rel
        0.200  >  ACK branch=b
        0.200  >  INVITE branch=c cseq=3
        0.300  <  407 tag=z challenge
        0.300  >  ACK branch=c
        0.300  >  INVITE branch=d cseq=4
        0.400  <  200 tag=w sdp
        0.400  >  ACK cseq=4
        0.400  *  Answered sdp
        9.000  .
        """
    )
    tries = [m for m in script.sent if isinstance(m, Request) and m.method == "INVITE"]
    assert ["proxy-authorization" in m.headers for m in tries] == [False, True, True, True]
    assert len({m.call_id for m in tries}) == len({m.from_.tag for m in tries}) == 1


def test_who_hangs_up_meanwhile_gets_no_second_try() -> None:
    over().run(
        CALLING
        + """
        0.050  !  hang_up
        0.050  *  over
        0.100  <  420 tag=x Unsupported=100rel
        0.100  >  ACK branch=a
        40.000 .
        """
    )


def test_a_second_try_is_not_cancelled_unheard() -> None:
    """RFC 3261 section 9.1 holds for each INVITE: the 100 was of the first."""
    over().run(
        CALLING
        + """
        0.050  <  100
        0.100  <  420 tag=x Unsupported=100rel
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=2
        0.150  !  hang_up
        0.150  *  over
        0.200  <  100 INVITE
        0.200  >  CANCEL branch=b cseq=2
        0.300  <  200 CANCEL
        0.300  <  487 INVITE tag=y
        0.300  >  ACK branch=b
        40.000 .
        """
    )


# -- 3xx --------------------------------------------------------------------------------------------------------------


def test_by_default_a_redirection_is_a_refusal() -> None:
    script = over()
    script.run(CALLING + "0.1 < 302 tag=x contact=sip:other@192.0.2.9:5070\n" + REFUSED.format(302))
    assert script.agent.idle


def test_contacts_are_tried_by_q_and_a_refusal_leads_to_the_next() -> None:
    script = over(follow_redirects=True)
    script.run(
        CALLING
        + """
        0.100  <  302 tag=x contact=none Contact='<sip:b@192.0.2.9:5070>;q=0.2, <sip:a@192.0.2.9:5071;maddr=198.51.100.1?X=y>;q=0.9'
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=2 uri=sip:a@192.0.2.9:5071
        0.200  <  180 INVITE tag=y
        0.200  *  Progress 180
        0.300  <  486 INVITE tag=y
        0.300  >  ACK branch=b
        0.300  >  INVITE branch=c cseq=3 uri=sip:b@192.0.2.9:5070
        0.400  <  200 tag=z sdp
        0.400  >  ACK cseq=3
        0.400  *  Answered sdp
        40.000 .
        """
    )
    first, *others = (m for m in script.sent if isinstance(m, Request) and m.method == "INVITE")
    assert {(m.call_id, m.from_, m.to) for m in others} == {(first.call_id, first.from_, first.to)}
    targets = [target for message, target in zip(script.sent, script.targets, strict=True) if message in others]
    assert [(target.transport, target.host, target.port) for target in targets] == [
        ("udp", "192.0.2.9", 5071),
        ("udp", "192.0.2.9", 5070),
    ]


def test_a_decline_for_everybody_ends_it() -> None:
    """RFC 3261 section 21.6."""
    over(follow_redirects=True).run(
        CALLING
        + """
        0.100  <  302 tag=x contact=none Contact='<sip:a@192.0.2.9>, <sip:b@192.0.2.9>'
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b cseq=2
        0.200  <  603 INVITE tag=y
        0.200  >  ACK branch=b
        0.200  *  Refused 603
        0.200  *  over
        40.000 .
        """
    )


def test_a_target_that_does_not_answer_leads_to_the_next() -> None:
    script = over(follow_redirects=True)
    script.run(CALLING)
    script.run("0.1 < 302 tag=x contact=none Contact='<sip:a@192.0.2.9>, <sip:b@192.0.2.9>'\n0.1 > ACK\n0.1 > INVITE")
    for at in (0.6, 1.6, 3.6, 7.6, 15.6, 31.6):
        script.run(f"{at} > INVITE cseq=2")
    script.run("32.1 > INVITE branch=c cseq=3 uri=sip:b@192.0.2.9\n32.2 < 200 tag=z\n32.2 > ACK\n32.2 * Answered\n40 .")


@pytest.mark.parametrize(
    "contact", ["sip:+19005550100@198.51.100.66", "sips:a@192.0.2.9", "tel:+19005550100", "sip:a@trunk.example.org"]
)
def test_another_host_is_not_followed_and_that_is_said(contact: str) -> None:
    """Toll fraud: nobody but the trunk carries our calls."""
    script = over(follow_redirects=True)
    found: list[object] = []
    happened = script.agent.happened
    script.agent.happened = lambda leg, event: (found.append(event), happened(leg, event))  # type: ignore[method-assign,assignment,return-value,func-returns-value]
    script.run(CALLING + f"0.1 < 302 tag=x contact={contact}\n" + REFUSED.format(302))
    (refused,) = (event for event in found if isinstance(event, Refused))
    assert (refused.problem is not None) is contact.startswith("sip")


def test_the_trunks_name_and_its_address_are_the_trunk() -> None:
    trunk = replace(TRUNK, host="sip.example.com", options=TrunkOptions(follow_redirects=True))
    Transcript(trunk=trunk).run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.100  <  302 tag=x contact=none Contact='<sip:a@SIP.example.com:5070>;q=0.9, <sip:a@192.0.2.9>;q=0.5'
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b uri=sip:a@sip.example.com:5070
        0.200  <  404 INVITE tag=y
        0.200  >  ACK branch=b
        0.200  >  INVITE branch=c uri=sip:a@192.0.2.9
        0.300  <  404 INVITE tag=y
        0.300  >  ACK branch=c
        0.300  *  Refused 404
        0.300  *  over
        """
    )


def test_an_outbound_proxy_stays_in_the_way() -> None:
    options = TrunkOptions(follow_redirects=True)
    script = Transcript(trunk=replace(TRUNK, outbound_proxy="192.0.2.77:5090", options=options))
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE
        0.100  <  301 tag=x contact=sip:a@192.0.2.9
        0.100  >  ACK
        0.100  >  INVITE uri=sip:a@192.0.2.9 Route="<sip:192.0.2.77:5090;lr>"
        0.200  <  100 INVITE
        9.000  .
        """
    )
    assert script.target_of("INVITE").host == "192.0.2.77"


def test_who_redirects_in_a_circle_gets_no_circle() -> None:
    over(follow_redirects=True).run(
        CALLING
        + """
        0.100  <  302 tag=x contact=sip:a@192.0.2.9
        0.100  >  ACK
        0.100  >  INVITE cseq=2
        0.200  <  302 INVITE tag=y contact=none Contact='<sip:a@192.0.2.9>, <sip:+12025550123@192.0.2.9:5070>'
        0.200  >  ACK
        0.200  *  Refused 302
        0.200  *  over
        40.000 .
        """
    )


@pytest.mark.parametrize("follows", [True, False])
def test_who_is_to_be_called_through_a_proxy_is_not_called_there(follows: bool) -> None:
    """RFC 3261 section 21.3.4, and how RFC 5359 section 2.13 begins: the Contact of a 305 is a way, no target. That is said."""
    options = TrunkOptions(follow_redirects=follows)
    script = over(follow_redirects=follows)
    script.run(CALLING + "0.1 < 305 tag=x contact=sip:192.0.2.9\n" + REFUSED.format(305))
    redirection = Redirection(replace(TRUNK, options=options), SipUri.parse("sip:first@192.0.2.9"))
    redirection.take(script._response(305, set(), {"contact": "sip:192.0.2.9"}), None)
    assert redirection.next() is None
    assert "outbound proxy" in (redirection.problem or "")


def test_there_are_five_targets_at_most() -> None:
    redirection = Redirection(
        replace(TRUNK, options=TrunkOptions(follow_redirects=True)), SipUri.parse("sip:first@192.0.2.9")
    )
    script = Transcript()
    script.run(CALLING)
    contacts = ", ".join(f"<sip:{number}@192.0.2.9>;q=0.{number % 10}" for number in range(20))
    response = script._response(300, set(), {"contact": "none", "Contact": contacts})
    redirection.take(response, "192.0.2.9")
    tried = []
    while (target := redirection.next()) is not None:
        tried.append(target.user)
    assert tried == ["9", "19", "8", "18"]
    assert len(tried) + 1 == MAX_TARGETS


@pytest.mark.parametrize("q", ["x", "2", "-1", "nan"])
def test_a_q_that_is_none_counts_as_the_best(q: str) -> None:
    redirection = Redirection(
        replace(TRUNK, options=TrunkOptions(follow_redirects=True)), SipUri.parse("sip:first@192.0.2.9")
    )
    script = Transcript()
    script.run(CALLING)
    contacts = f"<sip:low@192.0.2.9>;q=0.5, <sip:odd@192.0.2.9>;q={q}"
    redirection.take(script._response(300, set(), {"contact": "none", "Contact": contacts}), None)
    target = redirection.next()
    assert target is not None
    assert target.user == "odd"
