"""Refer-To and Referred-By (RFC 3515 section 2.1, RFC 3892 section 3): whom the receiver of a REFER is to call, and in whose name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote as percent_quote
from urllib.parse import unquote as percent_unquote

from sipserver.message import MessageError, NameAddr, Request, SipUri, scheme_of
from sipserver.replaces import Replaces

_CALLABLE = ("sip", "sips", "tel")


@dataclass(frozen=True, slots=True)
class ReferTo:
    """Whom to call: a sip:, sips: or tel: URI without headers, and the dialog there that the call is to replace."""

    uri: str
    replaces: Replaces | None = None

    @classmethod
    def of(cls, request: Request) -> ReferTo:
        """That of a REFER. Raises MessageError with the status to answer: 400; 416 for a scheme that cannot be called; 403 for
        a URI that asks for another method than INVITE.

        Headers of the URI other than Replaces are dropped: nothing of what the peer dictates gets into an INVITE of ours.
        """
        values = request.headers.all("refer-to")
        if len(values) != 1:
            raise MessageError("A REFER has exactly one Refer-To (RFC 3515 section 2.4.2).")
        uri = NameAddr.parse(values[0]).uri
        scheme = scheme_of(uri)
        if scheme not in _CALLABLE:
            raise MessageError(f"The scheme {scheme} is not called here.", 416)
        if scheme == "tel":
            return cls(uri)
        sip = SipUri.parse(uri)
        if (sip.params.get("method") or "INVITE") != "INVITE":
            raise MessageError("A REFER to another method than INVITE is not followed.", 403)
        bare = replace(sip, headers=(), params=sip.params.without("method"))
        return cls(str(bare), _replaces(sip))

    def __str__(self) -> str:
        """The header's value. Raises MessageError for what cannot be written, and for a URI with headers of its own."""
        scheme = scheme_of(self.uri)
        if scheme not in _CALLABLE:
            raise MessageError(f"The scheme {scheme} cannot be referred to.", 0)
        if scheme == "tel":
            if self.replaces is not None:
                raise MessageError("A dialog can only be replaced at a SIP URI.", 0)
            return str(NameAddr(None, self.uri))
        uri = SipUri.parse(self.uri)
        if uri.headers:
            raise MessageError("The URI to be referred to has headers already.", 0)
        if self.replaces is not None:
            uri = replace(uri, headers=(("Replaces", percent_quote(str(self.replaces), safe="")),))
        return str(NameAddr(None, str(uri)))


def referred_by_of(request: Request) -> str | None:
    """The Referred-By as it came. Raises MessageError for a malformed one and for more than one."""
    values = request.headers.all("referred-by")
    if len(values) > 1:
        raise MessageError("There is more than one Referred-By header.")
    for value in values:
        NameAddr.parse(value)
        return value
    return None


def _replaces(uri: SipUri) -> Replaces | None:
    values = [value for name, value in uri.headers if percent_unquote(name).lower() == "replaces"]
    if len(values) > 1:
        raise MessageError("The Refer-To has more than one Replaces.")
    return Replaces.parse(percent_unquote(values[0])) if values else None
