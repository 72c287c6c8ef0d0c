"""How calls begin and end, as lines of a transcript: what most of the ladders share."""

from __future__ import annotations

RINGS = """
    0.000  <  INVITE branch=a sdp
    0.000  >  100
    0.100  !  ring 180
    0.100  >  180
    """
TAKES = (
    RINGS
    + """
    2.000  !  answer
    2.000  >  200
    2.100  <  ACK
    2.100  *  Answered
    """
)
HANGS_UP = """
    9.000  !  hang_up
    9.000  >  BYE
    9.000  *  over
    9.100  <  200 BYE tag=peer
    60.00  .
    """
IS_HUNG_UP = """
    9.000  <  BYE cseq=2
    9.000  >  200
    9.000  *  Ended bye
    9.000  *  over
    60.00  .
    """
CALLS = """
    0.000  !  invite
    0.000  >  INVITE branch=a cseq=1
    """
CHALLENGED = (
    CALLS
    + """
    0.010  <  407 tag=p challenge
    0.010  >  ACK branch=a cseq=1
    0.010  >  INVITE branch=b cseq=2
    """
)
RR = "sip:ss1.atlanta.example.com;lr,sip:ss2.biloxi.example.com;lr"
IS_TAKEN = (
    CALLS
    + """
    0.100  <  180 tag=x
    0.100  *  Progress 180
    2.000  <  200 tag=x sdp
    2.000  >  ACK cseq=1
    2.000  *  Answered sdp
    """
)
IS_CANCELLED = """
    9.000  <  CANCEL branch=a to=none
    9.000  >  200 method=CANCEL
    9.000  >  487 method=INVITE
    9.000  *  Ended cancel
    9.000  *  over
    9.100  <  ACK branch=a
    60.00  .
    """
SAYS_BUSY = """
    0.000  <  INVITE branch=a sdp
    0.000  >  100
    0.100  !  reject 486
    0.100  >  486
    0.100  *  over
    0.200  <  ACK branch=a
    60.00  .
    """


def held(at: int, *, cseq: int, tag: str) -> str:
    """We offer another direction: the peer is put on hold, or fetched back."""
    return f"""
        {at}.000  !  offer
        {at}.000  >  INVITE cseq={cseq} Content-Type=application/sdp
        {at}.100  <  200 tag={tag} sdp
        {at}.100  >  ACK cseq={cseq}
        {at}.100  *  OfferAnswered sdp
        """


def is_held(at: int, *, cseq: int, tag: str) -> str:
    """The peer does that to us."""
    return f"""
        {at}.000  <  INVITE re branch=hold{at} cseq={cseq} tag={tag} sdp
        {at}.000  >  100
        {at}.000  *  Offered sdp
        {at}.000  !  accept
        {at}.000  >  200 Content-Type=application/sdp
        {at}.100  <  ACK cseq={cseq} tag={tag} branch=ack{at}
        """


def taken_over(at: int, *, leg: int, tag: str, by: str) -> str:
    """Somebody's INVITE replaces this leg of ours (RFC 3891), whose peer has the tag: it is answered, and that leg hung up."""
    return f"""
        {at}.000  <  INVITE branch={by} call={by} tag={by} sdp takes={leg} Require=replaces
        {at}.000  >  100
        {at}.000  !  answer
        {at}.000  >  200 Call-ID={by}
        {at}.100  <  ACK branch=ack-{by} call={by} tag={by}
        {at}.100  *  Answered
        {at}.100  !  turn_to {leg}
        {at}.100  !  hang_up replaced
        {at}.100  >  BYE
        {at}.100  *  over
        {at}.200  <  200 BYE tag={tag}
        {at}.200  !  turn_to {leg + 1}
        """
