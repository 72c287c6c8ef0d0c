"""Where a call's RTP may come from (DESIGN, "No leak"): the address of the SDP, or one learnt at once and then locked.

Peers behind a NAT send from another address than their SDP names. It is learnt only when five consecutive packets of one
stream come from it within the first 500 ms, and while nothing has come from the SDP's address; then it is locked. A new
SDP address (re-INVITE that names another one) arms the learning again. (The attack: RTP bleed, where the first to send gets the audio.)
"""

from __future__ import annotations

from dataclasses import dataclass

CONSECUTIVE = 5
WINDOW_TICKS = 25
"""500 ms, counted from the first packet after the arming."""

Address = tuple[str, int]

MOST_CANDIDATES = 4
"""Streams watched at a time; more are nobody's NAT."""


@dataclass(slots=True)
class _Run:
    """The consecutive packets of one stream: the last one's sequence number, and how many."""

    sequence: int
    count: int = 1


class AddressLearner:
    """The address of one call. `address` is where to send and whence to accept; `locked` says that it will not change."""

    def __init__(self, advertised: Address) -> None:
        """advertised: the address and port of the SDP."""
        self.rearm(advertised)

    def rearm(self, advertised: Address) -> None:
        """A new SDP names this address: it counts, and another may be learnt anew."""
        self.address = advertised
        self.locked = False
        self._until: int | None = None
        self._runs: dict[tuple[Address, int], _Run] = {}

    def accept(self, source: Address, ssrc: int, sequence: int, now: int) -> bool:
        """Whether a packet from `source` belongs to the call; the one by which `source` is learnt does. now: the tick."""
        if self._until is None:
            self._until = now + WINDOW_TICKS
        if source == self.address:
            self.locked = True
            return True
        if self.locked or now > self._until:
            return False
        return self._consider(source, ssrc, sequence)

    def _consider(self, source: Address, ssrc: int, sequence: int) -> bool:
        run = self._runs.get((source, ssrc))
        if run is None:
            if len(self._runs) < MOST_CANDIDATES:
                self._runs[source, ssrc] = _Run(sequence)
            return False
        run.count = run.count + 1 if sequence == (run.sequence + 1) & 0xFFFF else 1
        run.sequence = sequence
        if run.count < CONSECUTIVE:
            return False
        self.address, self.locked = source, True
        return True
