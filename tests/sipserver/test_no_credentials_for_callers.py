"""A caller may challenge what we send in the call that he began: he gets nothing, for the password is the trunk's alone."""

from __future__ import annotations

import pytest

from sipserver.message import Request
from tests.sipserver.transcripts import Transcript


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_of_our_bye_is_the_end_of_it(status: int) -> None:
    script = Transcript()
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.020  !  answer
        0.020  >  200
        0.030  <  ACK
        0.030  *  Answered
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE
        1.100  <  {status} BYE challenge
        99.000 .
        """
    )
    named = [name for sent in script.sent for name in ("Authorization", "Proxy-Authorization") if name in sent.headers]
    assert named == []
    assert sum(isinstance(sent, Request) for sent in script.sent) == 1
