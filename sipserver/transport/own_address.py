"""Our own address, as a peer sees it."""

from __future__ import annotations

from collections.abc import Callable

from sipserver.transport.bind import is_wildcard, local_address

KEPT_SECONDS = 10.0
"""Routes change: a cable is pulled, an address is leased anew."""
MAX_PEERS = 1000


class OwnAddress:
    """Bound to one address it is that one; bound to a wildcard the route to the peer decides. `clock` gives seconds."""

    def __init__(self, bound: str, clock: Callable[[], float]) -> None:
        self._bound = bound
        self._clock = clock
        self._known: dict[str | None, tuple[float, str]] = {}

    def __call__(self, peer: str | None) -> str:
        """The address towards this peer, a numeric one; None: towards anybody."""
        if not is_wildcard(self._bound):
            return self._bound
        now = self._clock()
        known = self._known.get(peer)
        if known is None or known[0] <= now:
            self._known.pop(peer, None)
            known = self._known[peer] = now + KEPT_SECONDS, local_address(self._bound, peer)
            if len(self._known) > MAX_PEERS:
                del self._known[next(iter(self._known))]
        return known[1]
