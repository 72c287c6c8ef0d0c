"""What a call came to, and how SIP's codes are read into it (CONTRACT, `status` and `endedReason`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sipserver.message import MessageError
from sipserver.offer import NotAcceptable
from sipserver.protocols import CallStatus, EndedReason

_BY_CODE: dict[int, EndedReason] = {
    401: EndedReason.REJECTED,
    402: EndedReason.REJECTED,
    403: EndedReason.REJECTED,
    404: EndedReason.INVALID_NUMBER,
    407: EndedReason.REJECTED,
    408: EndedReason.NO_ANSWER,
    410: EndedReason.INVALID_NUMBER,
    433: EndedReason.REJECTED,
    480: EndedReason.NO_ANSWER,
    484: EndedReason.INVALID_NUMBER,
    485: EndedReason.INVALID_NUMBER,
    486: EndedReason.BUSY,
    487: EndedReason.NO_ANSWER,
    600: EndedReason.BUSY,
    604: EndedReason.INVALID_NUMBER,
    606: EndedReason.ERROR,
    607: EndedReason.BLOCKED,
    608: EndedReason.BLOCKED,
}
_BY_CLASS: dict[int, EndedReason] = {
    3: EndedReason.REJECTED,
    4: EndedReason.ERROR,
    5: EndedReason.TRUNK_UNAVAILABLE,
    6: EndedReason.REJECTED,
}
"""3xx: a redirection is not followed, for the trunk would choose what we pay for. 4xx: something is wrong with what we sent."""
_BY_CAUSE: dict[int, EndedReason] = {
    1: EndedReason.INVALID_NUMBER,
    17: EndedReason.BUSY,
    18: EndedReason.NO_ANSWER,
    19: EndedReason.NO_ANSWER,
    20: EndedReason.NO_ANSWER,
    21: EndedReason.REJECTED,
    22: EndedReason.INVALID_NUMBER,
    27: EndedReason.TRUNK_UNAVAILABLE,
    28: EndedReason.INVALID_NUMBER,
    34: EndedReason.TRUNK_UNAVAILABLE,
    38: EndedReason.TRUNK_UNAVAILABLE,
    41: EndedReason.TRUNK_UNAVAILABLE,
    42: EndedReason.TRUNK_UNAVAILABLE,
}
"""What the telephone network said (ITU-T Q.850): it is nearer to the callee than the gateway that made a SIP code of it."""
_NETWORK_BLOCKED = "network blocked"
"""The reason phrase by which a 603 is the network's and not the callee's (ATIS-1000099, "603+"); its Q.850 cause is 21 all the same."""
_VAGUE = frozenset({480, 500, 502, 503, 504, 603})
"""Codes that gateways give for many causes, so that a cause beside them says more (RFC 3398 section 7.2.4.1)."""


RETRY_AFTER = 30
"""Seconds after which a caller may try again whom the node could not take."""


_REFUSALS = {EndedReason.CANCELED: 480, EndedReason.AT_CAPACITY: 503, EndedReason.NODE_LOST: 503}


NOT_ACCEPTABLE = (488, 606)
"""What a callee says to an offer that it cannot take (RFC 3261 sections 21.4.26 and 21.6.4)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a call ended, with the final answer that said so, where there was one."""

    reason: EndedReason
    sip_code: int | None = None
    sip_reason: str | None = None

    @property
    def refusal(self) -> int:
        """How an inbound call is refused that we end before its answer: 500 where nothing says it better."""
        return self.sip_code or _REFUSALS.get(self.reason, 500)


class NotEstablished(Exception):
    """The call came to nothing before anybody could speak. `problem`: a part of the server, and a sentence for the call's problems."""

    def __init__(self, outcome: Outcome, problem: tuple[Literal["sip", "media"], str] | None = None) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.problem = problem


def unusable(error: NotAcceptable, sip_code: int | None = None) -> NotEstablished:
    """What to raise for a peer's SDP that cannot be used; `sip_code` is what we refuse its INVITE with, where it was one."""
    sentence = f"The peer's session description cannot be used: {error}"
    return NotEstablished(Outcome(EndedReason.ERROR, sip_code), ("sip", sentence))


def unplaceable(error: MessageError) -> NotEstablished:
    """What to raise for an invitation that cannot be written as SIP: its trunk is set up in a way that leads nowhere."""
    sentence = f"The call cannot be placed on this trunk: {error}"
    return NotEstablished(Outcome(EndedReason.TRUNK_UNAVAILABLE), ("sip", sentence))


def refused(code: int, reason: str, cause: int | None = None) -> Outcome:
    """What a final answer of 3xx–6xx to our INVITE means. 408 and 503 are also made here: no answer, no transport.

    607 and 608 are those of a network that took the call for unwanted (RFC 8197, RFC 8688), and so is a 603 that says so: nobody
    declined it. 487 without a CANCEL of ours is a ringing that somebody else gave up; ours has ended the call before.
    """
    if code == 603 and reason.strip().lower() == _NETWORK_BLOCKED:
        return Outcome(EndedReason.BLOCKED, code, reason)
    told = _BY_CAUSE.get(cause) if cause is not None and code in _VAGUE else None
    return Outcome(told or _BY_CODE.get(code) or _BY_CLASS[code // 100], code, reason)


def status_of(reason: EndedReason, answered: bool) -> CallStatus:
    """The final status of a call that ended for this reason."""
    if answered:
        return CallStatus.COMPLETED
    return CallStatus.NO_ANSWER if reason is EndedReason.NO_ANSWER else CallStatus.FAILED


def later(status: int, seconds: int) -> tuple[tuple[str, str], ...]:
    """The header that belongs to a 503: without one it counts as a 500 (RFC 3261 section 21.5.4)."""
    return (("Retry-After", str(seconds)),) if status == 503 else ()
