"""Dialogs (RFC 3261 section 12): who talks to whom, by which way, and how far both have counted.

A dialog is made by a response to INVITE, seen from either side. Its route set is the Record-Route list, in its order on the side
that was called and reversed on the side that calls; its remote target is the peer's Contact. Both are kept byte-exact:
proxies write their notes into the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sipserver.legs import Source
from sipserver.message import Headers, MessageError, NameAddr, Request, Response, SipUri
from sipserver.transaction.layer import COOKIE

DialogId = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag. A peer of RFC 2543 has an empty tag (RFC 3261 section 12.1.1)."""


@dataclass(slots=True)
class Dialog:
    """One dialog. `local` and `remote` are the To and From of its requests, tags included.

    `remote_cseq` is None until the peer has sent a request in it. `flow` is the connection that the dialog was made over.
    """

    call_id: str
    local: NameAddr
    remote: NameAddr
    remote_target: str
    route_set: tuple[str, ...]
    local_cseq: int
    remote_cseq: int | None
    flow: Source | None = None

    @classmethod
    def of_server(cls, request: Request, local_tag: str, flow: Source | None = None) -> Dialog:
        """As the one who is called sees it (section 12.1.1). Raises MessageError for an INVITE whose Contact or routes lead nowhere."""
        dialog = cls(
            call_id=request.call_id,
            local=request.to.with_tag(local_tag),
            remote=request.from_,
            remote_target=_caller_target(request),
            route_set=tuple(request.record_routes),
            local_cseq=0,
            remote_cseq=request.cseq.number,
            flow=flow,
        )
        dialog.next_hop()
        return dialog

    @classmethod
    def of_client(cls, request: Request, response: Response, flow: Source | None = None) -> Dialog:
        """As the one who calls sees it (section 12.1.2). Raises MessageError for a response whose Contact or routes lead nowhere."""
        dialog = cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            remote_target=contact_of(response),
            route_set=tuple(reversed(response.record_routes)),
            local_cseq=request.cseq.number,
            remote_cseq=None,
            flow=flow,
        )
        dialog.next_hop()
        return dialog

    @property
    def id(self) -> DialogId:
        """What a request in this dialog is found by."""
        return (self.call_id, self.local.tag or "", self.remote.tag or "")

    def confirm(self, request: Request, response: Response) -> None:
        """The 2xx of our INVITE: its Contact and its route set replace those of the early dialog (section 13.2.2.4)."""
        fresh = Dialog.of_client(request, response)
        self.remote_target, self.route_set = fresh.remote_target, fresh.route_set
        self.local_cseq = max(self.local_cseq, fresh.local_cseq)

    def refresh(self, message: Request | Response) -> None:
        """A target refresh: the Contact, where there is a usable one, replaces the target, the route set stays (12.2.1.2)."""
        try:
            self.remote_target = contact_of(message)
        except MessageError:
            return

    def in_order(self, cseq: int) -> bool:
        """Whether a request of the peer comes in its turn; if so it is counted (section 12.2.2)."""
        if self.remote_cseq is not None and cseq <= self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def next_cseq(self) -> int:
        """The number of our next request."""
        self.local_cseq += 1
        return self.local_cseq

    def request(self, method: str, cseq: int | None = None) -> Request:
        """A request in this dialog, yet without Via (section 12.2.1.1). `cseq` is given for an ACK: that of its INVITE."""
        uri, routes = self._way()
        headers = Headers()
        for route in routes:
            headers.add("Route", route)
        headers.add("Max-Forwards", "70")
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{self.next_cseq() if cseq is None else cseq} {method}")
        return Request(method, uri, headers, b"")

    def next_hop(self) -> SipUri:
        """Whom a request in this dialog is sent to: the first route, else the remote target."""
        uri = NameAddr.parse(self.route_set[0]).uri if self.route_set else self.remote_target
        return SipUri.parse(uri)

    def _way(self) -> tuple[str, tuple[str, ...]]:
        """Request-URI and Route. A strict router gets its own URI there, and the target goes last (section 12.2.1.1)."""
        if not self.route_set:
            return self.remote_target, ()
        first = SipUri.parse(NameAddr.parse(self.route_set[0]).uri)
        if first.is_loose_router:
            return self.remote_target, self.route_set
        # A Request-URI may carry neither headers nor a method parameter (section 19.1.1).
        bare = replace(first, headers=(), params=first.params.without("method"))
        return str(bare), (*self.route_set[1:], f"<{self.remote_target}>")


def contact_of(message: Request | Response) -> str:
    """The URI of the one Contact. Raises MessageError where there is none, or none that requests can be sent to."""
    contacts = message.contacts
    if not contacts:
        raise MessageError("A Contact is missing.")
    SipUri.parse(contacts[0].uri)
    return contacts[0].uri


def _caller_target(invite: Request) -> str:
    """The caller's Contact, which was optional before RFC 3261: then it is the From (RFC 2543 section 6.13)."""
    if "contact" in invite.headers or (invite.via.branch or "").startswith(COOKIE):
        return contact_of(invite)
    return invite.from_.uri


def server_dialog_id(request: Request) -> DialogId:
    """The id of the dialog that a request from the peer belongs to."""
    return (request.call_id, request.to.tag or "", request.from_.tag or "")
