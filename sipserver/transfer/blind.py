"""A blind transfer: the peer is asked to call the target in our stead (REFER, RFC 3515; RFC 5589 section 5).

we                 peer                target
REFER ─────────────→
←───────────── 202
←─── NOTIFY 100, 180 ──── INVITE ────→
←────────── NOTIFY 200 ←──── 200 ─────     then we send BYE
←────────── NOTIFY 486 ←──── 486 ─────     or the caller is ours again
"""

from __future__ import annotations

import asyncio

from sipserver.legs import Leg, ReferProgress
from sipserver.message import MessageError
from sipserver.once import Once
from sipserver.protocols import TransferFailure
from sipserver.transfer.failure import NotTransferred, not_reached
from sipserver.transfer.record import Row

REFER_SECONDS = 180.0
"""How long the peer may take to bring its call to an end, ringing included."""
UNABLE = frozenset({405, 420, 501, 603})
"""What a peer refuses a REFER with that does not do transfers: then we do it ourselves. Every other refusal is meant for this one."""


class PeerUnable(Exception):
    """The peer does not do transfers."""


def allows_refer(leg: Leg) -> bool:
    """Whether the peer's Allow has REFER. One that sent us no Allow is asked (RFC 3261 section 20.5: it may do anything)."""
    if leg.source is None:
        return True
    allowed = ",".join(leg.invite.headers.all("allow"))
    return not allowed.strip() or "REFER" in {method.strip().upper() for method in allowed.split(",")}


class BlindTransfer:
    """One REFER. `told` is called with everything that becomes of it, as it happens."""

    def __init__(self, row: Row) -> None:
        self.gone = False
        """The caller is somebody else's."""
        self._row = row
        self._accepted = False
        self._end: Once[ReferProgress] = Once()

    async def refer(self, leg: Leg, to: str) -> None:
        """Returns when the caller is with `to`, a URI. Raises NotTransferred, PeerUnable."""
        if not allows_refer(leg):
            raise PeerUnable
        try:
            if not leg.refer(to):
                raise NotTransferred(TransferFailure.UNAVAILABLE)
        except MessageError:
            raise NotTransferred(TransferFailure.UNAVAILABLE) from None
        try:
            async with asyncio.timeout(REFER_SECONDS):
                end = await self._end.wait()
        except TimeoutError:
            raise NotTransferred(TransferFailure.NO_ANSWER) from None
        if self.gone:
            return
        if self._accepted:
            raise not_reached(end.status)
        if end.status in UNABLE:
            raise PeerUnable
        raise NotTransferred(TransferFailure.REFER_REFUSED, end.status)

    def told(self, progress: ReferProgress) -> None:
        """A peer that hangs up after it took the REFER has the caller with the target, as far as it tells (RFC 5589 section 5.1)."""
        if progress.final:
            self.gone = self._end.set(progress) and progress.status < 300
            if self.gone:
                self._row.completed()
            return
        self._accepted = True
        if 180 <= progress.status <= 199:
            self._row.ringing()
