"""Transcripts on a time line: what a peer sends, what our owner does, and what must come out of it, and when.

    0.000  <  INVITE branch=a          the peer's request (or response: `180 tag=x`)
    0.000  >  100                      what we send at exactly that time, in this order
    0.010  !  reject 486               what the owner of the newest leg does
    0.510  >  486
    0.510  *  Ended lost               an event of the newest leg
    9.000  .                           nothing else until then

Every message and event has to be in the transcript; `#` begins a comment. Options after a message are words and `key=value`:
branch, cseq, of (in a response: the CSeq of the request of ours that it answers), tag (the peer's), to (our tag; `none`), sdp,
mixed (the same in a multipart body), body, contact, rr (a Record-Route), rack (0: our last RSeq, 1: the next) with `of` (the rest
of the RAck), takes (a Replaces that names this leg of ours), and any `Header-Name=value`.
`! turn_to 0` makes the first leg, then the second and so on, the one that is spoken of.
NOTIFY: `frag=180` is a status line as its body, `state` its Subscription-State; `> NOTIFY frag=180` looks at ours.
`>` lines take `key=value` too: uri, cseq, branch (a label: same label, same branch; other label, other branch), and headers.
"""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from sipserver.legs import (
    Ended,
    Guard,
    Invitation,
    KeyPressed,
    LegEvent,
    OfferRefused,
    Progress,
    ReferProgress,
    Referred,
    Refused,
    Source,
)
from sipserver.locate import Target
from sipserver.message import Headers, Request, Response, parse, response_to
from sipserver.protocols import Trunk
from sipserver.referto import ReferTo
from sipserver.replaces import Replaces
from sipserver.transaction import Intervals
from sipserver.useragent.addresses import Addresses, Told
from sipserver.useragent.client_leg import ClientLeg
from sipserver.useragent.core import UserAgent
from sipserver.useragent.events import Event, Happened, Invited, Over
from sipserver.useragent.finder import Question
from sipserver.useragent.identity import Identity, Limits
from sipserver.useragent.leg import AgentLeg
from sipserver.useragent.server_leg import ServerLeg

OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
MIXED = (
    b"--outer\r\nContent-Type: application/isup;version=itu-t92+\r\nContent-Disposition: signal;handling=optional\r\n\r\n\x01\r\n"
    b"--outer\r\nContent-Type: multipart/alternative;boundary=in\r\n\r\n--in\r\nContent-Type: text/plain\r\n\r\nno sdp\r\n"
    b"--in\r\nContent-Type: application/sdp\r\nContent-Disposition: session;handling=optional\r\n\r\n"
    + OFFER
    + b"\r\n--in--\r\n--outer--\r\n"
)
"""The same description among other things, nested, as switches with ISUP send it (RFC 5621)."""
ANSWER = OFFER.replace(b"192.0.2.9", b"192.0.2.1")
AT_ONCE = Intervals(trying=0.0)
TRUNK = Trunk("t", "o", "ip_allowlist", "192.0.2.9", 5070, username="u", password="p")


class Everybody:
    """A guard that lets everybody in."""

    def trusts(self, source: Source) -> bool:
        return False

    def admit(self, request: Request, source: Source) -> int | None:
        return None


def counting_random() -> Callable[[int], bytes]:
    """Randomness for tests: never the same twice, always the same sequence."""
    numbers = count(1)
    return lambda size: (next(numbers) % 256**size).to_bytes(size, "big")


def user_agent(
    guard: Guard | None = None,
    limits: Limits | None = None,
    is_full: Callable[[], bool] = lambda: False,
    takes_refer: Callable[[Source], bool] = lambda source: False,
    intervals: Intervals = AT_ONCE,
) -> UserAgent:
    """A user agent at 192.0.2.1:5060, which gives its 100 at once."""
    identity = Identity.make(
        Addresses(lambda _peer: "192.0.2.1", Told(learn=True)), {"udp": 5060, "tcp": 5060}, "Test", counting_random()
    )
    return UserAgent(
        identity, guard or Everybody(), limits=limits, is_full=is_full, takes_refer=takes_refer, intervals=intervals
    )


@dataclass
class Transcript:
    """Runs transcripts against one user agent; the peer is at 192.0.2.9:5070."""

    agent: UserAgent = field(default_factory=user_agent)
    transport: str = "udp"
    trunk: Trunk = TRUNK
    addresses: tuple[str, ...] = ("192.0.2.9",)

    def __post_init__(self) -> None:
        self.now = 0.0
        self.leg: AgentLeg | None = None
        self.legs: list[AgentLeg] = []
        self.sent: list[Request | Response] = []
        self.targets: list[Target] = []
        self.labels: dict[str, str | None] = {}
        self.our_tag: str | None = None
        self.offered = 0
        self.options: list[Response | None] = []
        self.referring: list[bool] = []
        self._out: deque[tuple[float, Request | Response]] = deque()
        self._happened: deque[tuple[float, str]] = deque()

    @property
    def source(self) -> Source:
        """Where the peer's messages come from."""
        return Source(self.transport, "192.0.2.9", 5070)  # type: ignore[arg-type]

    def run(self, text: str) -> None:
        """Walk the lines, in order of time."""
        for line in text.strip().splitlines():
            words = shlex.split(line, comments=True)
            if not words:
                continue
            self._advance(float(words[0]))
            self._line(words[1], words[2:], line)
        assert not self._out, f"unexpected: {[(at, _summary(message)) for at, message in self._out]}"
        assert not self._happened, f"unexpected: {list(self._happened)}"

    def _line(self, mark: str, words: list[str], line: str) -> None:
        self._collect()
        if mark == "<":
            self.agent.receive(self._message(words), self.source, self.now)
        elif mark == "!":
            self._do(words)
        elif mark == ">":
            self._expect_sent(words, line)
        elif mark == "*":
            assert self._happened, f"no event at {line}"
            assert self._happened.popleft() == (self.now, " ".join(words)), line
        self._collect()

    def _advance(self, until: float) -> None:
        while (due := self.agent.next_timer()) is not None and round(due, 6) <= until:
            self.now = round(due, 6)
            self.agent.handle_timer(due)
            self._collect()
        self.now = until
        self.agent.timers.now = until

    def _collect(self) -> None:
        while events := self.agent.events():
            for event in events:
                self._note(event)
        for outgoing in self.agent.to_send():
            message = parse(outgoing.data)
            _is_whole(message)
            self._out.append((self.now, message))
            self.sent.append(message)
            self.targets.append(outgoing.target)
            if isinstance(message, Response) and message.to.tag:
                self.our_tag = message.to.tag

    def _note(self, event: Event) -> None:
        if isinstance(event, Question):
            self.agent.resolved(event, self.addresses if event.lookup.kind == "address" else (), self.now)
        elif isinstance(event, Invited):
            self._begun(event.leg)
        elif isinstance(event, Happened):
            self._happened.append((self.now, _event(event.event)))
        elif isinstance(event, Over):
            self._happened.append((self.now, "over"))

    def _begun(self, leg: AgentLeg) -> None:
        self.leg = leg
        self.legs.append(leg)

    def last(self, what: str, cseq: str | None = None) -> Request | Response:
        """The last message we sent of this kind: `INVITE`, `200`; with this number, if one is given."""
        same = (message for message in reversed(self.sent) if _summary(message) == what)
        return next(message for message in same if cseq is None or str(message.cseq.number) == cseq)

    def rseq(self) -> int:
        """The RSeq that we sent last."""
        numbers = [message.headers.get("rseq") for message in self.sent]
        return int(next(number for number in reversed(numbers) if number))

    def target_of(self, what: str) -> Target:
        """Where it was sent."""
        found = [at for at, message in enumerate(self.sent) if _summary(message) == what]
        return self.targets[found[-1]]

    # -- > ------------------------------------------------------------------------------------------------------------

    def _expect_sent(self, words: list[str], line: str) -> None:
        assert self._out, f"nothing was sent at {line}"
        at, message = self._out.popleft()
        assert (at, _summary(message)) == (self.now, words[0]), line
        for word in words[1:]:
            name, _, value = word.partition("=")
            assert self._value(name, message, value) == value, f"{word} in {line}: {message!r}"

    def _value(self, name: str, message: Request | Response, label: str) -> str | None:
        if name == "uri":
            return message.uri if isinstance(message, Request) else None
        if name == "method":
            return message.cseq.method
        if name == "frag":
            return message.body.decode().strip().removeprefix("SIP/2.0 ")
        if name == "cseq":
            return str(message.cseq.number)
        if name == "branch":
            known = self.labels.setdefault(label, message.via.branch)
            others = [branch for other, branch in self.labels.items() if other != label]
            assert message.via.branch not in others, f"branch {label} is not new"
            return label if known == message.via.branch else "another"
        return ", ".join(message.headers.all(name)) or None

    # -- < ------------------------------------------------------------------------------------------------------------

    def _message(self, words: list[str]) -> bytes:
        flags = {word for word in words[1:] if "=" not in word}
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        if words[0].isdigit():
            return bytes(self._response(int(words[0]), flags, options))
        return bytes(self._request(words[0], flags, options))

    def _request(self, method: str, flags: set[str], options: dict[str, str]) -> Request:
        initial = isinstance(self.leg, ServerLeg) or self.leg is None
        default_to = None if method == "INVITE" and "re" not in flags else self._our_tag()
        to = options.pop("to", default_to)
        branch = options.pop("branch", f"{method}{options.get('cseq', '')}")
        headers = Headers()
        headers.add("Via", f"SIP/2.0/{self.transport.upper()} 192.0.2.9:5070;branch=z9hG4bK{branch};rport")
        headers.add("From", f"<sip:peer@192.0.2.9>;tag={options.pop('tag', 'peer')}")
        headers.add("To", "<sip:us@192.0.2.1>" + ("" if to in (None, "none") else f";tag={to}"))
        headers.add("Call-ID", options.pop("call", "call" if initial or self.leg is None else self.leg.call_id))
        headers.add("CSeq", f"{options.pop('cseq', '1')} {options.pop('method', method)}")
        uri = options.pop("uri", "sip:us@192.0.2.1")
        if "takes" in options:
            headers.add("Replaces", self._replaced(options.pop("takes")))
        if "rack" in options:
            number = self.rseq() + int(options.pop("rack"))
            headers.add("RAck", f"{number} {options.pop('of', '1 INVITE')}")
        return Request(method, uri, headers, self._rest(headers, flags, options, method == "INVITE"))

    def _our_tag(self) -> str | None:
        if isinstance(self.leg, ClientLeg):
            return self.leg.invite.from_.tag
        if len(self.legs) > 1 and self.leg is not None and self.leg.dialog is not None:
            return self.leg.dialog.local.tag
        return self.our_tag

    def _response(self, status: int, flags: set[str], options: dict[str, str]) -> Response:
        methods = [flag for flag in flags if flag.isupper()]
        request = self.last(methods[0] if methods else "INVITE", options.pop("of", None))
        assert isinstance(request, Request)
        response = response_to(request, status, to_tag=options.pop("tag", None) if status > 100 else None)
        has_contact = request.method == "INVITE" and 100 < status < 300
        response.body = self._rest(response.headers, flags, options, has_contact, options.pop("at", "callee"))
        if "challenge" in flags:
            response.headers.add(
                "WWW-Authenticate" if status == 401 else "Proxy-Authenticate",
                f'Digest realm="r", nonce="n{len(self.sent)}", algorithm=MD5, qop="auth"',
            )
        return response

    def _rest(
        self, headers: Headers, flags: set[str], options: dict[str, str], has_contact: bool, user: str = "peer"
    ) -> bytes:
        contact = options.pop("contact", f"sip:{user}@192.0.2.9:5070" if has_contact else "none")
        if contact != "none":
            headers.add("Contact", f"<{contact}>")
        for route in filter(None, options.pop("rr", "").split(",")):
            headers.add("Record-Route", f"<{route}>")
        if "state" in options:
            headers.add("Subscription-State", options.pop("state"))
        body = options.pop("body", "body" if "Content-Type" in options else "").encode()
        for name, value in options.items():
            if name != "frag":
                headers.add(name, value)
        if "frag" in options:
            headers.add("Content-Type", "message/sipfrag;version=2.0")
            return f"SIP/2.0 {options['frag']}\r\n".encode()
        if "mixed" in flags:
            headers.add("Content-Type", 'multipart/mixed;boundary="outer"')
            return MIXED
        if "sdp" in flags:
            headers.add("Content-Type", "application/sdp")
        return OFFER if "sdp" in flags else body

    def _replaced(self, leg: str) -> str:
        """How the peer of one of our legs names it to somebody who is to take its place. Raises LookupError where there is none."""
        dialog = self.legs[int(leg)].dialog
        if dialog is None:
            raise LookupError(leg)
        return str(Replaces(dialog.call_id, dialog.local.tag or "0", dialog.remote.tag or "0"))

    # -- ! ------------------------------------------------------------------------------------------------------------

    def _invitation(self, words: list[str]) -> Invitation:
        options = dict(word.split("=", 1) for word in words)
        invitation = Invitation(self.trunk, "+12025550123", "+12025550100", OFFER)
        replaces = Replaces.parse(options["replaces"]) if "replaces" in options else None
        uri, by = options.get("uri"), options.get("referred_by")
        return replace(invitation, uri=uri, referred_by=by, replaces=replaces)

    def _do(self, words: list[str]) -> None:
        what, leg = words[0], self.leg
        if what == "invite":
            self._begun(self.agent.invite(self._invitation(words[1:]), self.now))
        elif what == "turn_to":
            self.leg = self.legs[int(words[1])]
        elif what == "options":
            self.agent.options(self.trunk, self.now, self.options.append)
        elif what == "drain":
            self.agent.draining = True
        elif what == "unreachable":
            self.agent.unreachable(Target("udp", "192.0.2.9", 5070), self.now)
        elif what == "refer":
            assert leg is not None
            replaces = Replaces.parse(words[2]) if len(words) > 2 else None
            self.referring.append(leg.refers.refer(ReferTo(words[1], replaces), None))
        elif what in ("accept_refer", "decline_refer", "notify_refer"):
            assert leg is not None
            status = int(words[1]) if len(words) > 1 else 603
            {
                "accept_refer": leg.refers.accept,
                "decline_refer": lambda: leg.refers.decline(status),
                "notify_refer": lambda: leg.refers.tell(status, None),
            }[what]()
        elif what in ("accept", "offer", "decline", "hang_up"):
            assert leg is not None
            argument = (
                ANSWER
                if what in ("accept", "offer")
                else int(words[1])
                if what == "decline"
                else " ".join(words[1:]) or None
            )
            getattr(leg, what)(argument)
        else:
            assert isinstance(leg, ServerLeg)
            status = int(words[1]) if len(words) > 1 else 200
            {
                "ring": lambda: leg.ring(status, ANSWER if "sdp" in words else None, "reliable" in words),
                "answer": lambda: leg.answer(ANSWER, int(words[1]) if len(words) > 1 else None),
                "reject": lambda: leg.reject(status, None, ()),
            }[what]()


def _is_whole(message: Request | Response) -> None:
    """What every message of ours has, whatever a transcript looks at: RFC 3261 sections 8.1.1 and 8.2.6.2, RFC 3581 section 3."""
    for name in ("Via", "From", "To", "Call-ID", "CSeq", "Content-Length"):
        assert name in message.headers, f"{_summary(message)} lacks {name}"
    if isinstance(message, Response):
        assert (message.to.tag is None) <= (message.status == 100), f"{message.status} has no tag"
        _says_where_we_are(message)
        return
    assert message.headers.get("Max-Forwards") == "70", f"{message.method} has no Max-Forwards"
    assert (message.via.branch or "").startswith("z9hG4bK"), f"{message.method} has no branch"
    assert "rport" in message.vias[0].params, f"{message.method} does not ask for the port"
    assert message.from_.tag, f"{message.method} has no tag"
    if message.method in ("INVITE", "UPDATE", "REFER", "NOTIFY", "REGISTER"):
        assert len(message.contacts) == 1, f"{message.method} has no Contact"


def _says_where_we_are(response: Response) -> None:
    """One Contact in what makes or refreshes a dialog (RFC 3261 section 12.1.1, RFC 3311 section 5.2), none in a refusal (section 20)."""
    if response.status >= 400:
        assert not response.contacts, f"{response.status} has a Contact"
    elif 100 < response.status < 300 and response.cseq.method in ("INVITE", "UPDATE"):
        assert len(response.contacts) == 1, f"{response.status} has no Contact"


def _summary(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else str(message.status)


def _event(event: LegEvent) -> str:
    name = type(event).__name__
    if isinstance(event, Ended):
        return f"{name} {event.by}"
    if isinstance(event, KeyPressed):
        return f"{name} {event.digit} {event.duration_ms}"
    if isinstance(event, Refused | OfferRefused):
        return f"{name} {event.status}"
    if isinstance(event, ReferProgress):
        return f"{name} {event.status} {event.reason}{' final' if event.final else ''}"
    if isinstance(event, Referred):
        return f"{name} {event.to}{f' replaces {event.replaces}' if event.replaces else ''}"
    sdp = " sdp" if getattr(event, "sdp", None) else ""
    return f"{name} {event.status}{sdp}" if isinstance(event, Progress) else f"{name}{sdp}"
