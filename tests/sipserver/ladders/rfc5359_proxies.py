"""RFC 5359, services of a proxy as the telephones on either side see them: forwarding (2.7 to 2.9), find-me (2.12), screening (2.13, 2.14).

In 2.13 Alice begins at Bob, who sends her to the proxy by 305 (`test_ladders.py`): a trunk's proxy is in its settings. Nor do we call the
announcement of an Error-Info, which is for ears.
"""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder
from tests.sipserver.ladders.scripts import (
    CALLS,
    CHALLENGED,
    HANGS_UP,
    IS_CANCELLED,
    IS_HUNG_UP,
    RINGS,
    SAYS_BUSY,
    TAKES,
)

_FORWARDED = (
    CALLS
    + """
    0.010  <  100
    0.050  <  181 tag=p
    0.050  *  Progress 181
    0.100  <  180 tag=x
    0.100  *  Progress 180
    2.000  <  200 tag=x sdp
    2.000  >  ACK cseq=1
    2.000  *  Answered sdp
    """
    + HANGS_UP.replace("tag=peer", "tag=x")
)

CALLERS = (
    *(
        Ladder(
            section,
            f"{title}, the caller: the proxy tells of it and goes on",
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
            _FORWARDED,
        )
        for section, title in (("2.7", "Call Forwarding Unconditional"), ("2.8", "Call Forwarding - Busy"))
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
        BYE Alice -> Proxy
        200 OK Proxy -> Alice
        """,
        CALLS
        + """
        0.010  <  100
        0.100  <  180 tag=b1
        0.100  *  Progress 180
        20.00  <  181 tag=proxy
        20.00  *  Progress 181
        20.10  <  180 tag=b2
        20.10  *  Progress 180
        25.00  <  200 tag=b2 sdp
        25.00  >  ACK cseq=1 To=<sip:+12025550123@192.0.2.9:5070>;tag=b2
        25.00  *  Answered sdp
        30.00  !  hang_up
        30.00  >  BYE To=<sip:+12025550123@192.0.2.9:5070>;tag=b2
        30.00  *  over
        30.10  <  200 BYE tag=b2
        99.00  .
        """,
    ),
    Ladder(
        "2.12",
        "Find-Me, the caller: the first of four places rings, two are passed over, the last one answers and hangs up",
        "Alice",
        "Proxy",
        """
        INVITE Alice -> Proxy
        100 Trying Proxy -> Alice
        180 Ringing Proxy -> Alice
        180 Ringing Proxy -> Alice
        200 OK Proxy -> Alice
        ACK Alice -> Proxy
        BYE Proxy -> Alice
        200 OK Alice -> Proxy
        """,
        CALLS
        + """
        0.010  <  100
        0.100  <  180 tag=b1
        0.100  *  Progress 180
        10.00  <  180 tag=b4
        10.00  *  Progress 180
        20.00  <  200 tag=b4 sdp
        20.00  >  ACK cseq=1 To=<sip:+12025550123@192.0.2.9:5070>;tag=b4
        20.00  *  Answered sdp
        30.00  <  BYE tag=b4
        30.00  >  200
        30.00  *  Ended bye
        30.00  *  over
        99.00  .
        """,
    ),
    *(
        Ladder(
            section,
            f"Call Management ({title} Call Screening), the caller who is not let through",
            "Alice",
            "Proxy",
            """
            INVITE Alice -> Proxy
            407 Proxy Authentication Required Proxy -> Alice
            ACK Alice -> Proxy
            INVITE Alice -> Proxy
            403 Forbidden Proxy -> Alice
            ACK Alice -> Proxy
            """,
            CHALLENGED
            + """
            0.100  <  403 tag=p Error-Info=<sip:announcement@192.0.2.9>
            0.100  >  ACK branch=b cseq=2
            0.100  *  Refused 403
            0.100  *  over
            60.00  .
            """,
        )
        for section, title in (("2.13", "Incoming"), ("2.14", "Outgoing"))
    ),
)

CALLED = (
    *(
        Ladder(
            section,
            f"{title}, where the call goes in the end",
            us,
            "Proxy",
            f"""
            INVITE Proxy -> {us}
            180 Ringing {us} -> Proxy
            200 OK {us} -> Proxy
            ACK Proxy -> {us}
            BYE Proxy -> {us}
            200 OK {us} -> Proxy
            """,
            TAKES + IS_HUNG_UP,
        )
        for section, title, us in (
            ("2.7", "Call Forwarding Unconditional", "Gateway"),
            ("2.8", "Call Forwarding - Busy", "B2"),
            ("2.9", "Call Forwarding - No Answer", "B2"),
        )
    ),
    *(
        Ladder(
            section,
            f"{title}, the one who is busy",
            us,
            "Proxy",
            f"""
            INVITE Proxy -> {us}
            486 Busy Here {us} -> Proxy
            ACK Proxy -> {us}
            """,
            SAYS_BUSY,
        )
        for section, title, us in (("2.8", "Call Forwarding - Busy", "B1"), ("2.12", "Find-Me", "B3"))
    ),
    *(
        Ladder(
            section,
            f"{title}, the one who does not answer",
            "B1",
            "Proxy",
            """
            INVITE Proxy -> B1
            180 Ringing B1 -> Proxy
            CANCEL Proxy -> B1
            200 OK B1 -> Proxy
            487 Request Terminated B1 -> Proxy
            ACK Proxy -> B1
            """,
            RINGS + IS_CANCELLED,
        )
        for section, title in (("2.9", "Call Forwarding - No Answer"), ("2.12", "Find-Me"))
    ),
    Ladder(
        "2.12",
        "Find-Me, a place where nobody is",
        "B2",
        "Proxy",
        """
        INVITE Proxy -> B2
        480 Temporarily Unavailable B2 -> Proxy
        ACK Proxy -> B2
        """,
        SAYS_BUSY.replace("486", "480"),
    ),
    Ladder(
        "2.12",
        "Find-Me, where he is found: we hang up first",
        "B4",
        "Proxy",
        """
        INVITE Proxy -> B4
        180 Ringing B4 -> Proxy
        200 OK B4 -> Proxy
        ACK Proxy -> B4
        BYE B4 -> Proxy
        200 OK Proxy -> B4
        """,
        TAKES + HANGS_UP,
    ),
)
