"""Responses to requests (RFC 3261 section 8.2.6), and the mark of where a request came from (section 18.2.1, RFC 3581)."""

from __future__ import annotations

from collections.abc import Iterable

from sipserver.message.error import MessageError
from sipserver.message.fields import Via
from sipserver.message.grammar import split_list
from sipserver.message.headers import KEYS, Headers
from sipserver.message.message import Request, Response
from sipserver.message.reasons import reason_of

_COPIED = tuple((name, KEYS[name]) for name in ("Via", "From", "To", "Call-ID", "CSeq"))
_COPIED_TO_100 = (*_COPIED, ("Timestamp", KEYS["Timestamp"]))
_COPIED_TO_SUCCESS = (_COPIED[0], ("Record-Route", KEYS["Record-Route"]), *_COPIED[1:])


def response_to(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Response:
    """The response to a request: its Vias, From, To, Call-ID and CSeq byte-exact, and what is given here.

    `to_tag` goes into the To if it has none, except in a 100. Timestamp is echoed in a 100, Record-Route in 101–299
    (RFC 3261 section 12.1.1). What the request lacks is left out, so that a malformed one can be answered too.
    """
    if to_tag is not None and (status == 100 or _has_tag(request)):
        to_tag = None
    copied = _COPIED_TO_100 if status == 100 else _COPIED_TO_SUCCESS if status < 300 else _COPIED
    answer = Headers.copied(request.headers, copied, to_tag)
    for name, value in headers:
        answer.add(name, value)
    if content_type is not None:
        answer.set("Content-Type", content_type)
    cseq = request.headers.views.get("cseq")
    if cseq is not None:
        # What was copied byte by byte need not be read again; last, for each line that is added looks for views to forget.
        answer.views["cseq"] = cseq
    return Response(status, reason_of(status) if reason is None else reason, answer, body)


def mark_source(request: Request, host: str, port: int) -> None:
    """Write into the topmost Via where the request really came from, so that the responses go there.

    `received` always where the Via's host differs or `rport` was asked for (RFC 3581 section 4). Raises MessageError for a
    request without a proper Via.
    """
    via = request.via
    symmetric = "rport" in via.params
    params = via.params
    if symmetric or via.host.strip("[]") != host:
        params = params.with_value("received", host)
    if symmetric:
        params = params.with_value("rport", str(port))
    if params is via.params:
        return
    marked = Via(via.transport, via.host, via.port, params)
    first, *others = request.headers.lines("via")
    request.headers.replace("Via", [", ".join([str(marked), *split_list(first)[1:]]), *others])
    # What was just written need not be read again.
    request.headers.views["via"] = marked


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except MessageError:
        return ";tag=" in (request.headers.get("to") or "")
