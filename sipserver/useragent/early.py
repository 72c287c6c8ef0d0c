"""What the provisional answers to an INVITE of ours bring, fork by fork (RFC 3261 section 12.1.2, RFC 3262 section 4). Sans-I/O.

Each To tag is a fork. Reliable answers of a fork are numbered: the first one's RSeq is where it begins, each further one has the
next number. One that comes again has been acknowledged and says nothing new; one that is ahead of its turn is as if it had not
come, for the one that is missing is repeated by its sender, and then this one is too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sipserver.message import Response
from sipserver.message.extensions import reliable_number
from sipserver.sdp import sdp_body

MAX_FORKS = 16
"""Early dialogs, and answers, of one INVITE that are followed; further To tags are not."""


class Turn(Enum):
    """What a provisional answer is among those of its fork."""

    PLAIN = auto()
    """It wants no PRACK."""
    NEXT = auto()
    """Its turn has come: it gets its PRACK."""
    OUT_OF_TURN = auto()
    """It has come before, or too early: nothing is done about it."""


@dataclass(slots=True)
class _Fork:
    rseq: int | None = None
    sdp: bytes | None = None


class Forks:
    """The forks of one INVITE; a repetition of the INVITE with a CSeq of its own has forks of its own."""

    def __init__(self) -> None:
        self._forks: dict[str, _Fork] = {}
        self._cseq: int | None = None

    def hear(self, response: Response) -> Turn:
        """A provisional answer above 100."""
        if response.cseq.number != self._cseq:
            self._forks, self._cseq = {}, response.cseq.number
        fork = self._fork(response.to.tag or "")
        number = reliable_number(response)
        if fork is None:
            return Turn.PLAIN if number is None else Turn.OUT_OF_TURN
        if number is not None and fork.rseq is not None and number != fork.rseq + 1:
            return Turn.OUT_OF_TURN
        fork.sdp = sdp_body(response) or fork.sdp
        if number is None:
            return Turn.PLAIN
        fork.rseq = number
        return Turn.NEXT

    def sdp_of(self, response: Response) -> bytes | None:
        """What the peer says of its media with a 2xx: the description in it, else the one that the same fork sent before.

        After a reliable 18x with the answer the 2xx needs none (RFC 3261 section 13.2.1); some leave it out after a plain one too.
        """
        fork = self._forks.get(response.to.tag or "") if response.cseq.number == self._cseq else None
        return sdp_body(response) or (None if fork is None else fork.sdp)

    def _fork(self, tag: str) -> _Fork | None:
        if tag not in self._forks and len(self._forks) < MAX_FORKS:
            self._forks[tag] = _Fork()
        return self._forks.get(tag)
