"""What carriers do (see docs/interop.md, one test per line that no other test holds), as transcripts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipserver.locate import Target
from sipserver.message import Request
from tests.sipserver.transcripts import TRUNK, Transcript

DOUBLE = ("sip:192.0.2.9:5070;transport=tcp;r2=on;lr=on;ftag=as5f;vsf=AAA-", "sip:192.0.2.9:5071;r2=on;lr=on;ftag=as5f")
"""Two Record-Route lines of one proxy that changes the transport, with what Kamailio writes into them."""
CALLING = """
    0.000  !  invite
    0.000  >  INVITE branch=a cseq=1
    0.010  <  100
    """


def test_interop_telnyx_private_contact_with_record_route() -> None:
    """flexisip #202: the ACK carries the private Contact as its Request-URI and goes to the Record-Route hops, both of them."""
    script = Transcript()
    script.run(
        CALLING
        + f"""
        0.100  <  183 tag=x sdp contact=sip:+4930@10.13.1.7:5060 rr={",".join(DOUBLE)}
        0.100  *  Progress 183 sdp
        2.000  <  200 tag=x sdp contact=sip:+4930@10.13.1.7:5060 rr={",".join(DOUBLE)}
        2.000  >  ACK cseq=1 uri=sip:+4930@10.13.1.7:5060 Route="<{DOUBLE[1]}>, <{DOUBLE[0]}>"
        2.000  *  Answered sdp
        9.000  !  hang_up
        9.000  *  over
        9.000  >  BYE cseq=2 uri=sip:+4930@10.13.1.7:5060 Route="<{DOUBLE[1]}>, <{DOUBLE[0]}>"
        9.100  <  200 BYE
        60.00  .
        """
    )
    assert script.target_of("ACK") == script.target_of("BYE") == Target("udp", "192.0.2.9", 5071)
    assert script.agent.idle


@pytest.mark.parametrize("loose", [";lr", ";lr=on", ";LR", ";lr=true;ftag=1"])
def test_interop_kamailio_lr_with_a_value_is_loose_routing(loose: str) -> None:
    """rsipstack #110, kamailio #1215: taken for a strict router the Request-URI would be the proxy's."""
    script = Transcript()
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp contact=sip:c@10.0.0.4 rr=sip:192.0.2.9:5072{loose}
        0.000  >  100
        0.000  !  answer
        0.000  >  200 Record-Route=<sip:192.0.2.9:5072{loose}>
        0.100  <  ACK
        0.100  *  Answered
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE uri=sip:c@10.0.0.4 Route=<sip:192.0.2.9:5072{loose}>
        1.100  <  200 BYE
        """
    )
    assert script.target_of("BYE") == Target("udp", "192.0.2.9", 5072)


def test_interop_livekit_ack_goes_to_the_record_route_and_not_to_the_tls_contact() -> None:
    """livekit/sip #730, #734: nor to the target that the INVITE had."""
    script = Transcript(trunk=replace(TRUNK, transport="tcp"), transport="tcp")
    script.run(
        CALLING
        + """
        1.000  <  200 tag=x sdp contact=sip:c@10.0.0.4:5061;transport=tls rr=sip:192.0.2.9:5073;transport=tcp;lr
        1.000  >  ACK uri=sip:c@10.0.0.4:5061;transport=tls
        1.000  *  Answered sdp
        """
    )
    assert script.target_of("ACK") == Target("tcp", "192.0.2.9", 5073)


def test_interop_livekit_each_repetition_of_a_200_gets_its_ack_also_after_the_bye() -> None:
    """livekit/sip #851."""
    Transcript().run(
        CALLING
        + """
        1.000  <  200 tag=x sdp
        1.000  >  ACK cseq=1
        1.000  *  Answered sdp
        1.500  <  200 tag=x sdp
        1.500  >  ACK cseq=1
        1.600  !  hang_up
        1.600  *  over
        1.600  >  BYE cseq=2
        1.700  <  200 BYE
        2.500  <  200 tag=x sdp
        2.500  >  ACK cseq=1
        60.00  .
        """
    )


def test_interop_voipms_a_challenge_without_qop_and_algorithm() -> None:
    """pjproject #3718: an Asterisk that speaks RFC 2069; the ACK of the 401 has the INVITE's branch, the new INVITE its own."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  401 tag=as1 WWW-Authenticate='Digest realm="voip.ms",nonce="5d1a" ' Server=voip.ms
        0.100  >  ACK branch=a cseq=1
        0.100  >  INVITE branch=b cseq=2
        0.200  <  100
        1.000  <  200 tag=as2 sdp
        1.000  >  ACK cseq=2
        1.000  *  Answered sdp
        """
    )
    authorization = script.last("INVITE").headers.get("Authorization") or ""
    assert 'nonce="5d1a"' in authorization
    assert "qop" not in authorization
    assert "cnonce" not in authorization


def test_interop_telekom_183_with_sdp_and_a_200_without() -> None:
    """sipsorcery #414: the PRACK goes to the Contact of the 183, and what the 183 said holds."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  183 tag=x sdp contact=sip:gw@192.0.2.9:5074;x=1 Require=100rel RSeq=71
        0.100  >  PRACK uri=sip:gw@192.0.2.9:5074;x=1 RAck="71 1 INVITE"
        0.100  *  Progress 183 sdp
        0.200  <  200 PRACK tag=x
        3.000  <  200 tag=x contact=sip:gw@192.0.2.9:5074;x=1
        3.000  >  ACK uri=sip:gw@192.0.2.9:5074;x=1
        3.000  *  Answered sdp
        """
    )


def test_interop_forking_ringback_of_one_and_the_answer_of_another() -> None:
    """pjproject #657, #1644: a 183 of the carrier's announcement server, a 200 with another To tag and another description."""
    script = Transcript()
    script.run(
        CALLING
        + """
        0.100  <  183 tag=ringback sdp at=announcement
        0.100  *  Progress 183 sdp
        3.000  <  200 tag=callee sdp at=callee
        3.000  >  ACK uri=sip:callee@192.0.2.9:5070
        3.000  *  Answered sdp
        9.000  <  BYE tag=callee
        9.000  >  200
        9.000  *  Ended bye
        9.000  *  over
        60.00  .
        """
    )
    assert script.last("ACK").to.tag == "callee"
    assert script.agent.idle


@pytest.mark.parametrize("status", [603, 607, 608, 666])
def test_interop_twilio_a_6xx_of_the_carrier_is_told_with_its_status(status: int) -> None:
    """livekit/sip #737: a carrier's fraud block is not the callee's decline; the status says which."""
    Transcript().run(
        CALLING
        + f"""
        0.200  <  {status} tag=x
        0.200  >  ACK branch=a
        0.200  *  Refused {status}
        0.200  *  over
        """
    )


def test_interop_failover_503_is_acknowledged_before_the_next_target() -> None:
    """freeswitch #2144; the next call is not poisoned (kamailio #4911): the target that failed only comes last."""
    script = Transcript(trunk=replace(TRUNK, host="sip.example.com"), addresses=("192.0.2.9", "192.0.2.10"))
    script.run(
        """
        0.000  !  invite
        0.000  >  INVITE branch=a
        0.100  <  503 tag=x
        0.100  >  ACK branch=a
        0.100  >  INVITE branch=b
        0.200  <  180 tag=y
        0.200  *  Progress 180
        """
    )
    requests = [message for message in script.sent if isinstance(message, Request) and message.method == "INVITE"]
    assert len({request.call_id for request in requests}) == 1
    assert len({target.host for target in script.targets}) == 2
