"""The ACK of a 2xx that we got (RFC 3261 section 13.2.2.4)."""

from __future__ import annotations

from sipserver.dialog import Dialog
from sipserver.locate import Target
from sipserver.message import Request
from sipserver.protocols import Trunk
from sipserver.transaction import Outgoing
from sipserver.useragent.addresses import Facing
from sipserver.useragent.exchange import Postman


class Acknowledgement:
    """The ACK of one 2xx. It is a hop of its own, without a transaction: found its way once, sent for each repetition."""

    def __init__(self, postman: Postman, ack: Request, dialog: Dialog, trunk: Trunk | None) -> None:
        self._postman = postman
        self._ack = ack
        self._dialog = dialog
        self._trunk = trunk
        self._outgoing: Outgoing | None = None
        self._locating = False

    def send(self) -> None:
        """Send it, again if it has been sent."""
        if self._outgoing is not None:
            self._postman.transactions.transmit(self._outgoing)
        elif not self._locating:
            self._locating = True
            self._postman.locate(self._dialog.next_hop(), self._dialog.flow, self._found, self._lost)

    def _found(self, targets: tuple[Target, ...]) -> None:
        target, self._locating = targets[0], False
        facing = Facing(target.transport, target.host, self._trunk)
        self._ack.headers.insert("Via", str(self._postman.identity.via(facing)))
        self._outgoing = Outgoing(self._ack, bytes(self._ack), target, None, True)
        self._postman.transactions.transmit(self._outgoing)

    def _lost(self, status: int, reason: str) -> None:
        """The next repetition of the 2xx tries again; without an ACK the callee ends the call by itself."""
        self._locating = False


def ack_of(dialog: Dialog, invite: Request) -> Request:
    """The ACK of this INVITE's 2xx: along the dialog, with the INVITE's number and credentials (sections 13.2.2.4 and 22.1)."""
    ack = dialog.request("ACK", invite.cseq.number)
    for name in ("Authorization", "Proxy-Authorization"):
        for value in invite.headers.all(name):
            ack.headers.add(name, value)
    return ack
