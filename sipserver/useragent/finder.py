"""Finding the way of each request: `locate` run to its end, with the look-ups that it asks for in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sipserver.legs import Source
from sipserver.locate import LocateError, Location, Lookup, Target, Transport, locate
from sipserver.message import SipUri

Found = Callable[[tuple[Target, ...]], None]
Lost = Callable[[int, str], None]

AVOIDED_SECONDS = 30.0
"""How long a target that failed comes after the others of its name, where it does not say how long itself."""
LONGEST_AVOIDED = 3600.0
MAX_AVOIDED = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """The driver is asked to look a name up, and to call `resolved` with this and the answer."""

    number: int
    lookup: Lookup


class Finder:
    """`ports` are the transports that there are, `ask` takes the questions, of which `limit` may be open at a time.

    `random` gives that many random bytes.
    """

    def __init__(
        self,
        ports: Mapping[Transport, int],
        ask: Callable[[Question], None],
        limit: int,
        random: Callable[[int], bytes],
    ) -> None:
        self._ports = ports
        self._random = random
        self._failed: dict[Target, float] = {}
        self._ask = ask
        self._limit = limit
        self._open: dict[int, Callable[[Sequence[Any]], None]] = {}
        self._count = 0

    @property
    def busy(self) -> bool:
        """Whether a question is open."""
        return bool(self._open)

    def locate(self, uri: SipUri, flow: Source | None, found: Found, lost: Lost, now: float) -> None:
        """Call `found` with the targets, best first, or `lost` with 503 and the reason.

        `flow` is a connection to use if it leads there. `now` in seconds: what has just failed comes last.
        """

        def sorted_found(targets: tuple[Target, ...]) -> None:
            found(tuple(sorted(targets, key=lambda target: self.avoids(target, now))))

        self._walk(locate(uri, self._ports, self._chance), None, flow, sorted_found, lost)

    def avoid(self, target: Target, now: float, seconds: float | None = None) -> None:
        """This target gave no answer, or 503: the others of its name are tried first, for as long as its Retry-After asks
        (RFC 3261 section 21.5.4), else for a while. It is never left out.
        """
        self._failed.pop(_place(target), None)
        self._failed[_place(target)] = now + min(AVOIDED_SECONDS if seconds is None else seconds, LONGEST_AVOIDED)
        if len(self._failed) > MAX_AVOIDED:
            del self._failed[next(iter(self._failed))]

    def avoids(self, target: Target, now: float) -> bool:
        """Whether this target failed a short while ago."""
        return self._failed.get(_place(target), 0.0) > now

    def _chance(self) -> float:
        return int.from_bytes(self._random(4), "big") / 2**32

    def resolved(self, question: Question, addresses: Sequence[Any]) -> None:
        """The answer to a question; an answer that nobody waits for does nothing."""
        walk_on = self._open.pop(question.number, None)
        if walk_on is not None:
            walk_on(addresses)

    def _walk(
        self, location: Location, answer: Sequence[Any] | None, flow: Source | None, found: Found, lost: Lost
    ) -> None:
        outcome = _step(location, answer)
        if isinstance(outcome, str):
            if flow is None:
                lost(503, outcome)
            else:
                # A name that only the peer's own network knows; the connection that the dialog came by leads to the peer.
                found((Target(flow.transport, flow.host, flow.port, flow, flow.server_name),))
        elif isinstance(outcome, tuple):
            if outcome[0].transport in self._ports:
                found(tuple(_along(target, flow) for target in outcome))
            else:
                lost(503, f"The transport {outcome[0].transport} is not available on this node")
        elif len(self._open) >= self._limit:
            lost(503, "Too many names are being looked up")
        else:
            self._count += 1
            self._open[self._count] = lambda addresses: self._walk(location, addresses, flow, found, lost)
            self._ask(Question(self._count, outcome))


def _step(location: Location, answer: Sequence[Any] | None) -> Lookup | tuple[Target, ...] | str:
    """What the generator yields, returns, or complains of."""
    try:
        return next(location) if answer is None else location.send(answer)
    except StopIteration as done:
        targets: tuple[Target, ...] = done.value
        return targets
    except LocateError as error:
        return str(error)


def _place(target: Target) -> Target:
    return replace(target, flow=None)


def _along(target: Target, flow: Source | None) -> Target:
    """The target, over the connection that the dialog came by if that leads to the same host (18.1.1, RFC 5923).

    One that we made ourselves leads to one port only. A Contact that is an address is the domain's that gave it to us.
    """
    if flow is None or flow.transport != target.transport or flow.host != target.host:
        return target
    if flow.server_name is not None and flow.port != target.port:
        return target
    return replace(target, flow=flow, server_name=target.server_name or flow.server_name)
