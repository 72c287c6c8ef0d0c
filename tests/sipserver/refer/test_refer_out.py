"""We ask the peer to transfer its call, on the time line: RFC 3515, RFC 5589 section 6, RFC 6665, RFC 4488."""

from __future__ import annotations

import pytest

from sipserver.message import MessageError, Request
from sipserver.referto import ReferTo
from tests.sipserver.transcripts import Transcript

TARGET = "sip:+12025550199@192.0.2.9"


def called() -> Transcript:
    """A caller is talking to us since 0.010."""
    script = Transcript()
    script.run(
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.010  <  ACK
        0.010  *  Answered
        """
    )
    return script


def test_a_blind_transfer() -> None:
    """RFC 5589 section 6.1: REFER, 202, NOTIFY 100, NOTIFY 200, and our BYE."""
    script = called()
    script.run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER cseq=1 uri=sip:peer@192.0.2.9:5070 Refer-To="<{TARGET}>" Referred-By="<sip:us@192.0.2.1>"
        1.100  <  202 REFER
        1.100  *  ReferProgress 100 Accepted
        1.200  <  NOTIFY cseq=2 Event=refer state=active;expires=60 frag="100 Trying"
        1.200  >  200 method=NOTIFY
        1.200  *  ReferProgress 100 Trying
        1.300  <  NOTIFY cseq=3 Event=refer state=active;expires=59 frag="180 Ringing"
        1.300  >  200
        1.300  *  ReferProgress 180 Ringing
        4.000  <  NOTIFY cseq=4 Event=refer state=terminated;reason=noresource frag="200 OK"
        4.000  >  200
        4.000  *  ReferProgress 200 OK final
        4.100  !  hang_up transferred
        4.100  >  BYE cseq=2
        4.100  *  over
        4.200  <  200 BYE
        99.000 .
        """
    )
    refer = script.last("REFER")
    assert isinstance(refer, Request)
    assert refer.contacts[0].uri == "sip:us@192.0.2.1:5060"
    assert refer.to.tag == "peer"
    assert script.referring == [True]
    assert script.agent.idle


def test_what_cannot_be_referred_to_is_an_error_and_nothing_is_sent() -> None:
    script = called()
    for target in ("mailto:a@b", "sip:a@b?Subject=x", "sip:a b", "nonsense", "sip:a@b\r\nX: y"):
        with pytest.raises(MessageError):
            script.leg and script.leg.refers.refer(ReferTo(target), None)
    script.run("1.000 .")
