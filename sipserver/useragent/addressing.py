"""What a leg's headers are made of: Reason, the scheme of our Contact, the user of a URI."""

from __future__ import annotations

import re

from sipserver.message import MessageError, NameAddr, Request, Response, SipUri, scheme_of
from sipserver.message.grammar import quote

_Q850 = re.compile(r"Q\.850[ \t]*;(?:.*;)?[ \t]*cause[ \t]*=[ \t]*([0-9]{1,3})(?:[ \t]*;.*)?", re.IGNORECASE)


def reason_header(reason: str) -> str:
    """A Reason header (RFC 3326) of a plain text; what is one already stays as it is."""
    line = " ".join(reason.split())
    return line if ";" in line else f"SIP;text={quote(line)}"


def contact_scheme(request: Request) -> str:
    """`sips` where the request came to a sips: URI, or by a proxy that says so, or from one (RFC 3261 section 12.1.1)."""
    try:
        way = [NameAddr.parse(request.record_routes[0]).uri] if request.record_routes else [_contact(request)]
        schemes = {scheme_of(uri) for uri in (request.uri, *filter(None, way))}
    except MessageError:
        return "sip"
    return "sips" if "sips" in schemes else "sip"


def _contact(request: Request) -> str | None:
    contacts = request.contacts
    return contacts[0].uri if contacts else None


def user_part(uri: str) -> str | None:
    """The user of a SIP URI as it stands there; None for other schemes."""
    try:
        return SipUri.parse(uri).user
    except MessageError:
        return None


def q850_cause(response: Response) -> int | None:
    """The cause that the telephone network gave (RFC 3326: `Reason: Q.850;cause=17`); None where there is none."""
    for value in response.headers.all("Reason"):
        match = _Q850.fullmatch(value)
        if match is not None:
            return int(match[1])
    return None
