"""A registration over a real user agent in simulated time, and a registrar that a transcript plays."""

from __future__ import annotations

import re
import shlex
from collections import deque

from sipserver.legs import Source
from sipserver.message import Request, Response, parse, response_to
from sipserver.protocols import Trunk
from sipserver.registration import Patience, Registration
from sipserver.useragent.core import UserAgent
from sipserver.useragent.exchange import Errand, Outcome
from sipserver.useragent.finder import Question
from sipserver.useragent.placing import account_of
from tests.sipserver.transcripts import user_agent

TRUNK = Trunk(
    "t", "o", "registration", "sip.example.com", username="alice", auth_user="al", password="secret", sources=()
)
LINE = "ln0123"
REGISTRAR = Source("udp", "192.0.2.9", 5060)


class OnALine:
    """Runs transcripts.

    `> REGISTER key=value…` is what must be sent then: `cseq`, `expires`, `nonce`, `nc`, `algorithm`, `former` (the host of a
    Contact that is removed), `contact`, `via` (our transport). `< status key=value…` answers the last request: `expires` in
    the Contact, any header by its name, `nonce`/`stale`/`algorithm`/`qop` of a challenge, `received`, `rport`, `other` (a
    stranger's Contact). `= status until=… error=…` is the state. `! …` is done.
    """

    def __init__(self, trunk: Trunk = TRUNK, draw: float = 0.5, *, learn: bool = False) -> None:
        self.agent: UserAgent = user_agent()
        self.now = 0.0
        self.requests: list[Request] = []
        account = account_of(trunk, self.agent.identity, LINE, learn)
        self.registration = Registration(account, lambda: draw, Patience())
        self._sent: deque[tuple[float, Request, str]] = deque()

    def run(self, text: str) -> None:
        """Walk the lines, in order of time."""
        for line in text.strip().splitlines():
            words = shlex.split(line, comments=True)
            if words:
                self._advance(float(words[0]))
                self._line(words[1], words[2], dict(word.split("=", 1) for word in words[3:]), line)
        assert not self._sent, f"unexpected: {self._sent}"

    def _line(self, mark: str, word: str, values: dict[str, str], line: str) -> None:
        if mark == "!":
            self._do(word, values)
        elif mark == "<":
            self._answer(int(word), values)
        elif mark == ">":
            assert self._sent, f"nothing was sent: {line}"
            at, request, transport = self._sent.popleft()
            assert (round(at, 3), request.method) == (self.now, word), line
            found = facts(request) | {"via": transport}
            assert {key: found.get(key) for key in values} == values, line
        else:
            self._check_state(word, values, line)
        self._move()

    def _check_state(self, word: str, values: dict[str, str], line: str) -> None:
        until = self.registration.expires_at(self.now)
        assert self.registration.status(self.now) == word, line
        assert (None if until is None else round(until, 3)) == (
            float(values["until"]) if "until" in values else None
        ), line
        assert self.registration.last_error == values.get("error"), line

    def _do(self, word: str, values: dict[str, str]) -> None:
        match word:
            case "register":
                self.registration.start()
            case "leave":
                self.registration.leave(self.now)
            case "flow-failed":
                self.registration.flow_failed(self.now)
            case "rebind":
                self.registration.rebind(values["host"], int(values["port"]), self.now)
            case _:
                raise AssertionError(f"nobody knows how to {word}")

    def _answer(self, status: int, values: dict[str, str]) -> None:
        request = self.requests[-1]
        response = response_to(request, status, to_tag="registrar")
        via = response.headers.get("Via") or ""
        for name in ("received", "rport"):
            if name in values:
                via = re.sub(r";rport(=\d+)?", "", via) if name == "rport" else via
                via += f";{name}={values.pop(name)}"
        response.headers.set("Via", via)
        if "nonce" in values:
            header = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
            response.headers.add(header, challenge(values))
        if "expires" in values:
            own = (request.headers.all("Contact")[0]).partition(";expires")[0]
            response.headers.add("Contact", f"{own};expires={values.pop('expires')}")
        if "other" in values:
            response.headers.add("Contact", values.pop("other"))
        for name, value in values.items():
            response.headers.add(name, value)
        self.agent.receive(bytes(response), REGISTRAR, self.now)

    def _advance(self, until: float) -> None:
        while (due := self._next()) is not None and round(due, 6) <= until:
            self.now = max(self.now, due)
            self.agent.handle_timer(self.now)
            self.registration.handle_timer(self.now)
            self._move()
        self.now = until
        self.agent.timers.now = until

    def _next(self) -> float | None:
        due = [at for at in (self.agent.next_timer(), self.registration.next_timer()) if at is not None]
        return min(due, default=None)

    def _move(self) -> None:
        if (register := self.registration.to_send()) is not None:
            account, number = self.registration.account, register.number
            errand = Errand(
                register.request, account.hop, self.registration.next_cseq, digest=account.digest, ladder=False
            )
            self.agent.request(errand, self.now, lambda outcome: self._came(number, outcome))
        while events := self.agent.events():
            for event in events:
                if isinstance(event, Question):
                    known = ("192.0.2.9",) if event.lookup.kind == "address" else ()
                    self.agent.resolved(event, known, self.now)
        for outgoing in self.agent.to_send():
            message = parse(outgoing.data)
            assert isinstance(message, Request)
            if not self.requests or message.via.branch != self.requests[-1].via.branch:
                self.requests.append(message)
                self._sent.append((self.now, message, outgoing.target.transport))

    def _came(self, number: int, outcome: Outcome) -> None:
        if isinstance(outcome.response, Response):
            self.registration.answered(number, outcome.request, outcome.response, self.now)
        else:
            self.registration.failed(number, outcome.status, outcome.reason, self.now)


def challenge(values: dict[str, str]) -> str:
    """A challenge; its parameters are taken out of `values`."""
    pairs = [f'realm="{values.pop("realm", "example")}"', f'nonce="{values.pop("nonce")}"']
    if (qop := values.pop("qop", "auth")) != "none":
        pairs.append(f'qop="{qop}"')
    pairs += [f"{name}={values.pop(name)}" for name in ("algorithm", "stale") if name in values]
    return "Digest " + ", ".join(pairs)


def facts(request: Request) -> dict[str, str]:
    """What a transcript may say of a REGISTER."""
    contacts = request.contacts
    found = {
        "cseq": str(request.cseq.number),
        "expires": contacts[0].params.get("expires") or "",
        "contact": contacts[0].uri,
        "to": request.to.uri,
        "uri": request.uri,
        "route": ",".join(request.headers.all("Route")),
        "call": request.call_id,
    }
    assert found["expires"] == request.headers.get("Expires")
    if len(contacts) > 1:
        found["former"] = contacts[1].uri
        assert contacts[1].params.get("expires") == "0"
    for header in ("Authorization", "Proxy-Authorization"):
        value = request.headers.get(header) or ""
        for name in ("nonce", "nc", "algorithm", "username"):
            if match := re.search(rf'\b{name}="?([^",]+)', value):
                found[name] = match[1]
                found["by"] = header
    return found
