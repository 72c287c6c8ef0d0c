"""A call that is over leaves nothing to the collector of garbage: a busy server runs that seldom, and each call would wait for it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sipserver.transaction import ServerTransaction
from sipserver.useragent.server_leg import ServerLeg
from tests.sipserver.transcripts import Transcript


@pytest.fixture
def by_hand() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


CALL = """
    0.000  <  INVITE sdp branch=a
    0.000  >  100
    0.010  !  ring 180
    0.010  >  180
    0.020  !  answer
    0.020  >  200
    0.030  <  ACK
    0.030  *  Answered
    1.000  <  BYE cseq=2
    1.000  >  200
    1.000  *  Ended bye
    1.000  *  over
    40.000 .
"""
REJECTED = """
    0.000  <  INVITE sdp branch=a
    0.000  >  100
    0.010  !  reject 486
    0.010  *  over
    0.010  >  486
    0.020  <  ACK branch=a
    40.000 .
"""


def things() -> int:
    """How many legs and transactions there are in the whole process."""
    return sum(isinstance(one, (ServerLeg, ServerTransaction)) for one in gc.get_objects())


@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("text", [CALL, REJECTED])
def test_an_inbound_call_goes_by_itself(text: str) -> None:
    before = things()
    line = Transcript()
    line.run(text)
    line.leg = None
    line.legs.clear()
    assert things() == before
