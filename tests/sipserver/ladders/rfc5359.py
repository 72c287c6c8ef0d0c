"""RFC 5359 (service examples): those in which we are one of the telephones of Alice, Bob and Carol.

What a proxy forwards, a softkey, or a parking server is not ours to do. The directions in the descriptions of a hold are checked in
`call/test_call_hold.py`, the music while it lasts in `call/test_call_transfers.py`.
"""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder
from tests.sipserver.ladders.rfc3665 import IS_HUNG_UP, TAKES

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
        "Transfer - Unattended, the transferor",
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
        "Alice",
        "Bob",
        """
        INVITE Bob -> Alice
        180 Ringing Alice -> Bob
        200 OK Alice -> Bob
        ACK Bob -> Alice
        REFER Bob -> Alice
        202 Accepted Alice -> Bob
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        BYE Bob -> Alice
        200 OK Alice -> Bob
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        """,
        TAKES
        + f"""
        3.000  <  REFER cseq=2 Refer-To=<{CAROL}> Referred-By=<sip:peer@192.0.2.9>
        3.000  *  Referred {CAROL}
        3.100  !  accept_refer
        3.100  >  202
        3.100  >  NOTIFY frag="100 Trying"
        3.200  <  200 NOTIFY tag=peer
        3.300  <  BYE cseq=3
        3.300  >  200
        3.300  *  Ended bye
        3.300  *  over
        6.000  !  notify_refer 200
        6.000  >  NOTIFY frag="200 OK" Subscription-State=terminated;reason=noresource
        6.100  <  200 NOTIFY tag=peer
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
)
