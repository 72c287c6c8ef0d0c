"""The 100 of an INVITE: only for who would otherwise hear nothing for a while (RFC 3261 section 17.2.1)."""

from __future__ import annotations

import pytest

from sipserver.transaction import Intervals
from tests.sipserver.transcripts import Transcript, user_agent


@pytest.fixture
def line() -> Transcript:
    return Transcript(user_agent(intervals=Intervals()))


def test_who_is_answered_at_once_gets_no_100(line: Transcript) -> None:
    line.run("""
        0.000  <  INVITE sdp branch=a
        0.000  !  ring 180
        0.000  >  180
        0.020  !  answer
        0.020  >  200
        0.030  <  ACK
        0.030  *  Answered
        0.400  .
    """)


def test_who_waits_gets_one_100_before_it_would_ask_again(line: Transcript) -> None:
    line.run("""
        0.000  <  INVITE sdp branch=a
        0.100  >  100
        0.500  <  INVITE sdp branch=a
        0.500  >  100
        1.000  !  reject 486
        1.000  *  over
        1.000  >  486
        1.010  <  ACK branch=a
        9.000  .
    """)


def test_who_takes_it_back_before_that_gets_none(line: Transcript) -> None:
    line.run("""
        0.000  <  INVITE sdp branch=a
        0.050  <  CANCEL branch=a
        0.050  >  200
        0.050  >  487
        0.050  *  Ended cancel
        0.050  *  over
        0.060  <  ACK branch=a
        9.000  .
    """)
