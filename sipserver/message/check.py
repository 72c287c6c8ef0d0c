"""What a user agent looks at before it acts on a message: RFC 3261 section 8.2 for requests, 8.1.3 for responses.

Pure: what depends on transactions and dialogs (482 for merged requests, 481, 491 and 500 for CSeq order) is the endpoint's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sipserver.message.error import MessageError
from sipserver.message.fields import NameAddr
from sipserver.message.message import Request, Response
from sipserver.message.multipart import media_type
from sipserver.message.session_expires import MIN_SE, SessionExpires
from sipserver.message.uri import SipUri, scheme_of

_SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-type")
_CALL_ID = re.compile(r"\S+")
_WITHOUT_REQUIRE = ("ACK", "CANCEL")
_ANSWERED_WITH_SDP = ("INVITE", "UPDATE")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the user agent understands; what it says in Allow, Supported and Accept.

    `methods` are case-sensitive; `options` are option tags, `schemes` those of the Request-URI, `bodies` media types, all in
    lower case.
    """

    methods: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")
    options: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ("sip", "sips", "tel")
    bodies: tuple[str, ...] = ("application/sdp", "multipart/mixed", "multipart/alternative", "multipart/related")

    @property
    def allow(self) -> str:
        """The value of Allow."""
        return ", ".join(self.methods)

    @property
    def accept(self) -> str:
        """The value of Accept."""
        return ", ".join(self.bodies)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final answer: status, the sentence why (for the log), and the headers that it must carry."""

    status: int
    sentence: str
    headers: tuple[tuple[str, str], ...] = ()


def refuse(request: Request, able: Capabilities) -> Refusal | None:
    """Why the request cannot be processed, in the order of RFC 3261 section 8.2; None when it can.

    An ACK is never answered: for it, any refusal means to drop it. `MessageError` of `parse` comes before this.
    """
    try:
        _check_request(request)
    except MessageError as error:
        return Refusal(400, str(error))
    for check in _CHECKS:
        refusal = check(request, able)
        if refusal is not None:
            return refusal
    return None


def discard(response: Response) -> str | None:
    """The sentence why a response is to be dropped silently (RFC 3261 sections 8.1.3.3 and 18.1.2); None when it is not."""
    try:
        _check_fields(response)
    except MessageError as error:
        return str(error)
    return None if len(response.vias) == 1 else "It has more than one Via, so it is not for us."


def _check_fields(message: Request | Response) -> None:
    repeated = message.headers.repeated(_SINGLE)
    if repeated is not None:
        raise MessageError(f"There is more than one {repeated} header.")
    if not message.vias:
        raise MessageError("There is no via header.")
    if _CALL_ID.fullmatch(message.call_id) is None:
        raise MessageError("The Call-ID holds white space.")
    _ = message.from_, message.to, message.cseq, message.contacts
    for value in message.record_routes:
        NameAddr.parse(value)


def _check_request(request: Request) -> None:
    _check_fields(request)
    if request.cseq.method != request.method:
        raise MessageError(f"The CSeq is of {request.cseq.method}, the request is {request.method}.")
    if request.method != "INVITE" and "replaces" in request.headers:
        raise MessageError("Only an INVITE can replace a dialog (RFC 3891 section 3).")
    if scheme_of(request.uri) in ("sip", "sips") and SipUri.parse(request.uri).headers:
        raise MessageError("A Request-URI cannot carry headers (RFC 3261 section 19.1.1).")


def _method(request: Request, able: Capabilities) -> Refusal | None:
    if request.method in able.methods:
        return None
    return Refusal(405, f"{request.method} is not supported.", (("Allow", able.allow),))


def _scheme(request: Request, able: Capabilities) -> Refusal | None:
    scheme = scheme_of(request.uri)
    return None if scheme in able.schemes else Refusal(416, f"The scheme {scheme} is not supported.")


def _require(request: Request, able: Capabilities) -> Refusal | None:
    if request.method in _WITHOUT_REQUIRE:
        return None
    unknown = [tag for tag in request.headers.all("require") if tag and tag.lower() not in able.options]
    if not unknown:
        return None
    return Refusal(420, "It requires what is not supported.", (("Unsupported", ", ".join(unknown)),))


def _content(request: Request, able: Capabilities) -> Refusal | None:
    """RFC 3261 section 8.2.3. A body without a type is left to whoever reads it."""
    if not request.body or "handling=optional" in (request.headers.get("content-disposition") or "").lower():
        return None
    encodings = [coding for coding in request.headers.all("content-encoding") if coding.lower() != "identity"]
    if encodings:
        return Refusal(415, f"The encoding {encodings[0]} is not supported.", (("Accept-Encoding", "identity"),))
    kind = media_type(request.headers.get("content-type") or able.bodies[0])
    if kind in able.bodies:
        return None
    return Refusal(415, f"The content type {kind} is not supported.", (("Accept", able.accept),))


def _acceptable(request: Request, able: Capabilities) -> Refusal | None:
    """A session description is what INVITE and UPDATE are answered with, so they must accept it (RFC 3261 section 20.1)."""
    if request.method not in _ANSWERED_WITH_SDP or "accept" not in request.headers:
        return None
    if any(media_type(value) in ("application/sdp", "application/*", "*/*") for value in _accepted(request)):
        return None
    return Refusal(406, "It does not accept application/sdp.", (("Accept", able.accept),))


def _accepted(request: Request) -> Iterator[str]:
    return (value for value in request.headers.all("accept") if value)


def _session_interval(request: Request, able: Capabilities) -> Refusal | None:
    """RFC 4028 section 9: an interval below ours is refused, in the INVITE of a call as in its refresh."""
    if request.method not in _ANSWERED_WITH_SDP:
        return None
    asked = SessionExpires.of(request)
    if asked is None or asked.seconds >= MIN_SE:
        return None
    return Refusal(422, f"A session of {asked.seconds} s is too short.", (("Min-SE", str(MIN_SE)),))


_CHECKS: tuple[Callable[[Request, Capabilities], Refusal | None], ...] = (
    _method,
    _scheme,
    _require,
    _content,
    _acceptable,
    _session_interval,
)
