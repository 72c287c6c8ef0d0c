"""We ask the peer to transfer its call, on the time line: RFC 3515, RFC 5589 section 6, RFC 6665, RFC 4488."""

from __future__ import annotations

import shlex

import pytest

from sipserver.message import MessageError, Request, reason_of
from sipserver.referto import ReferTo
from sipserver.replaces import DialogName, Replaces
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


def test_who_takes_the_refer_may_have_moved() -> None:
    """The Contact of the 202, and later that of a NOTIFY, is where our requests go (RFC 6665 sections 4.1.2 and 4.2.2, RFC 5057)."""
    script = called()
    script.run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER uri=sip:peer@192.0.2.9:5070
        1.100  <  202 REFER contact=sip:moved@192.0.2.9:5071
        1.100  *  ReferProgress 100 Accepted
        1.150  !  offer
        1.150  >  INVITE uri=sip:moved@192.0.2.9:5071
        1.160  <  488 INVITE
        1.160  >  ACK uri=sip:moved@192.0.2.9:5071
        1.160  *  OfferRefused 488
        1.200  <  NOTIFY cseq=2 contact=sip:again@192.0.2.9:5072 Event=refer state=terminated;reason=noresource frag="200 OK"
        1.200  >  200 method=NOTIFY
        1.200  *  ReferProgress 200 OK final
        1.300  !  hang_up transferred
        1.300  >  BYE uri=sip:again@192.0.2.9:5072
        1.300  *  over
        1.400  <  200 BYE
        99.000 .
        """
    )


def test_what_cannot_be_referred_to_is_an_error_and_nothing_is_sent() -> None:
    script = called()
    for target in ("mailto:a@b", "sip:a@b?Subject=x", "sip:a b", "nonsense", "sip:a@b\r\nX: y"):
        with pytest.raises(MessageError):
            script.leg and script.leg.refers.refer(ReferTo(target), None)
    script.run("1.000 .")


def test_a_transfer_that_fails_leaves_the_call() -> None:
    """RFC 5589 section 6.2: NOTIFY 486, and the call can be transferred again and goes on."""
    script = called()
    script.run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  202 REFER
        1.100  *  ReferProgress 100 Accepted
        1.200  !  refer {TARGET}            # one at a time
        2.000  <  NOTIFY cseq=2 Event=refer state=terminated;reason=noresource frag="486 Busy Here"
        2.000  >  200
        2.000  *  ReferProgress 486 Busy Here final
        2.100  <  NOTIFY cseq=3 Event=refer state=terminated;reason=noresource frag="200 OK"
        2.100  >  481
        3.000  !  refer tel:+12025550199
        3.000  >  REFER cseq=2 Refer-To=<tel:+12025550199>
        3.100  <  200 REFER                     # as good as 202
        3.100  *  ReferProgress 100 Accepted
        3.200  <  NOTIFY cseq=4 Event=refer;id=1 state=active frag="200 OK"
        3.200  >  481                           # of the first one
        3.300  <  NOTIFY cseq=5 Event=refer;id=2 state=active frag="603"
        3.300  >  200
        3.300  *  ReferProgress 603 Decline final
        3.400  <  NOTIFY cseq=6 Event=refer;id=2 state=terminated frag="603"
        3.400  >  200
        9.000  <  BYE cseq=7
        9.000  >  200
        9.000  *  Ended bye
        9.000  *  over
        99.000 .
        """
    )
    assert script.referring == [True, False, True]
    assert script.agent.idle


@pytest.mark.parametrize("status", [301, 403, 405, 420, 501, 603])
def test_a_refer_that_is_refused(status: int) -> None:
    script = called()
    script.run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  {status} REFER
        """.rstrip()
        + f"\n1.100 * ReferProgress {status} {reason_of(status)} final\n2.000 < OPTIONS cseq=2\n2.000 > 200"
    )


def script_reason(status: int) -> str:
    """The reason phrase of the answers that transcripts send."""
    return reason_of(status)


def test_a_peer_that_does_not_know_the_call_loses_it() -> None:
    """RFC 3261 section 12.2.1.2."""
    called().run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  481 REFER
        1.100  *  ReferProgress 481 Call/Transaction Does Not Exist final
        1.100  *  Ended lost
        1.100  *  over
        1.100  >  BYE
        1.200  <  481 BYE
        99.000 .
        """
    )


def test_nobody_answers_the_refer_and_the_call_goes_on() -> None:
    script = Transcript(transport="tcp")
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp contact="sip:peer@192.0.2.9:5070;transport=tcp"
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.010  <  ACK
        0.010  *  Answered
        1.000  !  refer {TARGET}
        1.000  >  REFER
        33.000 *  ReferProgress 408 No answer came final
        34.000 <  OPTIONS cseq=2
        34.000 >  200
        """
    )


def test_no_notify_within_timer_n_and_none_after_the_subscription_ran_out() -> None:
    """RFC 6665 section 4.1.2.4: 64*T1 after the 202; then as long as the subscription says, between that and 300 s."""
    for first, end in ((None, 33.1), ("active;expires=60", 92.0), ("active", 212.0), ("active;expires=7200", 332.0)):
        script = called()
        script.run(
            f"""
            1.000  !  refer {TARGET}
            1.000  >  REFER
            1.100  <  202 REFER
            1.100  *  ReferProgress 100 Accepted
            """
        )
        if first is not None:
            script.run(f"32 < NOTIFY cseq=2 Event=refer state={first}\n32 > 200")
        script.run(
            f"""
            {end:.3f} *  ReferProgress 408 The peer told no outcome final
            {end + 1:.3f} <  NOTIFY cseq=3 Event=refer state=active frag="200 OK"
            {end + 1:.3f} >  481
            """
        )


@pytest.mark.parametrize(
    ("notify", "answer", "outcome"),
    [
        ("state=terminated;reason=noresource", 200, "202 Accepted, and the peer does not tell the outcome"),
        ('state=terminated frag="100 Trying"', 200, "202 Accepted, and the peer does not tell the outcome"),
        ("state=Terminated;Reason=Rejected", 200, "603 Declined"),
        ("state=terminated;reason=timeout", 200, "408 Request Timeout"),
        ("state=terminated;reason=giveup", 200, "408 Request Timeout"),
        ("state=terminated frag=nonsense", 400, "202 Accepted, and the peer does not tell the outcome"),
        ('frag="200 OK"', 200, "200 OK"),
        ('state=pending frag="503 Service Unavailable"', 200, "503 Service Unavailable"),
    ],
)
def test_how_a_subscription_may_end(notify: str, answer: int, outcome: str) -> None:
    called().run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  202 REFER
        1.100  *  ReferProgress 100 Accepted
        1.200  <  NOTIFY cseq=2 Event=refer {notify}
        1.200  >  {answer}
        1.200  *  ReferProgress {outcome} final
        99.000 .
        """
    )


def test_malformed_notifies_change_nothing() -> None:
    called().run(
        f"""
        0.900  <  NOTIFY cseq=2 Event=refer state=active frag="200 OK"
        0.900  >  481                                                   # before there is a REFER
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  202 REFER
        1.100  *  ReferProgress 100 Accepted
        1.200  <  NOTIFY cseq=3 Event=refer state=active frag="999 What"
        1.200  >  400
        1.300  <  NOTIFY cseq=4 Event=refer state=a/b
        1.300  >  400
        1.400  <  NOTIFY cseq=5 Event=dialog state=active
        1.400  >  489 Allow-Events="refer, message-summary"
        1.500  <  NOTIFY cseq=6 Event=message-summary state=active
        1.500  >  200
        1.600  <  NOTIFY cseq=7 Event=refer state=active Content-Type=text/plain
        1.600  >  415
        1.700  <  NOTIFY cseq=8 Event=refer state=active
        1.700  >  200
        2.000  <  NOTIFY cseq=9 Event=refer state=terminated frag="200 OK"
        2.000  >  200
        2.000  *  ReferProgress 200 OK final
        """
    )


def test_a_notify_that_overtakes_the_202() -> None:
    """RFC 6665 section 4.1.2.4: it makes the subscription; what the REFER itself is answered then says nothing more."""
    called().run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  NOTIFY cseq=2 Event=refer state=active frag="100 Trying"
        1.100  >  200
        1.100  *  ReferProgress 100 Trying
        1.200  <  202 REFER
        1.300  <  NOTIFY cseq=3 Event=refer state=terminated frag="200 OK"
        1.300  >  200
        1.300  *  ReferProgress 200 OK final
        99.000 .
        """
    )


def test_a_peer_without_subscriptions() -> None:
    """RFC 4488: `Refer-Sub: false` in the answer, and no NOTIFY."""
    called().run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  202 REFER Refer-Sub=false
        1.100  *  ReferProgress 202 Accepted, and the peer tells no progress final
        99.000 .
        """
    )


@pytest.mark.parametrize("notified", [False, True])
def test_the_peer_hangs_up_when_it_has_taken_the_refer(notified: bool) -> None:
    """It is the transferee's right, and trunks do it at once; how the transfer ended nobody tells then."""
    script = called()
    script.run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  202 REFER
        1.100  *  ReferProgress 100 Accepted
        """
    )
    if notified:
        script.run(
            '1.2 < NOTIFY cseq=2 Event=refer state=active frag="180 Ringing"\n1.2 > 200\n1.2 * ReferProgress 180 Ringing'
        )
    script.run(
        """
        1.400  <  BYE cseq=3
        1.400  >  200
        1.400  *  ReferProgress 202 The peer hung up before it told the outcome final
        1.400  *  Ended bye
        1.400  *  over
        1.500  <  NOTIFY cseq=4 Event=refer state=terminated frag="200 OK"
        1.500  >  481
        99.000 .
        """
    )
    assert script.agent.idle


def test_refer_and_bye_cross() -> None:
    """RFC 5407, in the mortal state: the peer hung up before our REFER reached it, and answers 481."""
    script = called()
    script.run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.010  <  BYE cseq=2
        1.010  >  200
        1.010  *  ReferProgress 481 The call ended before the REFER was answered final
        1.010  *  Ended bye
        1.010  *  over
        1.100  <  481 REFER
        1.200  !  refer {TARGET}
        99.000 .
        """
    )
    assert script.referring == [True, False]
    assert script.agent.idle


def test_our_bye_and_a_notify_cross() -> None:
    script = called()
    script.run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  202 REFER
        1.100  *  ReferProgress 100 Accepted
        1.200  !  hang_up
        1.200  >  BYE
        1.200  *  over
        1.210  <  NOTIFY cseq=2 Event=refer state=active frag="180 Ringing"
        1.210  >  481
        1.300  <  200 BYE
        1.310  <  NOTIFY cseq=3 Event=refer state=terminated frag="200 OK"
        1.310  >  481
        99.000 .
        """
    )
    assert script.agent.idle


def test_a_refer_on_a_call_of_ours_answers_the_trunks_challenge() -> None:
    """The NOTIFYs then may name the CSeq of the REFER that was accepted (RFC 3515 section 2.4.6)."""
    script = Transcript()
    script.run(
        f"""
        0.000  !  invite
        0.000  >  INVITE
        0.100  !  refer {TARGET}                # there is no call yet
        0.200  <  200 tag=x sdp
        0.200  >  ACK
        0.200  *  Answered sdp
        1.000  !  refer {TARGET}
        1.000  >  REFER cseq=2
        1.100  <  407 REFER challenge
        1.100  >  REFER cseq=3 uri=sip:callee@192.0.2.9:5070
        1.200  <  202 REFER
        1.200  *  ReferProgress 100 Accepted
        1.300  <  NOTIFY tag=x cseq=1 Event=refer;id=3 state=terminated;reason=noresource frag="200 OK"
        1.300  >  200
        1.300  *  ReferProgress 200 OK final
        """
    )
    assert "proxy-authorization" in script.last("REFER").headers
    assert script.referring == [False, True]


def test_a_challenge_in_a_callers_dialog_gets_no_credentials() -> None:
    called().run(
        f"""
        1.000  !  refer {TARGET}
        1.000  >  REFER
        1.100  <  407 REFER challenge
        1.100  *  ReferProgress 407 Proxy Authentication Required final
        """
    )


def test_an_attended_transfer_names_the_dialog_at_the_target() -> None:
    """RFC 5589 section 7.1: the target's own view of the dialog, escaped."""
    script = called()
    target = DialogName("7@192.0.2.1", "ours", "theirs")
    script.run(
        f"""
        1.000  !  refer sip:agent@192.0.2.20 {shlex.quote(str(Replaces.at_peer(target)))}
        1.000  >  REFER Refer-To=<sip:agent@192.0.2.20?Replaces=7%40192.0.2.1%3Bto-tag%3Dtheirs%3Bfrom-tag%3Dours>
        """
    )
    with pytest.raises(MessageError):
        str(ReferTo("tel:+12025550199", Replaces.at_peer(target)))
