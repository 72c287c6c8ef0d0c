"""A second INVITE for a call that we place: after a refusal that can be mended, and to where a 3xx sends us. Sans-I/O.

It has the Call-ID and the From tag of the first, the next CSeq and a branch of its own (RFC 3261 sections 8.1.3.4 and 8.1.3.5).
"""

from __future__ import annotations

from dataclasses import replace

from sipserver.locate import Target
from sipserver.message import Request, Response, SipUri
from sipserver.useragent.placing import Placing
from sipserver.useragent.redirect import Redirection
from sipserver.useragent.remedy import Remedies


class SecondTries:
    """Those of one call."""

    def __init__(self, placing: Placing) -> None:
        self._placing = placing
        self._remedies = Remedies(placing.trunk.options)
        self._redirection = Redirection(placing.trunk, SipUri.parse(placing.request.uri))

    @property
    def problem(self) -> str | None:
        """Why a redirection was not followed."""
        return self._redirection.problem

    def after(self, request: Request, response: Response | None, target: Target | None, cseq: int) -> Placing | None:
        """What to send now that this request was refused (None: got no answer); None where nothing is left to be tried.

        `target` is where the request went to, `cseq` the number of the next one.
        """
        again = None if response is None else self._remedies.after(request, response)
        hop = self._placing.hop
        if again is None:
            uri = self._next_target(response, target)
            if uri is None:
                return None
            again = replace(request, uri=str(uri))
            if self._placing.trunk.outbound_proxy is None:
                return replace(self._placing, request=_renewed(again, cseq), hop=self._hop(uri), others=())
        return replace(self._placing, request=_renewed(again, cseq), hop=hop)

    def _next_target(self, response: Response | None, target: Target | None) -> SipUri | None:
        """Who is called and declines for everybody is not called by another way (section 21.6)."""
        if response is not None and response.status >= 600:
            return None
        if response is not None and response.status < 400:
            self._redirection.take(response, None if target is None else target.host)
        return self._redirection.next()

    def _hop(self, uri: SipUri) -> SipUri:
        """The redirected URI's host and port, by the trunk's own transport."""
        return replace(uri, user=None, params=self._placing.hop.params)


def _renewed(request: Request, cseq: int) -> Request:
    headers = request.headers.copy()
    for name in ("Via", "Authorization", "Proxy-Authorization"):
        headers.remove(name)
    headers.set("CSeq", f"{cseq} {request.method}")
    return replace(request, headers=headers)
