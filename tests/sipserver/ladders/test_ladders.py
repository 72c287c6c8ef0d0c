"""Golden ladders: what the call flow documents of the IETF (RFC 3665, RFC 5359) show is what we do, message by message."""

from __future__ import annotations

import pytest

from sipserver.message import Request
from tests.sipserver.ladders.ladders import Drawn, DrawnLine, Ladder
from tests.sipserver.ladders.rfc3665 import REGISTRATIONS, SESSIONS
from tests.sipserver.ladders.rfc5359 import SERVICES
from tests.sipserver.transcripts import Transcript, user_agent

CALLS = [("rfc3665", ladder) for ladder in SESSIONS] + [("rfc5359", ladder) for ladder in SERVICES]


def _named(ladder: Ladder, rfc: str) -> str:
    return f"{rfc}-{ladder.section}-{ladder.title}"


@pytest.mark.parametrize("ladder", [ladder for _, ladder in CALLS], ids=[_named(ladder, rfc) for rfc, ladder in CALLS])
def test_a_call_goes_as_the_rfc_draws_it(ladder: Ladder) -> None:
    script = Drawn()
    script.run(ladder.script)
    assert ladder.drawn(script.heard) == ladder.lines
    while (due := script.agent.next_timer()) is not None:
        script.agent.handle_timer(due)
    assert script.agent.idle
    assert len(script.agent.transactions) == 0


@pytest.mark.parametrize("ladder", REGISTRATIONS, ids=[_named(ladder, "rfc3665") for ladder in REGISTRATIONS])
def test_a_registration_goes_as_the_rfc_draws_it(ladder: Ladder) -> None:
    line = DrawnLine()
    line.run(ladder.script)
    assert ladder.drawn(line.heard) == ladder.lines
    assert [request.cseq.number for request in line.requests] == list(range(1, len(line.requests) + 1))


def test_each_proxy_gets_its_own_credentials_and_the_second_those_of_the_first_too() -> None:
    """RFC 3665 section 3.3: the third INVITE carries two Proxy-Authorization headers, and the ACK of the 200 as well."""
    [ladder] = [ladder for ladder in SESSIONS if ladder.section == "3.3"]
    script = Drawn()
    script.run(ladder.script)
    invites = [message for _, message in script.heard if isinstance(message, Request) and message.method == "INVITE"]
    realms = [["atlanta" in value for value in invite.headers.all("Proxy-Authorization")] for invite in invites]
    assert realms == [[], [True], [True, False]]
    assert len({invite.call_id for invite in invites}) == 1
    assert len(script.last("ACK").headers.all("Proxy-Authorization")) == 2


def test_the_target_of_an_attended_transfer() -> None:
    """RFC 5359 section 2.5, as Carol: Alice's INVITE names the dialog with Bob, is answered, and Bob's call is ended by us."""
    script = Transcript(user_agent())
    script.run("0 < INVITE branch=a sdp\n0 > 100\n0 ! answer\n0 > 200\n0.1 < ACK\n0.1 * Answered")
    bob, replaces = script.leg, f"call;to-tag={script.our_tag};from-tag=peer"
    script.run(
        f"""
        5.000  <  INVITE branch=b call=alice tag=alice sdp Replaces={replaces} Require=replaces
        5.000  >  100
        5.000  !  answer
        5.000  >  200 Call-ID=alice
        5.100  <  ACK call=alice tag=alice
        5.100  *  Answered
        """
    )
    assert bob is not None
    bob.hang_up("replaced")
    script.run("5.200 > BYE Call-ID=call\n5.200 * over\n5.300 < 200 BYE tag=peer\n60 .")
    assert script.agent.legs == {script.leg}


def test_the_one_who_is_parked_and_picked_up() -> None:
    """RFC 5359 section 2.15, as Alice: the parking server takes Bob's place, Bill the parking server's; each old call is ended by us."""
    script = Drawn()
    script.run("0 < INVITE branch=a sdp\n0 > 100\n0 ! answer\n0 > 200\n0.1 < ACK\n0.1 * Answered")
    before = len(script.heard)
    for at, who, old, old_tag in ((5, "park", "call", "peer"), (60, "bill", "park", "park")):
        leg, replaces = script.leg, f"{old};to-tag={script.our_tag};from-tag={old_tag}"
        script.run(
            f"""
            {at}.000  <  INVITE branch={who} call={who} tag={who} sdp Replaces={replaces} Require=replaces
            {at}.000  >  100
            {at}.000  !  answer
            {at}.000  >  200 Call-ID={who}
            {at}.100  <  ACK branch=ack-{who} call={who} tag={who}
            {at}.100  *  Answered
            """
        )
        assert leg is not None
        leg.hang_up("replaced")
        script.run(f"{at}.200 > BYE Call-ID={old}\n{at}.200 * over\n{at}.300 < 200 BYE tag={old_tag}")
    ladder = Ladder(
        "2.15",
        "Call Park",
        "Alice",
        "Bob",
        """
        INVITE Park Server -> Alice
        200 OK Alice -> Park Server
        ACK Park Server -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        INVITE Bill -> Alice
        200 OK Alice -> Bill
        ACK Bill -> Alice
        BYE Alice -> Park Server
        200 OK Park Server -> Alice
        """,
        "",
        also=("Park Server", "Bill"),
    )
    assert ladder.drawn(script.heard[before:]) == ladder.lines
    assert script.agent.legs == {script.leg}


@pytest.mark.parametrize(
    ("asks", "answer"),
    [
        # Section 2.11: a third party joins. Who insists learns that we mix no calls (RFC 3911 section 4).
        ("INVITE branch=b sdp Join=call;to-tag=a;from-tag=b Require=join", "420 Unsupported=join"),
        # Section 2.17: Alice wants to know when Bob's line is free. We tell nobody of our calls (RFC 3261 section 8.2.1).
        ("SUBSCRIBE branch=b to=none Event=dialog", "405"),
        # Section 2.18: a page has our telephone call somebody. Only who is on a call may have it transferred.
        ("REFER branch=b to=none Refer-To=<sip:carol@192.0.2.20>", "403"),
    ],
)
def test_what_we_do_not_do_is_said_in_the_answer(asks: str, answer: str) -> None:
    Transcript(user_agent()).run(f"0 < {asks}\n0 > {answer}\n60 .")
