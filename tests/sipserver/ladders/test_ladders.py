"""Golden ladders: what the call flow documents of the IETF (RFC 3665, RFC 5359) show is what we do, message by message."""

from __future__ import annotations

import pytest

from sipserver.message import Request
from tests.sipserver.ladders.ladders import Drawn, DrawnLine, Ladder
from tests.sipserver.ladders.rfc3665_failures import FAILURES
from tests.sipserver.ladders.rfc3665_registrations import REGISTRATIONS
from tests.sipserver.ladders.rfc3665_sessions import SESSIONS
from tests.sipserver.ladders.rfc5359_holds import HOLDS
from tests.sipserver.ladders.rfc5359_proxies import CALLED, CALLERS
from tests.sipserver.ladders.rfc5359_transfers import TRANSFERS
from tests.sipserver.transcripts import Transcript, user_agent

CALLS = [
    *(("rfc3665", ladder) for ladder in (*SESSIONS, *FAILURES)),
    *(("rfc5359", ladder) for ladder in (*HOLDS, *TRANSFERS, *CALLERS, *CALLED)),
]


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
