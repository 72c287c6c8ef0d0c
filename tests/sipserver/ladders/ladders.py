"""The message flows of the RFCs' examples, line by line, beside what really went over the wire.

A flow is written as the RFC titles its messages: `INVITE Alice -> Bob`. Of its columns we see one line: ours to whoever is next
to us, a proxy or the other telephone. What comes before or after the example, so that the call begins and ends, stands in
parentheses. `drawn` writes down a transcript in the same words, the reasons those of RFC 3261. A `100 Trying` that the RFC does
not draw is left out (it is hop by hop, and a matter of taste: RFC 3261 section 8.2.6.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from sipserver.message import Request, Response, parse, reason_of
from tests.sipserver.registration.registrations_on_a_line import OnALine
from tests.sipserver.transcripts import Transcript, user_agent


@dataclass(frozen=True, slots=True)
class Ladder:
    """One example: `us` and `next_to_us` are the RFC's names, `flow` its messages between the two, `script` the transcript.

    `also`: others who speak to us in the same call, once the proxy is out of the way. `calls`: with whom each further call is, in
    the order in which they begin.
    """

    section: str
    title: str
    us: str
    next_to_us: str
    flow: str
    script: str
    also: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The flow, a message a line, whoever it is that we speak to under the one name."""
        flow = self.flow.strip()
        for name in self.also:
            flow = flow.replace(f"{name} ->", f"{self.next_to_us} ->").replace(f"-> {name}", f"-> {self.next_to_us}")
        return [" ".join(line.strip(" ()").split()) for line in flow.splitlines()]

    def drawn(self, heard: list[tuple[str, Request | Response]]) -> list[str]:
        """What was sent (`>`) and received (`<`), in the words of the flow."""
        calls = list(dict.fromkeys(message.call_id for _, message in heard))
        assert len(calls) == 1 + len(self.calls)
        peers = dict(zip(calls, (self.next_to_us, *self.calls), strict=True))
        lines = []
        for direction, message in heard:
            peer = peers[message.call_id]
            way = f"{self.us} -> {peer}" if direction == ">" else f"{peer} -> {self.us}"
            lines.append(f"{_title(message)} {way}")
        return [line for line in lines if line in self.lines or not line.startswith("100 ")]


def _title(message: Request | Response) -> str:
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {reason_of(message.status)}"


class Drawn(Transcript):
    """A transcript that writes down what goes both ways."""

    def __init__(self) -> None:
        super().__init__(user_agent(takes_refer=lambda source: True))
        self.heard: list[tuple[str, Request | Response]] = []

    def _message(self, words: list[str]) -> bytes:
        data = super()._message(words)
        self.heard.append(("<", parse(data)))
        return data

    def _collect(self) -> None:
        before = len(self.sent)
        super()._collect()
        self.heard += [(">", message) for message in self.sent[before:]]


class DrawnLine(OnALine):
    """The same for a registration."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, Request | Response]] = []

    def _answer(self, status: int, values: dict[str, str]) -> None:
        self.heard.append(("<", Response(status, reason_of(status), self.requests[-1].headers)))
        super()._answer(status, values)

    def _move(self) -> None:
        before = len(self.requests)
        super()._move()
        self.heard += [(">", request) for request in self.requests[before:]]
