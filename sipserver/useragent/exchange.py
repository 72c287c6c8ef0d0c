"""A request of ours and its final answer: found its way, given its Via, sent, and sent again with credentials if need be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from sipserver.digest import DigestClient, DigestError
from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import MessageError, Request, Response, SipUri
from sipserver.message.retry_after import retry_after
from sipserver.protocols import Trunk
from sipserver.transaction import ClientTransaction, TransactionLayer
from sipserver.useragent.addresses import Facing
from sipserver.useragent.identity import Identity

LARGE = 1300
"""Bytes of a request that do not fit into one datagram everywhere (RFC 3261 section 18.1.1)."""

_CREDENTIALS = ("Authorization", "Proxy-Authorization")


class Postman(Protocol):
    """What an exchange needs of the user agent."""

    identity: Identity
    transactions: TransactionLayer

    def locate(
        self,
        uri: SipUri,
        flow: Source | None,
        found: Callable[[tuple[Target, ...]], None],
        lost: Callable[[int, str], None],
    ) -> None:
        """Find where the URI leads, now or after look-ups, and call one of the two."""

    def avoid(self, target: Target, seconds: float | None = None) -> None:
        """This target failed; others come before it for a while, or for as long as it said."""

    def avoids(self, target: Target) -> bool:
        """Whether it failed a short while ago."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be sent, and where. `request` is without Via; `next_cseq` gives the number of a repetition with credentials.

    `flow` is a connection to be preferred, `domain` what a TLS server has to be where `hop` is only an address. `digest`
    answers challenges, None where nobody has trusted us with a password; `trusted` are the addresses whose challenges may be
    answered (None: whomever this request goes to). `trunk` is whose peer it goes to; `contact` writes our Contact for whom the
    request goes to in the end (None: it has none, or the right one). `others` are tried, in order, when nobody at `hop` takes it.
    """

    request: Request
    hop: SipUri
    next_cseq: Callable[[], int]
    flow: Source | None = None
    domain: str | None = None
    digest: DigestClient | None = None
    trusted: str | None = None
    ladder: bool = True
    trunk: Trunk | None = None
    contact: Callable[[Facing], str] | None = None
    others: tuple[SipUri, ...] = ()

    @property
    def may_change_transport(self) -> bool:
        """Whether a large request may go over TCP instead of UDP: by default not, for many trunks have no TCP."""
        return self.trunk is not None and self.trunk.transport == "auto" and self.hop.params.get("transport") is None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `response` is its final one; None where none came, and `status` and `reason` say why (408, 503).

    `request` is what was sent last, `target` where to (None: nowhere was found).
    """

    status: int
    reason: str
    response: Response | None
    request: Request
    target: Target | None


class Exchange:
    """Runs one errand. `on_response` gets the provisional answers and the final one, all 2xx of an INVITE, but no challenge
    that was answered; `on_failure` gets 408 or 503 and why. `request` and `transaction` are those last sent.
    """

    def __init__(
        self,
        postman: Postman,
        errand: Errand,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int, str], None],
    ) -> None:
        self.request = errand.request
        self.transaction: ClientTransaction | None = None
        self.target: Target | None = None
        self.called_off = False
        self._postman = postman
        self._errand = errand
        self._on_response = on_response
        self._on_failure = on_failure
        self._facing: Facing | None = None
        self._large_over: Target | None = None
        self._final = False
        self._targets: tuple[Target, ...] = ()
        self._hops = [errand.hop, *errand.others]
        self._failing: tuple[Target, ...] = ()
        self._answered = False
        self._ahead = False
        self._attempt = None if errand.digest is None else errand.digest.attempt()

    def start(self) -> None:
        """Send it, as soon as it is known where to."""
        self._locate()

    def call_off(self) -> None:
        """Begin nothing more: what has not been sent is not sent, and challenges are not answered."""
        self.called_off = True

    def _locate(self) -> None:
        self._postman.locate(self._hops.pop(0), self._errand.flow, self._found, self._not_found)

    def _found(self, targets: tuple[Target, ...]) -> None:
        """A hop all of whose targets have failed a short while ago waits until the others have been tried."""
        if self._hops and all(self._postman.avoids(target) for target in targets):
            self._failing += targets
            self._locate()
            return
        self._targets = targets if self._hops else (*targets, *self._failing)
        self._send_next()

    def _not_found(self, status: int, reason: str) -> None:
        if self._hops and not self.called_off:
            self._locate()
        elif self._failing:
            self._targets, self._failing = self._failing, ()
            self._send_next()
        else:
            self._lost(status, reason)

    def _send_next(self) -> None:
        target, self._targets = self._targets[0], self._targets[1:]
        if self.target is None:
            self._send(target)
        else:
            self._send_anew(target)

    def _next(self, refusal: Response | None = None) -> bool:
        """Try the next target in a transaction of its own (RFC 3263 section 4.3); False where there is none.

        Somebody who has said that it rings has taken the request: what he says in the end counts. `refusal` is the 503 of this one.
        """
        if self.target is None or self.called_off or self._final or self._answered:
            return False
        self._postman.avoid(self.target, None if refusal is None else retry_after(refusal))
        if self._targets:
            self._send_next()
        elif self._hops:
            self._locate()
        else:
            return False
        return True

    def _send_anew(self, target: Target) -> None:
        self.request = replace(self.request, headers=self.request.headers.copy())
        self.request.headers.remove("Via")
        if self._ahead:
            self._strip_credentials()
        self._send(target)

    def _send(self, target: Target) -> None:
        if target.transport == "tls" and target.server_name is None:
            target = replace(target, server_name=self._errand.domain)
        self.target = target
        if self.called_off:
            self._lost(487, "Called off before it was sent")
            return
        identity = self._postman.identity
        facing = Facing(target.transport, target.host, self._errand.trunk)
        if self._errand.contact is not None:
            # By the transport that the name leads to, whatever this one request travels by.
            self.request.headers.set("Contact", self._errand.contact(facing))
        self._show_credentials(target)
        via = str(identity.via(facing))
        self._large_over = self._large_target(target, via)
        by = self._large_over or target
        self._facing = replace(facing, transport=by.transport)
        self.request.headers.insert("Via", via if by is target else str(identity.via(self._facing)))
        self.transaction = self._postman.transactions.request(
            self.request, by, self._receive, self._fail, ladder=self._errand.ladder
        )

    def _show_credentials(self, target: Target) -> None:
        """What this place asked for the last time it gets unasked: the request may pass at once (RFC 3261 section 22.2)."""
        digest, headers = self._errand.digest, self.request.headers
        if digest is None or self._errand.trusted not in (None, target.host):
            return
        if any(name in headers for name in _CREDENTIALS):
            return
        for name, value in digest.credentials(self.request, target.host):
            headers.add(name, value)
            self._ahead = True

    def _strip_credentials(self) -> None:
        for name in _CREDENTIALS:
            self.request.headers.remove(name)
        self._ahead = False

    def _large_target(self, target: Target, via: str) -> Target | None:
        """The same place over TCP, for a request that with this Via is too large for a datagram; None where it goes as it is.

        Where TCP has failed a short while ago it is not tried again.
        """
        if target.transport != "udp" or not self._errand.may_change_transport:
            return None
        if "tcp" not in self._postman.identity.ports:
            return None
        if len(bytes(self.request)) + len(f"Via: {via}\r\n") <= LARGE:
            return None
        over_tcp = replace(target, transport="tcp", flow=None)
        return None if self._postman.avoids(over_tcp) else over_tcp

    def _learn(self, response: Response) -> None:
        """What the answer shows of the address that we are seen at."""
        if self._facing is None or self._facing.trunk is None:
            return
        try:
            self._postman.identity.addresses.learn(self._facing, response.via)
        except MessageError:
            return

    def _receive(self, response: Response) -> None:
        self._learn(response)
        if self._final and response.status >= 300:
            return
        self._answered = self._answered or 100 < response.status < 200
        if response.status == 503 and self._next(response):
            return
        if response.status in (401, 407):
            again = self._with_credentials(response)
            if again is not None and self.target is not None:
                self.request = again
                self._send(self.target)
                return
        if response.status >= 200 and self._errand.digest is not None:
            self._errand.digest.learn(self.request, response)
        self._final = self._final or response.status >= 200
        self._on_response(response)

    def _with_credentials(self, response: Response) -> Request | None:
        """The request again with an answer to the challenge: the next CSeq, a new branch, all else the same (section 22.2)."""
        target, trusted = self.target, self._errand.trusted
        if self._attempt is None or self.called_off or target is None or trusted not in (None, target.host):
            return None
        try:
            cnonce = self._postman.identity.random(8).hex()
            credentials = self._attempt.answer(response, self.request, cnonce, target.host)
        except DigestError:
            if self._errand.digest is not None:
                self._errand.digest.forget()
            return None
        self._ahead = False
        again = replace(self.request, headers=self.request.headers.copy())
        for name in ("Via", *_CREDENTIALS):
            again.headers.remove(name)
        again.headers.set("CSeq", f"{self._errand.next_cseq()} {again.method}")
        for name, value in credentials:
            again.headers.add(name, value)
        return again

    def _fail(self, status: int) -> None:
        if self._went_large(status) or self._next():
            return
        self._lost(status, "No answer came" if status == 408 else "The transport failed")

    def _went_large(self, status: int) -> bool:
        """The peer takes no TCP: the large request goes over UDP after all (RFC 3261 section 18.1.1)."""
        if self._large_over is None or self.target is None or status != 503:
            return False
        if self.called_off or self._final or self._answered:
            return False
        self._postman.avoid(self._large_over)
        self._send_anew(self.target)
        return True

    def _lost(self, status: int, reason: str) -> None:
        if not self._final:
            self._final = True
            self._on_failure(status, reason)
