"""RFC 5359 (service examples): those in which we are one of the telephones of Alice, Bob and Carol.

2.4 was compared with the drawing in the last draft but one of the RFC, whose text was not at hand otherwise: the others are the
services as the RFCs of their parts have them (3261, 3264, 3515, 3891), and may differ from the drawings in who calls whom before
the service begins and in which proxies stand between. 2.5, as Carol, and 2.15, as Alice, are in `test_ladders.py`, since they name
dialogs; what is asked of us in 2.11, 2.17 and 2.18, and refused, is there as well.

Not ours: what a proxy forwards or forks (2.7 to 2.9, 2.12), a screening server (2.13, 2.14) or a parking server (2.15) does; 2.6,
in which a call of text messages is transferred; joining calls to a conference of ours (2.10 as Bob, 2.11); 2.16, the pickup of a call
of ours that still rings, which is refused (`call/test_call_replaced.py`); watching other people's dialogs (2.16, 2.17); and calls that a
REFER out of nowhere would have us place (2.18). The directions in the descriptions of a hold are checked in `call/test_call_hold.py`,
the music while it lasts in `call/test_call_transfers.py`.
"""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder
from tests.sipserver.ladders.rfc3665 import CALLS, IS_HUNG_UP, RINGS, TAKES

CAROL = "sip:carol@192.0.2.20"

SERVICES = (
    Ladder(
        "2.1",
        "Call Hold, the one who is held",
        "Alice",
        "Bob",
        """
        INVITE Bob -> Alice
        180 Ringing Alice -> Bob
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        BYE Bob -> Alice
        200 OK Alice -> Bob
        """,
        TAKES
        + """
        3.000  <  INVITE re branch=hold cseq=2 sdp
        3.000  >  100
        3.000  *  Offered sdp
        3.000  !  accept
        3.000  >  200
        3.100  <  ACK cseq=2
        6.000  <  INVITE re branch=unhold cseq=3 sdp
        6.000  >  100
        6.000  *  Offered sdp
        6.000  !  accept
        6.000  >  200
        6.100  <  ACK cseq=3
        """
        + IS_HUNG_UP.replace("cseq=2", "cseq=4"),
    ),
    Ladder(
        "2.1",
        "Call Hold, the one who holds",
        "Bob",
        "Alice",
        """
        INVITE Alice -> Bob
        180 Ringing Bob -> Alice
        200 OK Bob -> Alice
        ACK Alice -> Bob
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        """,
        TAKES
        + """
        3.000  !  offer
        3.000  >  INVITE cseq=1
        3.100  <  200 tag=peer sdp
        3.100  >  ACK cseq=1
        3.100  *  OfferAnswered sdp
        6.000  !  offer
        6.000  >  INVITE cseq=2
        6.100  <  200 tag=peer sdp
        6.100  >  ACK cseq=2
        6.100  *  OfferAnswered sdp
        """
        + IS_HUNG_UP,
    ),
    Ladder(
        "2.2",
        "Consultation Hold, the one who is left waiting while Bob calls Carol",
        "Alice",
        "Bob",
        """
        INVITE Bob -> Alice
        180 Ringing Alice -> Bob
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        """,
        TAKES
        + """
        3.000  <  INVITE re branch=hold cseq=2 sdp
        3.000  >  100
        3.000  *  Offered sdp
        3.000  !  accept
        3.000  >  200
        3.100  <  ACK cseq=2
        40.00  <  INVITE re branch=unhold cseq=3 sdp
        40.00  >  100
        40.00  *  Offered sdp
        40.00  !  accept
        40.00  >  200
        40.10  <  ACK cseq=3
        50.00  !  hang_up
        50.00  >  BYE
        50.00  *  over
        50.10  <  200 BYE tag=peer
        99.00  .
        """,
    ),
    Ladder(
        "2.3",
        "Music on Hold, the one who hears it: a re-INVITE without a description brings ours, its ACK the music's",
        "Alice",
        "Bob",
        """
        INVITE Bob -> Alice
        180 Ringing Alice -> Bob
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        BYE Bob -> Alice
        200 OK Alice -> Bob
        """,
        TAKES
        + """
        3.000  <  INVITE re branch=music cseq=2
        3.000  >  100
        3.000  *  Offered
        3.000  !  accept
        3.000  >  200 Content-Type=application/sdp
        3.100  <  ACK cseq=2 sdp
        3.100  *  Answered sdp
        6.000  <  INVITE re branch=unhold cseq=3 sdp
        6.000  >  100
        6.000  *  Offered sdp
        6.000  !  accept
        6.000  >  200
        6.100  <  ACK cseq=3
        """
        + IS_HUNG_UP.replace("cseq=2", "cseq=4"),
    ),
    Ladder(
        "2.4",
        "Transfer - Unattended, the transferor that hangs up first: its 481 ends the subscription, as the RFC says beside the drawing",
        "Alice",
        "Bob",
        """
        INVITE Bob -> Alice
        180 Ringing Alice -> Bob
        200 OK Alice -> Bob
        ACK Bob -> Alice
        REFER Alice -> Bob
        202 Accepted Bob -> Alice
        NOTIFY Bob -> Alice
        200 OK Alice -> Bob
        BYE Alice -> Bob
        200 OK Bob -> Alice
        NOTIFY Bob -> Alice
        481 Call/Transaction Does Not Exist Alice -> Bob
        """,
        TAKES
        + f"""
        3.000  !  refer {CAROL}
        3.000  >  REFER cseq=1 Refer-To="<{CAROL}>"
        3.100  <  202 REFER
        3.100  *  ReferProgress 100 Accepted
        3.200  <  NOTIFY cseq=2 Event=refer state=active;expires=60 frag="100 Trying"
        3.200  >  200
        3.200  *  ReferProgress 100 Trying
        3.300  !  hang_up
        3.300  >  BYE cseq=2
        3.300  *  over
        3.400  <  200 BYE tag=peer
        6.000  <  NOTIFY cseq=3 Event=refer state=terminated;reason=noresource frag="200 OK"
        6.000  >  481
        99.00  .
        """,
    ),
    Ladder(
        "2.4",
        "Transfer - Unattended, the transferor that stays to learn what came of it (RFC 5589 section 6.1)",
        "Bob",
        "Alice",
        """
        INVITE Alice -> Bob
        180 Ringing Bob -> Alice
        200 OK Bob -> Alice
        ACK Alice -> Bob
        REFER Bob -> Alice
        202 Accepted Alice -> Bob
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        BYE Bob -> Alice
        200 OK Alice -> Bob
        """,
        TAKES
        + f"""
        3.000  !  refer {CAROL}
        3.000  >  REFER cseq=1 Refer-To="<{CAROL}>"
        3.100  <  202 REFER
        3.100  *  ReferProgress 100 Accepted
        3.200  <  NOTIFY cseq=2 Event=refer state=active;expires=60 frag="100 Trying"
        3.200  >  200
        3.200  *  ReferProgress 100 Trying
        6.000  <  NOTIFY cseq=3 Event=refer state=terminated;reason=noresource frag="200 OK"
        6.000  >  200
        6.000  *  ReferProgress 200 OK final
        6.100  !  hang_up
        6.100  >  BYE cseq=2
        6.100  *  over
        6.200  <  200 BYE tag=peer
        99.00  .
        """,
    ),
    Ladder(
        "2.4",
        "Transfer - Unattended, the transferee (its second INVITE is a leg of its own)",
        "Bob",
        "Alice",
        """
        INVITE Bob -> Alice
        180 Ringing Alice -> Bob
        200 OK Alice -> Bob
        ACK Bob -> Alice
        REFER Alice -> Bob
        202 Accepted Bob -> Alice
        NOTIFY Bob -> Alice
        200 OK Alice -> Bob
        BYE Alice -> Bob
        200 OK Bob -> Alice
        NOTIFY Bob -> Alice
        200 OK Alice -> Bob
        """,
        CALLS
        + f"""
        0.100  <  180 tag=x
        0.100  *  Progress 180
        2.000  <  200 tag=x sdp
        2.000  >  ACK cseq=1
        2.000  *  Answered sdp
        3.000  <  REFER tag=x cseq=1 Refer-To=<{CAROL}> Referred-By=<sip:peer@192.0.2.9>
        3.000  *  Referred {CAROL}
        3.100  !  accept_refer
        3.100  >  202
        3.100  >  NOTIFY frag="100 Trying"
        3.200  <  200 NOTIFY tag=x
        3.300  <  BYE tag=x cseq=2
        3.300  >  200
        3.300  *  Ended bye
        3.300  *  over
        6.000  !  notify_refer 200
        6.000  >  NOTIFY frag="200 OK" Subscription-State=terminated;reason=noresource
        6.100  <  200 NOTIFY tag=x
        99.00  .
        """,
    ),
    Ladder(
        "2.5",
        "Transfer - Attended, the transferor towards the transferee: Refer-To names the dialog with Carol",
        "Bob",
        "Alice",
        """
        INVITE Alice -> Bob
        180 Ringing Bob -> Alice
        200 OK Bob -> Alice
        ACK Alice -> Bob
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        REFER Bob -> Alice
        202 Accepted Alice -> Bob
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        BYE Bob -> Alice
        200 OK Alice -> Bob
        """,
        TAKES
        + f"""
        3.000  !  offer
        3.000  >  INVITE cseq=1
        3.100  <  200 tag=peer sdp
        3.100  >  ACK cseq=1
        3.100  *  OfferAnswered sdp
        6.000  !  refer {CAROL} 425928@carol;to-tag=7553452;from-tag=31431
        6.000  >  REFER cseq=2 Refer-To="<{CAROL}?Replaces=425928%40carol%3Bto-tag%3D7553452%3Bfrom-tag%3D31431>"
        6.100  <  202 REFER
        6.100  *  ReferProgress 100 Accepted
        6.200  <  NOTIFY cseq=2 Event=refer state=active;expires=60 frag="100 Trying"
        6.200  >  200
        6.200  *  ReferProgress 100 Trying
        8.000  <  NOTIFY cseq=3 Event=refer state=terminated;reason=noresource frag="200 OK"
        8.000  >  200
        8.000  *  ReferProgress 200 OK final
        8.100  !  hang_up
        8.100  >  BYE cseq=3
        8.100  *  over
        8.200  <  200 BYE tag=peer
        99.00  .
        """,
    ),
    Ladder(
        "2.7",
        "Call Forwarding Unconditional, the caller: the proxy tells of it and goes on",
        "Alice",
        "Proxy",
        """
        INVITE Alice -> Proxy
        100 Trying Proxy -> Alice
        181 Call Is Being Forwarded Proxy -> Alice
        180 Ringing Proxy -> Alice
        200 OK Proxy -> Alice
        ACK Alice -> Proxy
        BYE Alice -> Proxy
        200 OK Proxy -> Alice
        """,
        """
        0.000  !  invite
        0.000  >  INVITE cseq=1
        0.010  <  100
        0.050  <  181 tag=p
        0.050  *  Progress 181
        0.100  <  180 tag=x
        0.100  *  Progress 180
        2.000  <  200 tag=x sdp
        2.000  >  ACK cseq=1
        2.000  *  Answered sdp
        9.000  !  hang_up
        9.000  >  BYE
        9.000  *  over
        9.100  <  200 BYE
        60.00  .
        """,
    ),
    Ladder(
        "2.8",
        "Call Forwarding - Busy, the one who is busy",
        "Bob",
        "Proxy",
        """
        INVITE Proxy -> Bob
        486 Busy Here Bob -> Proxy
        ACK Proxy -> Bob
        """,
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.100  !  reject 486
        0.100  >  486
        0.100  *  over
        0.200  <  ACK branch=a
        60.00  .
        """,
    ),
    Ladder(
        "2.9",
        "Call Forwarding - No Answer, the caller: two telephones ring, one after the other, and the second answers",
        "Alice",
        "Proxy",
        """
        INVITE Alice -> Proxy
        100 Trying Proxy -> Alice
        180 Ringing Proxy -> Alice
        181 Call Is Being Forwarded Proxy -> Alice
        180 Ringing Proxy -> Alice
        200 OK Proxy -> Alice
        ACK Alice -> Proxy
        (BYE Proxy -> Alice)
        (200 OK Alice -> Proxy)
        """,
        CALLS
        + """
        0.010  <  100
        0.100  <  180 tag=bob
        0.100  *  Progress 180
        20.00  <  181 tag=proxy
        20.00  *  Progress 181
        20.10  <  180 tag=carol
        20.10  *  Progress 180
        25.00  <  200 tag=carol sdp
        25.00  >  ACK cseq=1 To=<sip:+12025550123@192.0.2.9:5070>;tag=carol
        25.00  *  Answered sdp
        30.00  <  BYE tag=carol
        30.00  >  200
        30.00  *  Ended bye
        30.00  *  over
        99.00  .
        """,
    ),
    Ladder(
        "2.9",
        "Call Forwarding - No Answer, the one who does not answer",
        "Bob",
        "Proxy",
        """
        INVITE Proxy -> Bob
        180 Ringing Bob -> Proxy
        CANCEL Proxy -> Bob
        200 OK Bob -> Proxy
        487 Request Terminated Bob -> Proxy
        ACK Proxy -> Bob
        """,
        """
        0.000  <  INVITE branch=a sdp
        0.000  >  100
        0.100  !  ring 180
        0.100  >  180
        20.00  <  CANCEL branch=a to=none
        20.00  >  200 method=CANCEL
        20.00  >  487 method=INVITE
        20.00  *  Ended cancel
        20.00  *  over
        20.10  <  ACK branch=a
        90.00  .
        """,
    ),
    Ladder(
        "2.10",
        "3-Way Conference - Third Party Is Added, the one who is put on hold and then mixed: the focus is the new target",
        "Alice",
        "Bob",
        """
        INVITE Bob -> Alice
        180 Ringing Alice -> Bob
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        (BYE Alice -> Bob)
        (200 OK Bob -> Alice)
        """,
        TAKES
        + """
        3.000  <  INVITE re branch=hold cseq=2 sdp
        3.000  >  100
        3.000  *  Offered sdp
        3.000  !  accept
        3.000  >  200
        3.100  <  ACK cseq=2
        9.000  <  INVITE re branch=mixed cseq=3 sdp contact=sip:conference@192.0.2.9:6060
        9.000  >  100
        9.000  *  Offered sdp
        9.000  !  accept
        9.000  >  200
        9.100  <  ACK cseq=3
        20.00  !  hang_up
        20.00  >  BYE uri=sip:conference@192.0.2.9:6060
        20.00  *  over
        20.10  <  200 BYE tag=peer
        60.00  .
        """,
    ),
    Ladder(
        "2.12",
        "Find-Me, the caller: several places ring, and the last of them answers",
        "Alice",
        "Proxy",
        """
        INVITE Alice -> Proxy
        100 Trying Proxy -> Alice
        180 Ringing Proxy -> Alice
        180 Ringing Proxy -> Alice
        200 OK Proxy -> Alice
        ACK Alice -> Proxy
        (BYE Proxy -> Alice)
        (200 OK Alice -> Proxy)
        """,
        CALLS
        + """
        0.010  <  100
        0.100  <  180 tag=desk
        0.100  *  Progress 180
        10.00  <  180 tag=home
        10.00  *  Progress 180
        20.00  <  200 tag=voicemail sdp
        20.00  >  ACK cseq=1
        20.00  *  Answered sdp
        30.00  <  BYE tag=voicemail
        30.00  >  200
        30.00  *  Ended bye
        30.00  *  over
        99.00  .
        """,
    ),
    Ladder(
        "2.12",
        "Find-Me, one of the places: it rings until another is tried",
        "Bob",
        "Proxy",
        """
        INVITE Proxy -> Bob
        180 Ringing Bob -> Proxy
        CANCEL Proxy -> Bob
        200 OK Bob -> Proxy
        487 Request Terminated Bob -> Proxy
        ACK Proxy -> Bob
        """,
        RINGS
        + """
        10.00  <  CANCEL branch=a to=none
        10.00  >  200 method=CANCEL
        10.00  >  487 method=INVITE
        10.00  *  Ended cancel
        10.00  *  over
        10.10  <  ACK branch=a
        60.00  .
        """,
    ),
    Ladder(
        "2.13",
        "Call Management (Incoming Call Screening), the caller who is not let through; 2.14, by its own side, looks the same",
        "Alice",
        "Proxy",
        """
        INVITE Alice -> Proxy
        403 Forbidden Proxy -> Alice
        ACK Alice -> Proxy
        """,
        CALLS
        + """
        0.100  <  403 tag=p
        0.100  >  ACK branch=a cseq=1
        0.100  *  Refused 403
        0.100  *  over
        60.00  .
        """,
    ),
)
