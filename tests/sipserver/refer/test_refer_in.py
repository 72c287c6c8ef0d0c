"""The peer asks us to transfer its call, on the time line: RFC 3515 section 2.4, RFC 5589 section 6, RFC 4488, RFC 5057."""

from __future__ import annotations

import pytest

from sipserver.message import Request
from sipserver.useragent.identity import ABLE
from tests.sipserver.transcripts import Transcript, user_agent

TARGET = "<sip:+12025550199@192.0.2.9>"


def called() -> Transcript:
    """A caller, whom we promise to fulfil its wish for a transfer, is talking to us since 0.010."""
    script = Transcript(user_agent(takes_refer=lambda source: True))
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.000  !  answer
        0.000  >  200 Allow="{ABLE.allow}, REFER"
        0.010  <  ACK
        0.010  *  Answered
        """
    )
    return script


def asked(script: Transcript, headers: str = "") -> None:
    """It has sent its REFER at 1.000."""
    script.run(
        f"""
        1.000  <  REFER cseq=2 Refer-To={TARGET} Referred-By=<sip:peer@192.0.2.9> contact=sip:moved@192.0.2.9:5070 {headers}
        1.000  *  Referred sip:+12025550199@192.0.2.9
        """
    )


def test_a_refer_that_is_fulfilled() -> None:
    script = called()
    asked(script)
    script.run(
        """
        1.100  !  accept_refer
        1.100  >  202 Contact=<sip:us@192.0.2.1:5060>
        1.100  >  NOTIFY cseq=1 uri=sip:moved@192.0.2.9:5070 frag="100 Trying" Event=refer Subscription-State=active;expires=180
        1.150  !  notify_refer 180          # waits for the answer, so that it cannot overtake
        1.160  !  notify_refer 183          # and only the latest counts
        1.200  <  200 NOTIFY
        1.200  >  NOTIFY cseq=2 frag="183 Session Progress" Subscription-State=active;expires=180
        1.300  <  200 NOTIFY
        4.000  !  notify_refer 200
        4.000  >  NOTIFY cseq=3 frag="200 OK" Subscription-State=terminated;reason=noresource
        4.050  !  notify_refer 486          # the last word has been given
        4.100  <  200 NOTIFY
        5.000  <  BYE cseq=3
        5.000  >  200
        5.000  *  Ended bye
        5.000  *  over
        999.00 .
        """
    )
    notify = script.last("NOTIFY")
    assert isinstance(notify, Request)
    assert notify.headers.get("content-type") == "message/sipfrag;version=2.0"
    assert notify.contacts[0].uri == "sip:us@192.0.2.1:5060"
    assert script.agent.idle


def test_a_refer_that_is_declined_and_a_second_one() -> None:
    script = called()
    asked(script)
    script.run(
        f"""
        1.050  <  REFER cseq=3 Refer-To={TARGET}
        1.050  >  491
        1.100  !  decline_refer
        1.100  >  603
        2.000  <  REFER cseq=4 Refer-To={TARGET}
        2.000  *  Referred sip:+12025550199@192.0.2.9
        2.000  !  accept_refer
        2.000  >  202
        2.000  >  NOTIFY cseq=1 Event=refer
        2.100  <  200 NOTIFY
        2.200  <  REFER cseq=5 Refer-To={TARGET}
        2.200  >  491
        3.000  !  notify_refer 486
        3.000  >  NOTIFY cseq=2 frag="486 Busy Here"
        3.100  <  200 NOTIFY
        4.000  <  REFER cseq=6 Refer-To={TARGET}
        4.000  *  Referred sip:+12025550199@192.0.2.9
        4.000  !  accept_refer
        4.000  >  202
        4.000  >  NOTIFY Event=refer;id=6       # only the first needs none (RFC 3515 section 2.4.6)
        4.100  <  200 NOTIFY
        """
    )


def test_the_peer_hangs_up_after_the_202_and_is_still_told() -> None:
    """Teams does so 300 ms after it; the subscription outlives the call (RFC 5057 section 4.1), or the peer says 481."""
    script = called()
    asked(script)
    script.run(
        """
        1.000  !  accept_refer
        1.000  >  202
        1.000  >  NOTIFY frag="100 Trying"
        1.050  <  200 NOTIFY
        1.300  <  BYE cseq=3
        1.300  >  200
        1.300  *  Ended bye
        1.300  *  over
        1.500  !  notify_refer 180
        1.500  >  NOTIFY frag="180 Ringing"
        1.600  <  481 NOTIFY
        2.000  !  notify_refer 200
        999.00 .
        """
    )
    assert script.agent.idle


@pytest.mark.parametrize(
    "ending",
    [
        "1.1 < BYE cseq=3\n1.1 > 200 method=BYE\n1.1 > 481 method=REFER\n1.1 * Ended bye\n1.1 * over",
        "1.1 ! hang_up\n1.1 > 481 method=REFER\n1.1 > BYE\n1.1 * over\n1.2 < 200 BYE",
    ],
)
def test_the_call_ends_before_the_refer_is_decided(ending: str) -> None:
    """The REFER gets its answer all the same; what its owner decides then comes too late."""
    script = called()
    asked(script)
    script.run(f"{ending}\n1.3 ! accept_refer\n1.3 ! decline_refer\n99 .")
    assert script.agent.idle


def test_a_peer_that_wants_no_subscription() -> None:
    """RFC 4488."""
    script = called()
    asked(script, "Refer-Sub=false Require=norefersub")
    script.run(
        """
        1.100  !  accept_refer
        1.100  >  202 Refer-Sub=false
        1.200  !  notify_refer 180
        2.000  !  notify_refer 200
        999.00 .
        """
    )


def test_a_call_without_an_outcome_ends_the_subscription() -> None:
    script = called()
    asked(script)
    script.run(
        """
        1.000  !  accept_refer
        1.000  >  202
        1.000  >  NOTIFY
        1.100  <  200 NOTIFY
        61.000 !  notify_refer 180
        61.000 >  NOTIFY Subscription-State=active;expires=120
        61.100 <  200 NOTIFY
        181.00 >  NOTIFY frag="180 Ringing" Subscription-State=terminated;reason=timeout
        181.10 <  200 NOTIFY
        182.00 !  notify_refer 200
        999.00 .
        """
    )


def test_an_attended_transfer_brings_the_dialog_to_be_replaced() -> None:
    """RFC 5589 section 7.1; other headers of the URI are dropped."""
    called().run(
        """
        1.000  <  REFER cseq=2 Refer-To="<sip:c@192.0.2.20;method=INVITE?Subject=x&Replaces=7%40h%3Bto-tag%3Dt%3Bfrom-tag%3Df>"
        1.000  *  Referred sip:c@192.0.2.20 replaces 7@h;to-tag=t;from-tag=f
        """
    )


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        ("", 400),
        ("Refer-To=", 400),
        ("Refer-To=<sip:a@b>,<sip:c@d>", 400),
        ("Refer-To=<sip:a@b> r=<sip:c@d>", 400),
        ("Refer-To=sip:a@b?Replaces=x", 400),
        ("Refer-To=<sip:a@b?Replaces=x>", 400),
        ("Refer-To=<sip:@@>", 400),
        ("Refer-To=<mailto:a@b>", 416),
        ("Refer-To=<http://a/>", 416),
        ("Refer-To=<sip:a@b;method=BYE>", 403),
        ("Refer-To=<sip:a@b> Referred-By=x Referred-By2=y b=<sip:c@d>", 400),
    ],
)
def test_a_refer_that_cannot_be_understood(refer_to: str, status: int) -> None:
    """RFC 3515 section 2.4.2: exactly one Refer-To."""
    called().run(
        f"""
        1.000  <  REFER cseq=2 {refer_to}
        1.000  >  {status}
        2.000  <  REFER cseq=3 Refer-To=<tel:+12025550199>
        2.000  *  Referred tel:+12025550199
        """
    )


def test_before_the_answer_there_is_nothing_to_be_transferred() -> None:
    Transcript().run(
        f"""
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.000  !  ring 180
        0.000  >  180
        0.100  <  REFER cseq=2 Refer-To={TARGET}
        0.100  >  491
        """
    )


def test_who_is_promised_nothing_may_ask_all_the_same() -> None:
    """Allow names REFER only where the trunk's policy takes it; the call decides, and declines."""
    assert {"replaces", "norefersub"} < set(ABLE.options)
    assert "NOTIFY" in ABLE.methods
    assert "REFER" not in ABLE.methods
    script = Transcript()
    script.run(
        f"""
        0.000  <  OPTIONS to=none
        0.000  >  200 Allow="{ABLE.allow}" Supported="{", ".join(ABLE.options)}"
        0.100  <  INVITE branch=a cseq=2 sdp
        0.100  >  100
        0.100  !  answer
        0.100  >  200 Allow="{ABLE.allow}"
        0.200  <  ACK cseq=2
        0.200  *  Answered
        1.000  <  REFER cseq=3 Refer-To={TARGET}
        1.000  *  Referred sip:+12025550199@192.0.2.9
        1.000  !  decline_refer
        1.000  >  603
        """
    )
