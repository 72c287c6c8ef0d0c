"""What can be mended after a refusal that says what was wrong with our INVITE (RFC 3261 section 8.1.3.5). Sans-I/O.

An extension that the peer cannot do is left out (420), one that it asks for is promised (421), each once; a session interval that
is too short for it or for a proxy on the way is made longer (422, RFC 4028 section 7.3). Nothing can be done about
413, 415 and 416: our body is one small session description without an encoding, and our URIs are sip: already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sipserver.message import Headers, Request, Response
from sipserver.message.extensions import RELIABLE, requires
from sipserver.message.session_expires import lengthened
from sipserver.protocols import TrunkOptions
from sipserver.useragent.identity import ABLE

_BELONGS_TO = {"timer": ("Session-Expires", "Min-SE")}
"""Headers that mean nothing without their extension."""

MAX_TOO_SHORT = 3
"""How many proxies on the way may each ask for a longer session interval than the one before."""


class Remedies:
    """Those for one call over a trunk with these options."""

    def __init__(self, options: TrunkOptions) -> None:
        self._options = options
        self._tried: set[int] = set()
        self._too_short = 0

    def after(self, request: Request, response: Response) -> Request | None:
        """The request as it may be accepted now; None where there is nothing to be mended."""
        if response.status == 422:
            self._too_short += 1
            return lengthened(request, response) if self._too_short <= MAX_TOO_SHORT else None
        if response.status in self._tried:
            return None
        self._tried.add(response.status)
        if response.status == 420:
            return self._without(request, response.headers.all("unsupported"))
        if response.status == 421:
            return self._with(request, response.headers.all("require"))
        return None

    def _without(self, request: Request, tags: Iterable[str]) -> Request | None:
        """What we require we require for a reason: without it the call would be another one."""
        unwanted = {tag.lower() for tag in tags}
        if any(requires(request, tag) for tag in unwanted):
            return None
        headers = request.headers.copy()
        _keep(headers, "Supported", [tag for tag in headers.all("Supported") if tag.lower() not in unwanted])
        if headers == request.headers:
            return None
        for tag in unwanted:
            for name in _BELONGS_TO.get(tag, ()):
                headers.remove(name)
        return replace(request, headers=headers)

    def _with(self, request: Request, tags: Iterable[str]) -> Request | None:
        wanted = {tag.lower() for tag in tags if tag}
        refused = {RELIABLE} if self._options.reliable100 == "off" else set()
        if not wanted or not wanted <= set(ABLE.options) - refused:
            return None
        headers = request.headers.copy()
        for name in ("Supported", "Require"):
            _keep(headers, name, [*headers.all(name), *sorted(wanted - {tag.lower() for tag in headers.all(name)})])
        return None if headers == request.headers else replace(request, headers=headers)


def _keep(headers: Headers, name: str, tags: list[str]) -> None:
    """Make these the option tags of a header."""
    if not tags:
        headers.remove(name)
    elif tags != headers.all(name):
        headers.set(name, ", ".join(tags))
