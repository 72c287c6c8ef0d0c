"""RFC 3665 sections 3.1 to 3.7 (calls that are established): the examples in which we can be Alice, who calls, or Bob, who is called.

Compared with the text of the RFC, message by message. The caller of 3.6 offers nothing, which we always do. 3.4, a proxy that
fails, is in `test_failover.py`, the redirection of 3.6 in `call/test_call_outbound.py`.
"""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder
from tests.sipserver.ladders.scripts import CALLS, CHALLENGED, HANGS_UP, IS_HUNG_UP, RR, TAKES

SESSIONS = (
    Ladder(
        "3.1",
        "Successful Session Establishment, called",
        "Bob",
        "Alice",
        """
        INVITE Alice -> Bob
        180 Ringing Bob -> Alice
        200 OK Bob -> Alice
        ACK Alice -> Bob
        BYE Bob -> Alice
        200 OK Alice -> Bob
        """,
        TAKES + HANGS_UP,
    ),
    Ladder(
        "3.1",
        "Successful Session Establishment, calling",
        "Alice",
        "Bob",
        """
        INVITE Alice -> Bob
        180 Ringing Bob -> Alice
        200 OK Bob -> Alice
        ACK Alice -> Bob
        BYE Bob -> Alice
        200 OK Alice -> Bob
        """,
        CALLS
        + """
        0.100  <  180 tag=x
        0.100  *  Progress 180
        2.000  <  200 tag=x sdp
        2.000  >  ACK cseq=1 uri=sip:callee@192.0.2.9:5070
        2.000  *  Answered sdp
        9.000  <  BYE tag=x
        9.000  >  200
        9.000  *  Ended bye
        9.000  *  over
        60.00  .
        """,
    ),
    Ladder(
        "3.2",
        "Session Establishment Through Two Proxies, calling",
        "Alice",
        "Proxy 1",
        """
        INVITE Alice -> Proxy 1
        407 Proxy Authentication Required Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        INVITE Alice -> Proxy 1
        100 Trying Proxy 1 -> Alice
        180 Ringing Proxy 1 -> Alice
        200 OK Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        BYE Proxy 1 -> Alice
        200 OK Alice -> Proxy 1
        """,
        CHALLENGED
        + f"""
        0.020  <  100
        0.100  <  180 tag=x rr=sip:ss2.biloxi.example.com;lr,sip:ss1.atlanta.example.com;lr
        0.100  *  Progress 180
        2.000  <  200 tag=x sdp rr=sip:ss2.biloxi.example.com;lr,sip:ss1.atlanta.example.com;lr
        2.000  >  ACK cseq=2 uri=sip:callee@192.0.2.9:5070 Route="<{RR.replace(",", ">, <")}>"
        2.000  *  Answered sdp
        9.000  <  BYE tag=x
        9.000  >  200
        9.000  *  Ended bye
        9.000  *  over
        60.00  .
        """,
    ),
    Ladder(
        "3.2",
        "Session Establishment Through Two Proxies, called",
        "Bob",
        "Proxy 2",
        """
        INVITE Proxy 2 -> Bob
        180 Ringing Bob -> Proxy 2
        200 OK Bob -> Proxy 2
        ACK Proxy 2 -> Bob
        BYE Bob -> Proxy 2
        200 OK Proxy 2 -> Bob
        """,
        f"""
        0.000  <  INVITE branch=a sdp rr=sip:ss2.biloxi.example.com;lr,sip:ss1.atlanta.example.com;lr
        0.000  >  100
        0.100  !  ring 180
        0.100  >  180 Record-Route="<sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>"
        2.000  !  answer
        2.000  >  200 Record-Route="<sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>"
        2.100  <  ACK
        2.100  *  Answered
        9.000  !  hang_up
        9.000  >  BYE uri=sip:peer@192.0.2.9:5070 Route="<{",".join(reversed(RR.split(","))).replace(",", ">, <")}>"
        9.000  *  over
        9.100  <  200 BYE tag=peer
        60.00  .
        """,
    ),
    Ladder(
        "3.3",
        "Session with Multiple Proxy Authentication",
        "Alice",
        "Proxy 1",
        """
        INVITE Alice -> Proxy 1
        407 Proxy Authentication Required Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        INVITE Alice -> Proxy 1
        100 Trying Proxy 1 -> Alice
        407 Proxy Authentication Required Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        INVITE Alice -> Proxy 1
        100 Trying Proxy 1 -> Alice
        200 OK Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        (BYE Alice -> Proxy 1)
        (200 OK Proxy 1 -> Alice)
        """,
        CALLS
        + """
        0.010  <  407 tag=p Proxy-Authenticate='Digest realm="atlanta.example.com", nonce="n1", qop="auth"'
        0.010  >  ACK branch=a cseq=1
        0.010  >  INVITE branch=b cseq=2
        0.020  <  100
        0.030  <  407 tag=q Proxy-Authenticate='Digest realm="biloxi.example.com", nonce="n2", qop="auth"'
        0.030  >  ACK branch=b cseq=2
        0.030  >  INVITE branch=c cseq=3
        0.040  <  100
        2.000  <  200 tag=x sdp
        2.000  >  ACK cseq=3
        2.000  *  Answered sdp
        9.000  !  hang_up
        9.000  >  BYE
        9.000  *  over
        9.100  <  200 BYE
        60.00  .
        """,
    ),
    Ladder(
        "3.5",
        "Session Through a SIP ALG, calling",
        "Alice",
        "SIP ALG",
        """
        INVITE Alice -> SIP ALG
        100 Trying SIP ALG -> Alice
        180 Ringing SIP ALG -> Alice
        200 OK SIP ALG -> Alice
        ACK Alice -> SIP ALG
        BYE Alice -> SIP ALG
        200 OK SIP ALG -> Alice
        """,
        CALLS
        + """
        0.010  <  100
        0.100  <  180 tag=x rr=sip:alg1.atlanta.example.com;lr
        0.100  *  Progress 180
        2.000  <  200 tag=x sdp rr=sip:alg1.atlanta.example.com;lr
        2.000  >  ACK cseq=1 Route=<sip:alg1.atlanta.example.com;lr>
        2.000  *  Answered sdp
        9.000  !  hang_up
        9.000  >  BYE cseq=2 Route=<sip:alg1.atlanta.example.com;lr>
        9.000  *  over
        9.100  <  200 BYE tag=x
        60.00  .
        """,
    ),
    Ladder(
        "3.5",
        "Session Through a SIP ALG, called",
        "Bob",
        "Proxy 2",
        """
        INVITE Proxy 2 -> Bob
        180 Ringing Bob -> Proxy 2
        200 OK Bob -> Proxy 2
        ACK SIP ALG -> Bob
        BYE SIP ALG -> Bob
        200 OK Bob -> SIP ALG
        """,
        TAKES + IS_HUNG_UP,
        also=("SIP ALG",),
    ),
    Ladder(
        "3.6",
        "Session via Redirect and Proxy Servers with SDP in ACK, called",
        "Bob",
        "Proxy 3",
        """
        INVITE Proxy 3 -> Bob
        180 Ringing Bob -> Proxy 3
        200 OK Bob -> Proxy 3
        ACK Proxy 3 -> Bob
        BYE Bob -> Proxy 3
        200 OK Proxy 3 -> Bob
        """,
        """
        0.000  <  INVITE branch=a
        0.000  >  100
        0.100  !  ring 180
        0.100  >  180
        2.000  !  answer
        2.000  >  200 Content-Type=application/sdp
        2.100  <  ACK sdp
        2.100  *  Answered sdp
        """
        + HANGS_UP,
    ),
    Ladder(
        "3.7",
        "Session with re-INVITE (IP Address Change), the one who stays",
        "Alice",
        "Proxy 2",
        """
        INVITE Alice -> Proxy 2
        100 Trying Proxy 2 -> Alice
        180 Ringing Proxy 2 -> Alice
        200 OK Proxy 2 -> Alice
        ACK Alice -> Bob
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        """,
        CALLS
        + """
        0.010  <  100
        0.100  <  180 tag=x
        0.100  *  Progress 180
        2.000  <  200 tag=x sdp
        2.000  >  ACK cseq=1 uri=sip:callee@192.0.2.9:5070
        2.000  *  Answered sdp
        5.000  <  INVITE re branch=r cseq=1 tag=x sdp contact=sip:bob@192.0.2.9:6060
        5.000  >  100
        5.000  *  Offered sdp
        5.000  !  accept
        5.000  >  200 Content-Type=application/sdp
        5.100  <  ACK cseq=1 tag=x
        9.000  !  hang_up
        9.000  >  BYE cseq=2 uri=sip:bob@192.0.2.9:6060
        9.000  *  over
        9.100  <  200 BYE tag=x
        60.00  .
        """,
        also=("Bob",),
    ),
    Ladder(
        "3.7",
        "Session with re-INVITE (IP Address Change), the one who moves",
        "Bob",
        "Proxy 2",
        """
        INVITE Proxy 2 -> Bob
        180 Ringing Bob -> Proxy 2
        200 OK Bob -> Proxy 2
        ACK Alice -> Bob
        INVITE Bob -> Alice
        200 OK Alice -> Bob
        ACK Bob -> Alice
        BYE Alice -> Bob
        200 OK Bob -> Alice
        """,
        TAKES
        + """
        5.000  !  offer
        5.000  >  INVITE cseq=1 Content-Type=application/sdp
        5.100  <  200 tag=peer sdp
        5.100  >  ACK cseq=1
        5.100  *  OfferAnswered sdp
        """
        + IS_HUNG_UP,
        also=("Alice",),
    ),
)
