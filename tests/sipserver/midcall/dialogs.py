"""Calls that are established, for transcripts of what comes then: from either side, at 0.000."""

from __future__ import annotations

from tests.sipserver.transcripts import Transcript


def called(invite: str = "") -> Transcript:
    """A call that came in. The peer has sent CSeq 1."""
    script = Transcript()
    script.run(
        f"""
        0.000  <  INVITE branch=a sdp {invite}
        0.000  >  100
        0.000  !  answer
        0.000  >  200
        0.000  <  ACK
        0.000  *  Answered
        """
    )
    return script


def calling(ok: str = "") -> Transcript:
    """A call that we placed. We have sent CSeq 1; the peer's tag is x."""
    script = Transcript()
    script.run(
        f"""
        0.000  !  invite
        0.000  >  INVITE
        0.000  <  200 tag=x sdp {ok}
        0.000  >  ACK
        0.000  *  Answered sdp
        """
    )
    return script
