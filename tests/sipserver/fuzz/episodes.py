"""Episodes against one user agent that lives on: a ladder of the RFCs with some of its messages spoilt, and torture messages.

What must hold, whatever comes: nothing is raised; what is sent can be read; what is remembered is bounded by what came; and once
the owner has hung up and time has passed, nothing is left. Each episode has a seed of its own, `Fuzz(seed).ladder(number)`.
"""

from __future__ import annotations

import os
import random
import shlex
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sipserver.legs import Source
from sipserver.message import MessageError, Response, StreamFramer, parse
from sipserver.useragent.core import UserAgent
from sipserver.useragent.server_leg import ServerLeg
from tests.sipserver.fuzz.mutations import mutated
from tests.sipserver.ladders.rfc3665_failures import FAILURES
from tests.sipserver.ladders.rfc3665_sessions import SESSIONS
from tests.sipserver.ladders.rfc5359_holds import HOLDS
from tests.sipserver.ladders.rfc5359_proxies import CALLED, CALLERS
from tests.sipserver.ladders.rfc5359_transfers import TRANSFERS
from tests.sipserver.torture.rest_of_rfc4475 import MESSAGES
from tests.sipserver.transcripts import Transcript, user_agent

LADDERS = tuple(ladder.script for ladder in (*SESSIONS, *FAILURES, *HOLDS, *TRANSFERS, *CALLERS, *CALLED))
PATIENCE = 32.0
"""64*T1, in seconds."""
SUBSCRIPTION = 180.0
"""How long the subscription of a REFER may outlive its call."""
SPOILT = 0.35
"""The share of the messages of a ladder that do not come as they were."""
STEPS = 5_000
"""Timers that one episode may bring at most, so that none of them can go on for ever."""


def torture() -> list[bytes]:
    """The messages of RFC 4475: those of ours, and those of the test data where it is."""
    found = [bytes(message) for message in MESSAGES]
    if root := os.environ.get("ANTIPHON_TEST_DATA"):
        found += [file.read_bytes() for file in sorted((Path(root) / "rfc4475").glob("*.dat"))]
    return found


class Spoilt(Transcript):
    """A ladder that goes on whatever happens: nothing is expected, and messages may be spoilt, lost, or come twice."""

    def __init__(self, agent: UserAgent, now: float, chance: random.Random, others: list[bytes]) -> None:
        super().__init__(agent)
        self.now = now
        self.received = 0
        self._chance, self._others = chance, others

    def play(self, script: str, begin: float) -> None:
        """Walk its lines from this time on."""
        for line in script.strip().splitlines():
            words = shlex.split(line, comments=True)
            if words:
                self._advance(begin + float(words[0]))
                self._step(words[1], words[2:])
                self._happened.clear()

    def _collect(self) -> None:
        """As in a transcript, but an answer to nonsense need not have all that an answer has."""
        while events := self.agent.events():
            for event in events:
                self._note(event)
        for outgoing in self.agent.to_send():
            message = parse(outgoing.data)
            self.sent.append(message)
            with suppress(MessageError):
                if isinstance(message, Response) and message.to.tag:
                    self.our_tag = message.to.tag

    def _step(self, mark: str, words: list[str]) -> None:
        self._collect()
        if mark == "<":
            data = None
            # There is nothing of ours that this would answer or replace, or what would be replaced has a name that cannot be written.
            with suppress(StopIteration, LookupError, MessageError):
                data = self._message(words)
            if data is not None:
                self._come(data)
        elif mark == "!" and self._can(words):
            self._do(words)
        self._collect()

    def _can(self, words: list[str]) -> bool:
        """Whether there is a leg for it, of the right kind, after all that was lost."""
        match words[0]:
            case "invite":
                return True
            case "turn_to":
                return int(words[1]) < len(self.legs)
            case "ring" | "answer" | "reject":
                return isinstance(self.leg, ServerLeg)
            case _:
                return self.leg is not None

    def _come(self, data: bytes) -> None:
        if self._chance.random() < SPOILT:
            data = mutated(data, self._chance, [*self._others, data])
        for _ in range(self._chance.choice((0, 1, 1, 1, 1, 1, 1, 2))):
            self.received += 1
            self.agent.receive(data, self.source, self.now)
            self._collect()


class Fuzz:
    """One user agent, and what is done to it. `counts` tells how much that was."""

    def __init__(self, seed: int) -> None:
        self.agent = user_agent(takes_refer=lambda source: True)
        self.now = 0.0
        self.counts: Counter[str] = Counter()
        self._seed = seed
        self._torture = torture()

    def ladder(self, number: int) -> None:
        """A ladder with some of its messages spoilt."""
        chance = random.Random(f"{self._seed} ladder {number}")
        script = Spoilt(self.agent, self.now, chance, self._torture)
        script.play(chance.choice(LADDERS), self.now)
        self.counts["messages"] += script.received
        self._bounded(script.received + len(script.sent))
        self.now = script.now
        self._all_over(script)

    def tortured(self, number: int, size: int = 20) -> None:
        """Torture messages, spoilt further, from one source after the other."""
        chance = random.Random(f"{self._seed} torture {number}")
        script = Spoilt(self.agent, self.now, chance, self._torture)
        for at in range(size):
            data = mutated(chance.choice(self._torture), chance, self._torture)
            source = Source("udp", f"198.51.100.{at}", 5060)
            self.agent.receive(data, source, self.now)
            script._collect()
        self.counts["messages"] += size
        self._bounded(2 * size)
        self._all_over(script)

    def stream(self, number: int) -> None:
        """Messages on a stream, some spoilt: byte by byte they are the same as at once, to the same error, and the user agent
        takes what was cut out."""
        chance = random.Random(f"{self._seed} stream {number}")
        data = b"".join(
            message if chance.random() < 0.5 else mutated(message, chance, self._torture)
            for message in chance.choices(self._torture, k=chance.randrange(1, 5))
        )
        whole = cut([data])
        pieces = [bytes((byte,)) for byte in data]
        assert cut(pieces) == whole, f"byte by byte is not the whole: {data!r}"
        self.counts["messages"] += len(whole[0])
        script = Spoilt(self.agent, self.now, chance, self._torture)
        for message in whole[0]:
            self.agent.receive(message, Source("tcp", "198.51.100.7", 5060), self.now)
            script._collect()
        self._all_over(script)

    def _bounded(self, messages: int) -> None:
        """No message makes more than one transaction or leg."""
        assert len(self.agent.transactions) <= messages
        assert len(self.agent.legs) <= messages
        assert len(self.agent.timers) <= 10 * messages + 10
        assert len(self.agent.counters) < 20

    def _all_over(self, script: Spoilt) -> None:
        """The owner hangs up, nobody says anything any more, and after 64*T1 there are no transactions, later there is nothing."""
        script._collect()
        for leg in tuple(self.agent.legs):
            leg.hang_up(None)
            script._collect()
        begin = self.now
        self._pass_until(begin + 4 * PATIENCE, script)
        assert not self.agent.legs
        self._pass_until(begin + 4 * PATIENCE + SUBSCRIPTION, script)
        self._pass_until(begin + 6 * PATIENCE + SUBSCRIPTION, script)
        assert self.agent.idle
        assert len(self.agent.transactions) == 0
        assert len(self.agent.timers) == 0, "something would happen for ever"
        self.counts["episodes"] += 1
        self.counts["sent"] += len(script.sent)

    def _pass_until(self, until: float, script: Spoilt) -> None:
        for _ in range(STEPS):
            due = self.agent.next_timer()
            if due is None or due > until:
                break
            self.now = script.now = max(due, self.now)
            self.agent.handle_timer(self.now)
            script._collect()
        else:
            raise AssertionError(f"more than {STEPS} timers in one episode")
        self.now = script.now = until
        self.agent.timers.now = until


def cut(pieces: list[bytes]) -> tuple[list[bytes], str | None]:
    """The messages of a stream that arrives in these pieces, and the error that ended it."""
    framer, found = StreamFramer(), list[bytes]()
    try:
        for piece in pieces:
            found += framer.feed(piece)
    except MessageError as error:
        return found, str(error)
    return found, None if framer.error is None else str(framer.error)


def kinds(fuzz: Fuzz) -> tuple[Callable[[int], None], ...]:
    """What can be done to it, each by a number."""
    return fuzz.ladder, fuzz.tortured, fuzz.stream
