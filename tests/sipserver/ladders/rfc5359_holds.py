"""RFC 5359, somebody on hold: 2.1 to 2.3, and 2.10, where holding ends in a conference.

The directions in the descriptions of a hold are checked in `call/test_call_hold.py`, the music that we play in
`call/test_call_transfers.py`. Bob is not ours in 2.3, for our music needs no server beside the call (`a=sendonly`, section 2.1), nor in
2.10 and 2.11, for we mix no calls.
"""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder
from tests.sipserver.ladders.scripts import HANGS_UP, IS_HUNG_UP, IS_TAKEN, TAKES, held, is_held, taken_over

HOLDS = (
    Ladder(
        "2.1",
        "Call Hold, the one who is held",
        "Alice",
        "Proxy",
        """
        INVITE Alice -> Proxy
        180 Ringing Proxy -> Alice
        200 OK Proxy -> Alice
        ACK Alice -> Proxy
        INVITE Proxy -> Alice
        200 OK Alice -> Proxy
        ACK Proxy -> Alice
        INVITE Proxy -> Alice
        200 OK Alice -> Proxy
        ACK Proxy -> Alice
        BYE Alice -> Proxy
        200 OK Proxy -> Alice
        """,
        IS_TAKEN + is_held(3, cseq=1, tag="x") + is_held(6, cseq=2, tag="x") + HANGS_UP.replace("tag=peer", "tag=x"),
    ),
    Ladder(
        "2.1",
        "Call Hold, the one who holds",
        "Bob",
        "Proxy",
        """
        INVITE Proxy -> Bob
        180 Ringing Bob -> Proxy
        200 OK Bob -> Proxy
        ACK Proxy -> Bob
        INVITE Bob -> Proxy
        200 OK Proxy -> Bob
        ACK Bob -> Proxy
        INVITE Bob -> Proxy
        200 OK Proxy -> Bob
        ACK Bob -> Proxy
        BYE Proxy -> Bob
        200 OK Bob -> Proxy
        """,
        TAKES + held(3, cseq=1, tag="peer") + held(6, cseq=2, tag="peer") + IS_HUNG_UP,
    ),
    Ladder(
        "2.2",
        "Consultation Hold, the one who is left waiting while Bob calls Carol",
        "Alice",
        "Proxy",
        """
        INVITE Alice -> Proxy
        180 Ringing Proxy -> Alice
        200 OK Proxy -> Alice
        ACK Alice -> Proxy
        INVITE Proxy -> Alice
        200 OK Alice -> Proxy
        ACK Proxy -> Alice
        INVITE Proxy -> Alice
        200 OK Alice -> Proxy
        ACK Proxy -> Alice
        BYE Alice -> Proxy
        200 OK Proxy -> Alice
        """,
        IS_TAKEN + is_held(3, cseq=1, tag="x") + is_held(8, cseq=2, tag="x") + HANGS_UP.replace("tag=peer", "tag=x"),
    ),
    Ladder(
        "2.2",
        "Consultation Hold, the one who asks Carol while Alice waits",
        "Bob",
        "Proxy",
        """
        INVITE Proxy -> Bob
        180 Ringing Bob -> Proxy
        200 OK Bob -> Proxy
        ACK Proxy -> Bob
        INVITE Bob -> Proxy
        200 OK Proxy -> Bob
        ACK Bob -> Proxy
        INVITE Bob -> Proxy
        100 Trying Proxy -> Bob
        180 Ringing Proxy -> Bob
        200 OK Proxy -> Bob
        ACK Bob -> Proxy
        BYE Bob -> Proxy
        200 OK Proxy -> Bob
        INVITE Bob -> Proxy
        200 OK Proxy -> Bob
        ACK Bob -> Proxy
        BYE Proxy -> Bob
        200 OK Bob -> Proxy
        """,
        TAKES
        + held(3, cseq=1, tag="peer")
        + """
        4.000  !  invite
        4.000  >  INVITE cseq=1
        4.010  <  100
        4.100  <  180 tag=carol
        4.100  *  Progress 180
        5.000  <  200 tag=carol sdp
        5.000  >  ACK cseq=1
        5.000  *  Answered sdp
        6.000  !  hang_up
        6.000  >  BYE cseq=2
        6.000  *  over
        6.100  <  200 BYE tag=carol
        6.200  !  turn_to 0
        """
        + held(7, cseq=2, tag="peer")
        + IS_HUNG_UP,
        calls=("Proxy",),
    ),
    Ladder(
        "2.2",
        "Consultation Hold, the one who is asked",
        "Carol",
        "Proxy",
        """
        INVITE Proxy -> Carol
        180 Ringing Carol -> Proxy
        200 OK Carol -> Proxy
        ACK Proxy -> Carol
        BYE Proxy -> Carol
        200 OK Carol -> Proxy
        """,
        TAKES + IS_HUNG_UP,
    ),
    Ladder(
        "2.3",
        "Music on Hold, the one who hears it: the music server takes Bob's place, and Bob the music server's",
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
        INVITE Music Server -> Alice
        200 OK Alice -> Music Server
        ACK Music Server -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        BYE Alice -> Music Server
        200 OK Music Server -> Alice
        (BYE Bob -> Alice)
        (200 OK Alice -> Bob)
        """,
        IS_TAKEN
        + is_held(3, cseq=1, tag="x")
        + taken_over(4, leg=0, tag="x", by="music")
        + taken_over(8, leg=1, tag="music", by="bob")
        + IS_HUNG_UP.replace("cseq=2", "cseq=2 call=bob tag=bob"),
        calls=("Music Server", "Bob"),
    ),
    Ladder(
        "2.3",
        "Music on Hold, as RFC 7088 section 2 has it: a re-INVITE without a description brings ours, its ACK the music's",
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
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        (BYE Alice -> Bob)
        (200 OK Bob -> Alice)
        """,
        IS_TAKEN
        + """
        3.000  <  INVITE re branch=music cseq=1 tag=x
        3.000  >  100
        3.000  *  Offered
        3.000  !  accept
        3.000  >  200 Content-Type=application/sdp
        3.100  <  ACK cseq=1 tag=x sdp
        3.100  *  Answered sdp
        """
        + is_held(6, cseq=2, tag="x")
        + HANGS_UP.replace("tag=peer", "tag=x"),
    ),
    Ladder(
        "2.10",
        "3-Way Conference - Third Party Is Added, the one who is there: the focus is the new target (2.11 looks the same to Alice)",
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
        (BYE Alice -> Bob)
        (200 OK Bob -> Alice)
        """,
        IS_TAKEN
        + """
        3.000  <  INVITE re branch=mixed cseq=1 tag=x sdp contact=none Contact=<sip:mixer@192.0.2.9:6060>;isfocus
        3.000  >  100
        3.000  *  Offered sdp
        3.000  !  accept
        3.000  >  200
        3.100  <  ACK cseq=1 tag=x
        9.000  !  hang_up
        9.000  >  BYE uri=sip:mixer@192.0.2.9:6060
        9.000  *  over
        9.100  <  200 BYE tag=x
        60.00  .
        """,
    ),
    Ladder(
        "2.10",
        "3-Way Conference - Third Party Is Added, the one who is added",
        "Carol",
        "Bob",
        """
        INVITE Bob -> Carol
        180 Ringing Carol -> Bob
        200 OK Carol -> Bob
        ACK Bob -> Carol
        (BYE Bob -> Carol)
        (200 OK Carol -> Bob)
        """,
        TAKES.replace("sdp", "sdp contact=none Contact=<sip:mixer@192.0.2.9:6060>;isfocus") + IS_HUNG_UP,
    ),
)
