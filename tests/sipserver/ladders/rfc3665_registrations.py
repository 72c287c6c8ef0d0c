"""RFC 3665 section 2 (registration), as the telephone that registers.

Not ours: 2.3 asks a registrar for the contacts of others. 2.4 takes back all contacts (`Contact: *`), we our own only, since the
others are not ours to take (RFC 3261 section 10.2.2).
"""

from __future__ import annotations

from tests.sipserver.ladders.ladders import Ladder

REGISTRATIONS = (
    Ladder(
        "2.1",
        "Successful New Registration",
        "Bob",
        "SIP Server",
        """
        REGISTER Bob -> SIP Server
        401 Unauthorized SIP Server -> Bob
        REGISTER Bob -> SIP Server
        200 OK SIP Server -> Bob
        """,
        """
        0.0 ! register
        0.0 > REGISTER cseq=1
        0.1 < 401 nonce=n1
        0.1 > REGISTER cseq=2 nonce=n1
        0.2 < 200 expires=3600
        0.2 = registered until=3600.2
        """,
    ),
    Ladder(
        "2.2",
        "Update of Contact List",
        "Bob",
        "SIP Server",
        """
        (REGISTER Bob -> SIP Server)
        (401 Unauthorized SIP Server -> Bob)
        (REGISTER Bob -> SIP Server)
        (200 OK SIP Server -> Bob)
        REGISTER Bob -> SIP Server
        200 OK SIP Server -> Bob
        """,
        """
        0.0 ! register
        0.0 > REGISTER cseq=1
        0.1 < 401 nonce=n1
        0.1 > REGISTER cseq=2 nonce=n1
        0.2 < 200 expires=3600
        9.0 ! rebind host=203.0.113.7 port=6000
        9.0 > REGISTER cseq=3 nonce=n1
        9.1 < 200 expires=3600
        9.1 = registered until=3609.1
        """,
    ),
    Ladder(
        "2.4",
        "Cancellation of Registration",
        "Bob",
        "SIP Server",
        """
        (REGISTER Bob -> SIP Server)
        (401 Unauthorized SIP Server -> Bob)
        (REGISTER Bob -> SIP Server)
        (200 OK SIP Server -> Bob)
        REGISTER Bob -> SIP Server
        200 OK SIP Server -> Bob
        """,
        """
        0.0 ! register
        0.0 > REGISTER cseq=1
        0.1 < 401 nonce=n1
        0.1 > REGISTER cseq=2 nonce=n1
        0.2 < 200 expires=3600
        9.0 ! leave
        9.0 > REGISTER cseq=3 nonce=n1 expires=0
        9.1 < 200
        """,
    ),
    Ladder(
        "2.5",
        "Unsuccessful Registration",
        "Bob",
        "SIP Server",
        """
        REGISTER Bob -> SIP Server
        401 Unauthorized SIP Server -> Bob
        REGISTER Bob -> SIP Server
        401 Unauthorized SIP Server -> Bob
        """,
        """
        0.0 ! register
        0.0 > REGISTER cseq=1
        0.1 < 401 nonce=n1
        0.1 > REGISTER cseq=2 nonce=n1
        0.2 < 401 nonce=n2
        0.2 = failed error="401 Unauthorized"
        """,
    ),
)
