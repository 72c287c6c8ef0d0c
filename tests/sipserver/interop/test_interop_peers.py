"""What PBXs and proxies do (see docs/interop.md, one test per line that no other test holds), as transcripts."""

from __future__ import annotations

import pytest

from sipserver.message import Request
from tests.sipserver.midcall.dialogs import called, calling
from tests.sipserver.transcripts import Transcript, user_agent

SUMMARY = "Messages-Waiting: yes"


def test_interop_asterisk_notice_of_waiting_messages_after_register() -> None:
    """siphon-ai #486: unsolicited, with or without a Subscription-State: 200, neither 489 nor 481."""
    script = Transcript()
    script.run(
        f"""
        0.000  <  NOTIFY to=none Event=message-summary Content-Type=application/simple-message-summary body="{SUMMARY}"
        0.000  >  200
        0.100  <  NOTIFY to=none cseq=2 Event=message-summary state=active Content-Type=application/simple-message-summary
        0.100  >  200
        60.00  .
        """
    )
    assert script.agent.idle


def test_interop_asterisk_qualify_is_answered_to_our_contact() -> None:
    """sipdroid #109, jigasi #317: OPTIONS to the Contact as we gave it, each 60 s, in or outside of a call."""
    script = called()
    ok = script.last("200")
    uri = ok.contacts[0].uri
    script.run(
        f"""
        1.000  <  OPTIONS cseq=2 uri={uri}
        1.000  >  200
        2.000  <  OPTIONS to=none call=qualify uri={uri}
        2.000  >  200 Contact=<{uri}>
        61.00  <  OPTIONS to=none cseq=2 call=qualify uri={uri}
        61.00  >  200 Contact=<{uri}>
        """
    )


def test_interop_asterisk_direct_media_moves_the_media_and_the_contact() -> None:
    """hass-sip #47, livekit/sip #96, #582: a re-INVITE is an offer in its call, known by the To tag, and no new call."""
    script = called()
    leg = script.leg
    script.run(
        """
        1.000  <  INVITE re branch=r cseq=2 sdp contact=sip:phone@192.0.2.33:5060
        1.000  >  100
        1.000  *  Offered sdp
        1.000  !  accept
        1.000  >  200 Content-Type=application/sdp
        1.100  <  ACK cseq=2
        2.000  !  hang_up
        2.000  *  over
        2.000  >  BYE uri=sip:phone@192.0.2.33:5060
        2.100  <  200 BYE tag=peer
        """
    )
    assert script.leg is leg


def test_interop_freeswitch_a_fax_is_refused_and_the_call_goes_on() -> None:
    """freeswitch #2436: a T.38 re-INVITE gets 488 from the call; the dialog is as it was, and is hung up as ever."""
    called().run(
        """
        1.000  <  INVITE re branch=r cseq=2 sdp
        1.000  >  100
        1.000  *  Offered sdp
        1.000  !  decline 488
        1.000  >  488
        1.100  <  ACK branch=r cseq=2
        5.000  <  OPTIONS cseq=3
        5.000  >  200
        9.000  <  BYE cseq=4
        9.000  >  200
        9.000  *  Ended bye
        9.000  *  over
        60.00  .
        """
    )


def test_interop_cucm_late_offer_and_an_ack_without_an_answer() -> None:
    """livekit/sip #402, siphon-ai #190, #497: our offer is in the 200; an ACK without a description is told at once."""
    Transcript().run(
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.000  !  answer
        0.000  >  200 Content-Type=application/sdp
        0.100  <  ACK
        0.100  *  Answered
        0.100  !  hang_up
        0.100  *  over
        0.100  >  BYE
        0.200  <  200 BYE
        60.00  .
        """
    )


def test_interop_livekit_a_header_that_nobody_knows_changes_nothing() -> None:
    """livekit/sip #251."""
    Transcript().run(
        """
        0.000  <  INVITE branch=a sdp P-Charging-Vector='icid-value="1;2,3"; orig-ioi=home1.net' History-Info='<sip:a@b>;index=1'
        0.000  >  100
        0.000  !  reject 486
        0.000  >  486
        0.000  *  over
        0.100  <  ACK branch=a
        """
    )


def test_interop_livekit_no_ack_to_the_answer_of_a_bye() -> None:
    """livekit/sip #745, #625: and the BYE follows a REFER that was taken, with the next number."""
    script = calling()
    script.run(
        """
        1.000  !  refer sip:+12025550199@192.0.2.9
        1.000  >  REFER cseq=2
        1.100  <  202 REFER
        1.100  *  ReferProgress 100 Accepted
        2.000  !  hang_up
        2.000  >  BYE cseq=3
        2.000  *  over
        2.100  <  200 BYE
        60.00  .
        """
    )
    assert script.agent.idle


def test_interop_siphon_each_request_in_a_dialog_has_a_number_and_the_routes() -> None:
    """siphon-ai #354, #490, #349: our refresh, our offer, our BYE: rising numbers, the route set in each."""
    route = "sip:192.0.2.9:5070;lr"
    script = called(f"rr={route} Supported=timer Session-Expires=90;refresher=uas Allow=UPDATE,INVITE,ACK,BYE")
    script.run(
        f"""
        45.00  >  UPDATE cseq=1 Route=<{route}>
        45.10  <  200 UPDATE tag=peer Session-Expires=90;refresher=uac Require=timer
        50.00  !  offer
        50.00  >  INVITE cseq=2 Route=<{route}>
        50.10  <  200 tag=peer sdp Session-Expires=90;refresher=uac Require=timer
        50.10  >  ACK cseq=2 Route=<{route}>
        50.10  *  OfferAnswered sdp
        60.00  !  hang_up
        60.00  *  over
        60.00  >  BYE cseq=3 Route=<{route}>
        60.10  <  200 BYE tag=peer
        """
    )


def test_interop_teams_the_transferor_leaves_after_the_202() -> None:
    """siphon-sip #70, #220: Allow names REFER and NOTIFY to whom transfers are promised; BYE 300 ms after the 202 ends this leg."""
    script = Transcript(user_agent(takes_refer=lambda source: True))
    script.run("0 < OPTIONS to=none\n0 > 200")
    allow = script.last("200").headers.get("Allow") or ""
    assert {"REFER", "NOTIFY"} <= set(allow.replace(" ", "").split(","))
    script.run(
        """
        1.000  <  INVITE branch=a cseq=2 call=c2 sdp
        1.000  >  100
        1.000  !  answer
        1.000  >  200
        1.100  <  ACK cseq=2 call=c2
        1.100  *  Answered
        2.000  <  REFER cseq=3 call=c2 Refer-To=<sip:+12025550199@192.0.2.9>
        2.000  *  Referred sip:+12025550199@192.0.2.9
        2.000  !  accept_refer
        2.000  >  202
        2.000  >  NOTIFY frag="100 Trying"
        2.100  <  200 NOTIFY
        2.300  <  BYE cseq=4 call=c2
        2.300  >  200
        2.300  *  Ended bye
        2.300  *  over
        4.000  !  notify_refer 200
        4.000  >  NOTIFY frag="200 OK"
        4.100  <  481 NOTIFY
        99.00  .
        """
    )
    assert script.agent.idle


@pytest.mark.parametrize("uri", ["sip:anonymous@anonymous.invalid", "sip:unknown@unknown.invalid"])
def test_interop_a_caller_without_a_number(uri: str) -> None:
    """voipmonitor #81, wazo #703: the host of an anonymous From is looked up by nobody; our BYE goes to the Contact."""
    script = Transcript()
    request = script._request("INVITE", {"sdp"}, {"branch": "a"})
    request.headers.set("From", f'"Anonymous" <{uri}>;tag=peer')
    script.agent.receive(bytes(request), script.source, 0.0)
    script.run(
        """
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.100  <  ACK
        0.100  *  Answered
        1.000  !  hang_up
        1.000  *  over
        1.000  >  BYE uri=sip:peer@192.0.2.9:5070
        1.100  <  200 BYE tag=peer
        """
    )
    bye = script.last("BYE")
    assert isinstance(bye, Request)
    assert bye.to.uri == uri
