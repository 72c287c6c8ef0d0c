"""RFC 5359, calls that change hands: transfers (2.4 to 2.6), and the call that is parked (2.15).

The transfer of 2.6 is asked for by a text message, and the parking of 2.15 by a REFER outside of a call: we send neither, so Bob and
Carol are not ours there. Alice, to whom both are an INVITE with Replaces, is.
"""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder
from tests.sipserver.ladders.scripts import IS_HUNG_UP, IS_TAKEN, TAKES, held, is_held, taken_over

CAROL = "sip:carol@192.0.2.20"
BOBS_CALL = "bobs-call;to-tag=7553452;from-tag=31431"
"""Bob's call with Carol, as Carol knows it."""

TRANSFERS = (
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
        "Transfer - Unattended, the transferor that stays to learn what came of it, as ours does (RFC 5589 section 6.1)",
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
        NOTIFY Bob -> Alice
        200 OK Alice -> Bob
        BYE Alice -> Bob
        200 OK Bob -> Alice
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
        "Transfer - Unattended, the transferee",
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
        INVITE Bob -> Carol
        180 Ringing Carol -> Bob
        200 OK Carol -> Bob
        ACK Bob -> Carol
        NOTIFY Bob -> Alice
        200 OK Alice -> Bob
        (BYE Carol -> Bob)
        (200 OK Bob -> Carol)
        """,
        IS_TAKEN
        + f"""
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
        3.400  !  invite uri={CAROL} referred_by=<sip:peer@192.0.2.9>
        3.400  >  INVITE uri={CAROL} cseq=1 Referred-By=<sip:peer@192.0.2.9>
        3.500  <  180 tag=carol
        3.500  *  Progress 180
        6.000  <  200 tag=carol sdp
        6.000  >  ACK cseq=1
        6.000  *  Answered sdp
        6.000  !  turn_to 0
        6.000  !  notify_refer 200
        6.000  >  NOTIFY frag="200 OK" Subscription-State=terminated;reason=noresource
        6.100  <  200 NOTIFY tag=x
        6.200  !  turn_to 1
        """
        + IS_HUNG_UP.replace("cseq=2", "cseq=1 tag=carol"),
        calls=("Carol",),
    ),
    Ladder(
        "2.5",
        "Transfer - Attended, the transferor: Refer-To names the dialog with Carol",
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
        INVITE Bob -> Carol
        180 Ringing Carol -> Bob
        200 OK Carol -> Bob
        ACK Bob -> Carol
        INVITE Bob -> Carol
        200 OK Carol -> Bob
        ACK Bob -> Carol
        REFER Bob -> Alice
        202 Accepted Alice -> Bob
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        BYE Carol -> Bob
        200 OK Bob -> Carol
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        BYE Bob -> Alice
        200 OK Alice -> Bob
        """,
        TAKES
        + held(3, cseq=1, tag="peer")
        + """
        4.000  !  invite
        4.000  >  INVITE cseq=1
        4.100  <  180 tag=carol
        4.100  *  Progress 180
        5.000  <  200 tag=carol sdp
        5.000  >  ACK cseq=1
        5.000  *  Answered sdp
        """
        + held(6, cseq=2, tag="carol")
        + f"""
        7.000  !  turn_to 0
        7.000  !  refer {CAROL} {BOBS_CALL}
        7.000  >  REFER cseq=2 Refer-To="<{CAROL}?Replaces=bobs-call%3Bto-tag%3D7553452%3Bfrom-tag%3D31431>"
        7.100  <  202 REFER
        7.100  *  ReferProgress 100 Accepted
        7.200  <  NOTIFY cseq=2 Event=refer state=active;expires=60 frag="100 Trying"
        7.200  >  200
        7.200  *  ReferProgress 100 Trying
        7.300  !  turn_to 1
        7.300  <  BYE cseq=1 tag=carol
        7.300  >  200 method=BYE
        7.300  *  Ended bye
        7.300  *  over
        7.400  !  turn_to 0
        7.400  <  NOTIFY cseq=3 Event=refer state=terminated;reason=noresource frag="200 OK"
        7.400  >  200
        7.400  *  ReferProgress 200 OK final
        7.500  !  hang_up
        7.500  >  BYE cseq=3
        7.500  *  over
        7.600  <  200 BYE tag=peer
        99.00  .
        """,
        calls=("Carol",),
    ),
    Ladder(
        "2.5",
        "Transfer - Attended, the transferee: its INVITE replaces Bob's call with Carol",
        "Alice",
        "Bob",
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
        INVITE Alice -> Carol
        200 OK Carol -> Alice
        ACK Alice -> Carol
        NOTIFY Alice -> Bob
        200 OK Bob -> Alice
        BYE Bob -> Alice
        200 OK Alice -> Bob
        (BYE Carol -> Alice)
        (200 OK Alice -> Carol)
        """,
        IS_TAKEN
        + is_held(3, cseq=1, tag="x")
        + f"""
        4.000  <  REFER tag=x cseq=2 Refer-To=<{CAROL}?Replaces=bobs-call%3Bto-tag%3D7553452%3Bfrom-tag%3D31431>
        4.000  *  Referred {CAROL} replaces {BOBS_CALL}
        4.100  !  accept_refer
        4.100  >  202
        4.100  >  NOTIFY frag="100 Trying"
        4.200  <  200 NOTIFY tag=x
        4.300  !  invite uri={CAROL} replaces={BOBS_CALL}
        4.300  >  INVITE uri={CAROL} cseq=1 Replaces={BOBS_CALL} Require=replaces
        4.400  <  200 tag=carol sdp
        4.400  >  ACK cseq=1
        4.400  *  Answered sdp
        4.400  !  turn_to 0
        4.400  !  notify_refer 200
        4.400  >  NOTIFY frag="200 OK" Subscription-State=terminated;reason=noresource
        4.500  <  200 NOTIFY tag=x
        4.600  <  BYE tag=x cseq=3
        4.600  >  200
        4.600  *  Ended bye
        4.600  *  over
        4.700  !  turn_to 1
        """
        + IS_HUNG_UP.replace("cseq=2", "cseq=1 tag=carol"),
        calls=("Carol",),
    ),
    Ladder(
        "2.5",
        "Transfer - Attended, the target: Alice's INVITE names the dialog with Bob, whose call we end",
        "Carol",
        "Bob",
        """
        INVITE Bob -> Carol
        180 Ringing Carol -> Bob
        200 OK Carol -> Bob
        ACK Bob -> Carol
        INVITE Bob -> Carol
        200 OK Carol -> Bob
        ACK Bob -> Carol
        INVITE Alice -> Carol
        200 OK Carol -> Alice
        ACK Alice -> Carol
        BYE Carol -> Bob
        200 OK Bob -> Carol
        (BYE Alice -> Carol)
        (200 OK Carol -> Alice)
        """,
        TAKES
        + is_held(3, cseq=2, tag="peer")
        + taken_over(4, leg=0, tag="peer", by="alice")
        + IS_HUNG_UP.replace("cseq=2", "cseq=2 call=alice tag=alice"),
        calls=("Alice",),
    ),
    Ladder(
        "2.6",
        "Transfer - Instant Messaging, the one who is transferred: Carol takes Bob's place, whatever told her to",
        "Alice",
        "Bob",
        """
        INVITE Alice -> Bob
        180 Ringing Bob -> Alice
        200 OK Bob -> Alice
        ACK Alice -> Bob
        INVITE Carol -> Alice
        200 OK Alice -> Carol
        ACK Carol -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        (BYE Carol -> Alice)
        (200 OK Alice -> Carol)
        """,
        IS_TAKEN
        + taken_over(4, leg=0, tag="x", by="carol")
        + IS_HUNG_UP.replace("cseq=2", "cseq=2 call=carol tag=carol"),
        calls=("Carol",),
    ),
    Ladder(
        "2.15",
        "Call Park, the one who is parked and picked up: each old call is ended by us",
        "Alice",
        "Bob",
        """
        INVITE Alice -> Bob
        180 Ringing Bob -> Alice
        200 OK Bob -> Alice
        ACK Alice -> Bob
        INVITE Park Server -> Alice
        200 OK Alice -> Park Server
        ACK Park Server -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        INVITE Carol -> Alice
        200 OK Alice -> Carol
        ACK Carol -> Alice
        BYE Alice -> Park Server
        200 OK Park Server -> Alice
        (BYE Carol -> Alice)
        (200 OK Alice -> Carol)
        """,
        IS_TAKEN
        + taken_over(4, leg=0, tag="x", by="park")
        + taken_over(8, leg=1, tag="park", by="carol")
        + IS_HUNG_UP.replace("cseq=2", "cseq=2 call=carol tag=carol"),
        calls=("Park Server", "Carol"),
    ),
)
