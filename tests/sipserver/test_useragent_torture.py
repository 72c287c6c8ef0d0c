"""Every message of RFC 4475 through the whole user agent: what leaves, and where to.

The messages are data outside the repository (`ANTIPHON_TEST_DATA`), with an index of what each is to get. An INVITE that is good is
taken (100), and what its user answers is not this file's business.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sipserver.legs import Source
from sipserver.message import Response
from sipserver.useragent.events import Invited
from tests.sipserver.transcripts import user_agent

SOURCE = Source("udp", "198.51.100.7", 5075)
ROOT = os.environ.get("ANTIPHON_TEST_DATA")
FOLDER = Path(ROOT) / "rfc4475" if ROOT else None
CASES: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text())["cases"] if FOLDER else []

pytestmark = pytest.mark.skipif(not CASES, reason="ANTIPHON_TEST_DATA is not set: no RFC 4475 messages")

TAKEN = 100
ANSWERS: dict[str, int | None] = {
    "wsinv": 481,  # Its To has a tag, of a dialog that is not there.
    "intmeth": 405,
    "escnull": 405,
    "esc02": 405,
    "longreq": TAKEN,
    "dblreq": 405,
    "transports": 200,
    "mpart01": 405,
    "noreason": None,
    "badinv01": 400,
    "clerr": 400,
    "scalar02": 400,
    "scalarlg": None,
    "ltgtruri": 400,
    "lwsruri": 400,
    "trws": 400,
    "escruri": 400,
    "regbadct": 400,
    "badaspec": 400,
    "badvers": 505,
    "mismatch01": 400,
    "bigcode": None,
    "badbranch": 200,
    "insuf": 400,
    "novelsc": 416,
    "unksm2": 405,
    "invut": 415,
    "regaut01": 405,
    "mcl01": 400,
    "bcast": None,
    "cparam01": 405,
    "cparam02": 405,
    "sdp01": 406,
    "inv2543": TAKEN,
}


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_each_message_gets_its_answer_where_it_came_from(case: dict[str, Any]) -> None:
    assert FOLDER is not None
    agent = user_agent()
    agent.receive((FOLDER / case["file"]).read_bytes(), SOURCE, 0.0)
    sent, expected = agent.to_send(), ANSWERS[case["file"].removesuffix(".dat")]
    if expected is None:
        assert sent == []
        return
    [outgoing] = sent
    assert isinstance(outgoing.message, Response)
    assert outgoing.message.status == expected
    assert (outgoing.target.transport, outgoing.target.host) == ("udp", SOURCE.host)
    assert [type(event) for event in agent.events()] == ([Invited] if expected == TAKEN else [])
    if case["cls"] != "valid" and expected not in (TAKEN, 200):
        assert str(expected) in case["expect"]


def test_a_bare_cookie_identifies_no_transaction() -> None:
    """3.2.1: two requests with `branch=z9hG4bK` are two requests."""
    assert FOLDER is not None
    agent = user_agent()
    invite = (FOLDER / "badbranch.dat").read_bytes().replace(b"OPTIONS", b"INVITE")
    invite = invite.replace(b"CSeq:", b"Contact: <sip:a@198.51.100.7>\r\nCSeq:")
    for data in (invite, invite, invite.replace(b"Call-ID: ", b"Call-ID: other")):
        agent.receive(data, SOURCE, 0.0)
    assert len([event for event in agent.events() if isinstance(event, Invited)]) == 2


def test_nothing_of_them_is_left() -> None:
    assert FOLDER is not None
    agent = user_agent()
    for at, case in enumerate(CASES):
        agent.receive((FOLDER / case["file"]).read_bytes(), SOURCE, float(at))
    for event in agent.events():
        if isinstance(event, Invited):
            event.leg.reject(404, None, ())
    while (due := agent.next_timer()) is not None:
        agent.handle_timer(due)
    assert agent.idle
    assert len(agent.transactions) == 0
