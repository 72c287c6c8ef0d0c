"""The two requests that belong to an INVITE's own hop: the ACK of its failure, and its CANCEL."""

from __future__ import annotations

from sipserver.message import Headers, Request, Response


def ack_of_failure(invite: Request, response: Response) -> Request:
    """The ACK of a final answer that is not 2xx: the INVITE's Via, Route and URI, the answer's To (RFC 3261 section 17.1.1.3)."""
    ack = _of_same_hop("ACK", invite)
    ack.headers.set("To", response.headers.get("To") or "")
    return ack


def cancel_of(invite: Request) -> Request:
    """The CANCEL of an INVITE: all that identifies it is the same, and there is no body (RFC 3261 section 9.1)."""
    return _of_same_hop("CANCEL", invite)


def _of_same_hop(method: str, invite: Request) -> Request:
    headers = Headers()
    headers.add("Via", str(invite.vias[0]))
    for route in invite.headers.all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    for name in ("From", "To", "Call-ID"):
        headers.add(name, invite.headers.get(name) or "")
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    headers.add("Content-Length", "0")
    return Request(method, invite.uri, headers, b"")
