"""RFC 3665 sections 3.8 to 3.11 (calls that are not established), from both sides."""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder
from tests.sipserver.ladders.scripts import CALLS, RINGS

FAILURES = (
    Ladder(
        "3.8",
        "Unsuccessful No Answer, calling",
        "Alice",
        "Proxy 1",
        """
        INVITE Alice -> Proxy 1
        100 Trying Proxy 1 -> Alice
        180 Ringing Proxy 1 -> Alice
        CANCEL Alice -> Proxy 1
        200 OK Proxy 1 -> Alice
        487 Request Terminated Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        """,
        CALLS
        + """
        0.020  <  100
        0.100  <  180 tag=x
        0.100  *  Progress 180
        9.000  !  hang_up
        9.000  *  over
        9.000  >  CANCEL branch=a cseq=1
        9.100  <  200 CANCEL tag=x
        9.200  <  487 tag=x
        9.200  >  ACK branch=a cseq=1
        90.00  .
        """,
    ),
    Ladder(
        "3.8",
        "Unsuccessful No Answer, called",
        "Bob",
        "Proxy 2",
        """
        INVITE Proxy 2 -> Bob
        180 Ringing Bob -> Proxy 2
        CANCEL Proxy 2 -> Bob
        200 OK Bob -> Proxy 2
        487 Request Terminated Bob -> Proxy 2
        ACK Proxy 2 -> Bob
        """,
        RINGS
        + """
        9.000  <  CANCEL branch=a to=none
        9.000  >  200 method=CANCEL
        9.000  >  487 method=INVITE
        9.000  *  Ended cancel
        9.000  *  over
        9.100  <  ACK branch=a
        60.00  .
        """,
    ),
    Ladder(
        "3.9",
        "Unsuccessful Busy, calling",
        "Alice",
        "Proxy 1",
        """
        INVITE Alice -> Proxy 1
        100 Trying Proxy 1 -> Alice
        486 Busy Here Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        """,
        CALLS
        + """
        0.020  <  100
        0.100  <  486 tag=x
        0.100  >  ACK branch=a cseq=1
        0.100  *  Refused 486
        0.100  *  over
        60.00  .
        """,
    ),
    Ladder(
        "3.9",
        "Unsuccessful Busy, called",
        "Bob",
        "Proxy 2",
        """
        INVITE Proxy 2 -> Bob
        486 Busy Here Bob -> Proxy 2
        ACK Proxy 2 -> Bob
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
        "3.10",
        "Unsuccessful No Response from User Agent",
        "Alice",
        "Proxy 1",
        """
        INVITE Alice -> Proxy 1
        100 Trying Proxy 1 -> Alice
        480 Temporarily Unavailable Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        """,
        CALLS
        + """
        0.020  <  100
        31.50  <  480 tag=x
        31.50  >  ACK branch=a cseq=1
        31.50  *  Refused 480
        31.50  *  over
        99.00  .
        """,
    ),
    Ladder(
        "3.11",
        "Unsuccessful Temporarily Unavailable, called",
        "Bob",
        "Proxy 2",
        """
        INVITE Proxy 2 -> Bob
        180 Ringing Bob -> Proxy 2
        480 Temporarily Unavailable Bob -> Proxy 2
        ACK Proxy 2 -> Bob
        """,
        RINGS
        + """
        9.000  !  reject 480
        9.000  >  480
        9.000  *  over
        9.100  <  ACK branch=a
        60.00  .
        """,
    ),
    Ladder(
        "3.11",
        "Unsuccessful Temporarily Unavailable, calling",
        "Alice",
        "Proxy 1",
        """
        INVITE Alice -> Proxy 1
        100 Trying Proxy 1 -> Alice
        180 Ringing Proxy 1 -> Alice
        480 Temporarily Unavailable Proxy 1 -> Alice
        ACK Alice -> Proxy 1
        """,
        CALLS
        + """
        0.020  <  100
        0.100  <  180 tag=x
        0.100  *  Progress 180
        9.000  <  480 tag=x
        9.000  >  ACK branch=a cseq=1
        9.000  *  Refused 480
        9.000  *  over
        60.00  .
        """,
    ),
)
