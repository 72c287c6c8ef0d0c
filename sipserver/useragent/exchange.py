"""A request of ours and its final answer: found its way, given its Via, sent, and sent again with credentials if need be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from sipserver.digest import DigestClient, DigestError
from sipserver.legs import Source
from sipserver.locate import Target
from sipserver.message import Request, Response, SipUri
from sipserver.transaction import ClientTransaction, TransactionLayer
from sipserver.useragent.identity import Identity


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

    def avoid(self, target: Target) -> None:
        """This target failed; others come before it for a while."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be sent, and where. `request` is without Via; `next_cseq` gives the number of a repetition with credentials.

    `flow` is a connection to be preferred, `domain` what a TLS server has to be where `hop` is only an address. `digest`
    answers challenges, None where nobody has trusted us with a password; `trusted` are the addresses whose challenges may be
    answered (None: whomever this request goes to).
    """

    request: Request
    hop: SipUri
    next_cseq: Callable[[], int]
    flow: Source | None = None
    domain: str | None = None
    digest: DigestClient | None = None
    trusted: str | None = None
    ladder: bool = True


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
        self._final = False
        self._targets: tuple[Target, ...] = ()
        self._answered = False
        self._attempt = None if errand.digest is None else errand.digest.attempt()

    def start(self) -> None:
        """Send it, as soon as it is known where to."""
        self._postman.locate(self._errand.hop, self._errand.flow, self._found, self._lost)

    def call_off(self) -> None:
        """Begin nothing more: what has not been sent is not sent, and challenges are not answered."""
        self.called_off = True

    def _found(self, targets: tuple[Target, ...]) -> None:
        self._targets = targets[1:]
        self._send(targets[0])

    def _next(self) -> bool:
        """Try the next target in a transaction of its own (RFC 3263 section 4.3); False where there is none.

        Somebody who has said that it rings has taken the request: what he says in the end counts.
        """
        if self.target is None or self.called_off or self._final or self._answered:
            return False
        self._postman.avoid(self.target)
        if not self._targets:
            return False
        target, self._targets = self._targets[0], self._targets[1:]
        self.request = replace(self.request, headers=self.request.headers.copy())
        self.request.headers.remove("Via")
        self._send(target)
        return True

    def _send(self, target: Target) -> None:
        if target.transport == "tls" and target.server_name is None:
            target = replace(target, server_name=self._errand.domain)
        self.target = target
        if self.called_off:
            self._lost(487, "Called off before it was sent")
            return
        self.request.headers.insert("Via", str(self._postman.identity.via(target.transport)))
        self.transaction = self._postman.transactions.request(
            self.request, target, self._receive, self._fail, ladder=self._errand.ladder
        )

    def _receive(self, response: Response) -> None:
        if self._final and response.status >= 300:
            return
        self._answered = self._answered or 100 < response.status < 200
        if response.status == 503 and self._next():
            return
        if response.status in (401, 407):
            again = self._with_credentials(response)
            if again is not None and self.target is not None:
                self.request = again
                self._send(self.target)
                return
        self._final = self._final or response.status >= 200
        self._on_response(response)

    def _with_credentials(self, response: Response) -> Request | None:
        """The request again with an answer to the challenge: the next CSeq, a new branch, all else the same (section 22.2)."""
        target, trusted = self.target, self._errand.trusted
        if self._attempt is None or self.called_off or target is None or trusted not in (None, target.host):
            return None
        try:
            credentials = self._attempt.answer(response, self.request, self._postman.identity.random(8).hex())
        except DigestError:
            return None
        again = replace(self.request, headers=self.request.headers.copy())
        for name in ("Via", "Authorization", "Proxy-Authorization"):
            again.headers.remove(name)
        again.headers.set("CSeq", f"{self._errand.next_cseq()} {again.method}")
        for name, value in credentials:
            again.headers.add(name, value)
        return again

    def _fail(self, status: int) -> None:
        if self._next():
            return
        self._lost(status, "No answer came" if status == 408 else "The transport failed")

    def _lost(self, status: int, reason: str) -> None:
        if not self._final:
            self._final = True
            self._on_failure(status, reason)
