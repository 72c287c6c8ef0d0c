"""One registration at a registrar (RFC 3261 section 10.2), without sockets and clocks.

`Registration` is a user's binding at one registrar: it is made, refreshed in time, made again when something went wrong, and
removed. The driver takes each REGISTER that is `to_send`, tells what became of it (`answered`, `failed`), and calls
`handle_timer` when the `next_timer` is due. All REGISTERs share one Call-ID and count one CSeq, repetitions with credentials
included (section 10.2: the registrar drops what comes out of order).

    OUT ──start──> ASKING ──2xx──> IN ──refresh is due, flow failed, address changed──> ASKING
                     │ 423: ASKING, with the registrar's Min-Expires
                     │ 439: ASKING, without outbound
                     │ 403: REFUSED, until the trunk is changed
                     └ any other failure: WAITING ──back-off is over──> ASKING
    any ──leave──> LEAVING ──answer──> OUT

One request is under way at a time; what comes back for an earlier one is not looked at.

Over a connection the binding is one of outbound's (RFC 5626 section 4.2): the Contact names the instance and the flow, so a registrar
that knows of it replaces the binding of a connection that broke, and rings us once. On UDP it is not: there the flow is kept by
STUN (section 4.4.2), which registrars of trunks do not speak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

from sipserver.digest import DigestClient
from sipserver.message import Headers, MessageError, NameAddr, Params, Request, Response, SipUri
from sipserver.message.extensions import OUTBOUND, requires
from sipserver.message.retry_after import retry_after

Status = Literal["registering", "registered", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Account:
    """Who registers, where, and under which Contact. `line` is the Contact's user: by it we know again what comes in.

    `registrar` is the Request-URI, `hop` where requests are sent, `route` the pre-loaded Route (None without outbound proxy),
    `domain` what a TLS server has to be where `hop` is only an address.
    `host` and `port` are where peers reach us; `learn` says that the registrar may know better (RFC 3581). `instance` is a URN that
    stays the same for ever (RFC 5626 section 4.1).
    """

    registrar: SipUri
    aor: SipUri
    hop: SipUri
    route: str | None
    line: str
    host: str
    port: int | None
    transport: Literal["udp", "tcp", "tls"]
    user_agent: str
    call_id: str
    tag: str
    instance: str
    domain: str | None = None
    digest: DigestClient | None = field(default=None, repr=False)
    learn: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds. `expires` is what is asked for.

    After the n-th failure in a row the wait is 50–100 % of `base`·2ⁿ, at most of `most` (the form of RFC 5626 section 4.5, with a
    shorter beginning: a trunk has one flow, and its inbound calls are lost meanwhile). Wrong credentials wait for `refused`, for a
    registrar bans those who try them often. A flow that fails within `stable` of its registration counts as a failure.
    """

    expires: int = 600
    base: float = 5.0
    most: float = 300.0
    refused: float = 1800.0
    stable: float = 30.0
    longest: int = 86_400


@dataclass(frozen=True, slots=True)
class Register:
    """A REGISTER to be sent, without its Via. `number` goes with what becomes of it."""

    number: int
    request: Request


class _State(Enum):
    OUT = "out"
    ASKING = "asking"
    IN = "in"
    WAITING = "waiting"
    REFUSED = "refused"
    LEAVING = "leaving"


class Registration:
    """See the module. `random` gives numbers of [0, 1)."""

    def __init__(self, account: Account, random: Callable[[], float], patience: Patience = Patience()) -> None:
        self.account = account
        self.last_error: str | None = None
        self._random = random
        self._patience = patience
        self._state = _State.OUT
        self._cseq = 0
        self._number = 0
        self._expires = patience.expires
        self._outbox: Register | None = None
        self._due: float | None = None
        self._failures = 0
        self._valid_until: float | None = None
        self._since = 0.0
        self._rebound_at: float | None = None
        self._former: str | None = None
        self._found_by = account.transport
        self._outbound = True
        self._keeps_to_flow = False

    # -- what is told -------------------------------------------------------------------------------------------------

    def status(self, now: float) -> Status:
        """As the contract has it. A binding whose refresh failed is there until it expires."""
        if self._state in (_State.OUT, _State.REFUSED, _State.LEAVING):
            return "stopped"
        if self.expires_at(now) is not None:
            return "registered"
        return "failed" if self._state is _State.WAITING else "registering"

    def expires_at(self, now: float) -> float | None:
        """When the binding ends if nothing is done; None where there is none."""
        return self._valid_until if self._valid_until is not None and self._valid_until > now else None

    def keeps_to_flow(self, now: float) -> bool:
        """Whether the registrar sends us what comes over the connection of the binding: it says so by Require (RFC 5626 section 6)."""
        return self._keeps_to_flow and self.expires_at(now) is not None

    @property
    def over(self) -> bool:
        """Whether nothing is under way and nothing will be done by itself."""
        return self._state in (_State.OUT, _State.REFUSED)

    @property
    def contact(self) -> str:
        """Our Contact, in its brackets."""
        account = self.account
        params = Params() if account.transport == "udp" else Params((("transport", account.transport),))
        uri = SipUri("sip", account.line, None, account.host, account.port, params)
        return f"<{uri}>"

    # -- what is done -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Register."""
        self._ask()

    def leave(self, now: float) -> None:
        """Remove our own Contact, and no other (never `*`). Where there can be none, nothing is sent."""
        may_be_there = self._state is _State.ASKING or self.expires_at(now) is not None
        if self._state is _State.LEAVING:
            return
        self._due, self._outbox = None, None
        if not may_be_there:
            self._state = _State.OUT
            return
        self._state = _State.LEAVING
        self._send(0)

    def flow_failed(self, now: float) -> None:
        """The way to the registrar is broken: the binding leads nowhere (RFC 5626 section 4.2.1). Register at once.

        A flow that did not last waits like any failure, or a registrar that closes each connection would be asked for ever.
        """
        if self._state is _State.LEAVING:
            self._left()
        elif self._state in (_State.IN, _State.ASKING):
            was_stable = self._state is _State.IN and now - self._since >= self._patience.stable
            self._valid_until = None
            self.last_error = "The connection to the registrar was lost."
            if was_stable:
                self._ask()
            else:
                self._wait(now, None)

    def rebind(
        self, host: str, port: int | None, now: float, transport: Literal["udp", "tcp", "tls"] | None = None
    ) -> None:
        """We are reached elsewhere: register the new Contact at once, and remove the former one with the same request.

        A NAT that gives another port to each request must not make us send for ever: twice within `stable` waits for the refresh.
        """
        reached = replace(self.account, host=host, port=port, transport=transport or self.account.transport)
        if reached == self.account:
            return
        self._former = self._former or self.contact
        self.account = reached
        recently = self._rebound_at is not None and now - self._rebound_at < self._patience.stable
        if self._state is _State.IN and not recently:
            self._rebound_at = now
            self._ask()

    def found(self, transport: Literal["udp", "tcp", "tls"], *, learn: bool) -> None:
        """By which transport the registrar was found, and whether it may tell us our address there."""
        self._found_by = transport
        self.account = replace(self.account, learn=learn)

    def next_cseq(self) -> int:
        """The number of the next request, a repetition with credentials included."""
        self._cseq += 1
        return self._cseq

    def to_send(self) -> Register | None:
        """What is to be sent; once."""
        register, self._outbox = self._outbox, None
        return register

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called."""
        return self._due

    def handle_timer(self, now: float) -> None:
        """Refresh, or try again."""
        if self._due is not None and now >= self._due:
            self._ask()

    # -- what comes back ----------------------------------------------------------------------------------------------

    def answered(self, number: int, request: Request, response: Response, now: float) -> None:
        """The final response to the REGISTER of this number; `request` is what it answers, credentials included."""
        if number != self._number:
            return
        if self.account.digest is not None:
            self.account.digest.learn(request, response)
        if self._state is _State.LEAVING:
            self._left()
        elif response.status < 300:
            self._registered(response, now)
        else:
            self._refused(response, now)

    def failed(self, number: int, status: int, reason: str, now: float) -> None:
        """No answer came to the REGISTER of this number (408), or it could not be sent (503)."""
        if number != self._number:
            return
        if self._state is _State.LEAVING:
            self._left()
            return
        self.last_error = f"{reason}."
        self._wait(now, None)

    def _registered(self, response: Response, now: float) -> None:
        granted = self._granted(response)
        if not granted:
            self.last_error = "The registrar did not keep the registration."
            self._wait(now, None)
            return
        # Only a flow that lasts is a success: until then the failures are still counted.
        self._failures = 0 if self._state_lasted(now) else self._failures
        self._state, self._since = _State.IN, now
        self._former, self.last_error = None, None
        self._valid_until = now + granted
        self._keeps_to_flow = bool(self._flow_params()) and requires(response, OUTBOUND)
        # Before it lapses, and not all at the same moment: 50–85 % of what was granted.
        self._due = now + max(1.0, granted * (0.5 + 0.35 * self._random()))
        self._learn(response, now)

    def _state_lasted(self, now: float) -> bool:
        return self._failures == 0 or now - self._since >= self._patience.stable

    def _granted(self, response: Response) -> int:
        """What the registrar granted (section 10.2.4): our Contact's `expires`, else Expires, else what was asked for.

        Some rewrite the Contact: a lone one is ours whatever it says, and of several strangers the shortest is taken.
        """
        try:
            contacts = response.contacts
        except MessageError:
            contacts = []
        ours = [contact for contact in contacts if self._is_ours(contact)] or contacts
        given = [seconds for contact in ours if (seconds := _seconds(contact.params.get("expires"))) is not None]
        if given:
            return min(given) if not any(map(self._is_ours, ours)) else max(given)
        header = _seconds(response.headers.get("Expires"))
        return self._expires if header is None else header

    def _is_ours(self, contact: NameAddr) -> bool:
        try:
            return SipUri.parse(contact.uri).user == self.account.line
        except MessageError:
            return False

    def _learn(self, response: Response, now: float) -> None:
        """Where the registrar saw us (RFC 3581 section 4). On a connection its port is the connection's, not one we listen on."""
        if not self.account.learn:
            return
        try:
            via = response.via
        except MessageError:
            return
        received = via.received or self.account.host
        host = f"[{received}]" if ":" in received and not received.startswith("[") else received
        port = via.rport if self._found_by == "udp" and via.rport else self.account.port
        self.rebind(host, port, now, self._found_by)

    def _refused(self, response: Response, now: float) -> None:
        self.last_error = f"{response.status} {response.reason}".strip()
        if response.status == 403:
            self._state, self._due, self._valid_until = _State.REFUSED, None, None
        elif response.status == 423 and self._raised(response):
            self._ask()
        elif response.status == 439 and self._outbound:
            # First Hop Lacks Outbound Support: the registrar would, its proxy cannot (RFC 5626 section 11.6).
            self._outbound = False
            self._ask()
        elif response.status in (401, 407):
            self._valid_until = None
            self._state, self._due = _State.WAITING, now + self._jittered(self._patience.refused)
        else:
            if response.status < 500 and response.status != 408:
                self._valid_until = None
            self._wait(now, retry_after(response))

    def _raised(self, response: Response) -> bool:
        """Whether a 423 asked for longer than we did, and for something sensible (section 10.2.8)."""
        least = _seconds(response.headers.get("Min-Expires"))
        if least is None or not self._expires < least <= self._patience.longest:
            return False
        self._expires = least
        return True

    # -- what goes out ------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._state, self._due = _State.ASKING, None
        self._send(self._expires)

    def _wait(self, now: float, asked: int | None) -> None:
        self._failures += 1
        most = min(self._patience.most, self._patience.base * 2 ** min(self._failures, 30))
        delay = self._jittered(most)
        if asked is not None:
            # Never before the time that was asked for, and not with all the others exactly then.
            delay = max(delay, min(asked, self._patience.longest) * (1 + 0.1 * self._random()))
        self._number += 1
        self._state, self._due = _State.WAITING, now + delay

    def _jittered(self, seconds: float) -> float:
        return seconds * (0.5 + 0.5 * self._random())

    def _left(self) -> None:
        self._state, self._due, self._valid_until = _State.OUT, None, None

    def _send(self, expires: int) -> None:
        self._number += 1
        self._outbox = Register(self._number, self._request(expires))

    def _request(self, expires: int) -> Request:
        account = self.account
        headers = Headers()
        if account.route is not None:
            headers.add("Route", account.route)
        headers.add("Max-Forwards", "70")
        headers.add("From", f"<{account.aor}>;tag={account.tag}")
        headers.add("To", f"<{account.aor}>")
        headers.add("Call-ID", account.call_id)
        headers.add("CSeq", f"{self.next_cseq()} REGISTER")
        flow = self._flow_params()
        headers.add("Contact", f"{self.contact};expires={expires}{flow}")
        if self._former is not None and self._former != self.contact:
            headers.add("Contact", f"{self._former};expires=0")
        headers.add("Expires", str(expires))
        if flow:
            headers.add("Supported", f"path, {OUTBOUND}")
        headers.add("User-Agent", account.user_agent)
        request = Request("REGISTER", str(account.registrar), headers, b"")
        if account.digest is not None:
            for name, value in account.digest.credentials(request):
                headers.add(name, value)
        return request

    def _flow_params(self) -> str:
        """What tells the registrar whose flow this is; each trunk has one flow."""
        if not self._outbound or self.account.transport == "udp":
            return ""
        return f';+sip.instance="<{self.account.instance}>";reg-id=1'


def _seconds(text: str | None) -> int | None:
    """Delta-seconds, up to 2**32-1 (section 20.19); None for what is none."""
    digits = (text or "").strip()
    return min(int(digits), 2**32 - 1) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
