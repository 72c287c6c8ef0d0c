"""Who may speak to us at all: known trunks. Everybody else gets one and the same 403, and not too many of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from sipserver.legs import Source
from sipserver.message import Request
from sipserver.protocols import AgentDirectory, Trunk


@dataclass(frozen=True, slots=True)
class Refill:
    """A token bucket: it holds `burst` tokens and gets `rate` back each second."""

    rate: float
    burst: float


class Buckets:
    """A token bucket for each source address and one for all of them together. Holds `size` addresses, the latest ones.

    The common bucket is what bounds a flood from forged addresses: each of those would begin with a full bucket of its own.
    """

    def __init__(self, each: Refill, together: Refill, size: int = 4096) -> None:
        self._each = each
        self._together = together
        self._size = size
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._common = (together.burst, 0.0)

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, host: str, now: float) -> bool:
        """Take a token for this address; False when there is none. `now` in seconds, never falling."""
        own = _filled(self._levels.pop(host, (self._each.burst, now)), self._each, now)
        common = _filled(self._common, self._together, now)
        granted = own >= 1 and common >= 1
        self._levels[host] = (own - granted, now)
        self._common = (common - granted, now)
        if len(self._levels) > self._size:
            self._levels.popitem(last=False)
        return granted


Registered = Callable[[Request], Trunk | None]
"""The trunk whose registered Contact a request was sent to."""


def nothing_registered(_request: Request) -> None:
    """For a node that registers nowhere."""


class SourceGuard:
    """The guard of the endpoint (`legs.Guard`), asked for requests that belong to no dialog and no transaction of ours.

    A known source is one whose address belongs to a trunk, or one that knows a Contact that we registered: its user cannot be
    guessed, and a provider may send calls from other addresses than its registrar's. What it may reach is decided later. An
    unknown source learns nothing: INVITE, OPTIONS, REGISTER and whatever else get the same 403; an ACK, which has no answer,
    is dropped, and so is everything above the rate.
    """

    def __init__(
        self,
        directory: AgentDirectory,
        now: Callable[[], float],
        buckets: Buckets | None = None,
        registered: Registered = nothing_registered,
    ) -> None:
        self._registered = registered
        self._directory = directory
        self._now = now
        self._buckets = buckets or Buckets(each=Refill(rate=1, burst=10), together=Refill(rate=50, burst=200))

    def admit(self, request: Request, source: Source) -> int | None:
        """None: it may come in. 403, or 0 to drop it."""
        if self._directory.trunks_of(source.host) or self._registered(request) is not None:
            return None
        if request.method == "ACK" or not self._buckets.take(source.host, self._now()):
            return 0
        return 403


def _filled(bucket: tuple[float, float], refill: Refill, now: float) -> float:
    level, at = bucket
    return min(refill.burst, level + max(0.0, now - at) * refill.rate)
