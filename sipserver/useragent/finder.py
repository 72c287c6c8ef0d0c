"""Finding the way of each request: `locate` run to its end, with the look-ups that it asks for in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sipserver.legs import Source
from sipserver.locate import LocateError, Location, Lookup, Target, Transport, locate
from sipserver.message import SipUri

Found = Callable[[Target], None]
Lost = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Question:
    """The driver is asked to look a name up, and to call `resolved` with this and the answer."""

    number: int
    lookup: Lookup


class Finder:
    """`ports` are the transports that there are, `ask` takes the questions, of which `limit` may be open at a time."""

    def __init__(self, ports: Mapping[Transport, int], ask: Callable[[Question], None], limit: int) -> None:
        self._ports = ports
        self._ask = ask
        self._limit = limit
        self._open: dict[int, Callable[[Sequence[str]], None]] = {}
        self._count = 0

    @property
    def busy(self) -> bool:
        """Whether a question is open."""
        return bool(self._open)

    def locate(self, uri: SipUri, flow: Source | None, found: Found, lost: Lost) -> None:
        """Call `found` with the target, or `lost` with 503 and the reason. `flow` is a connection to use if it leads there."""
        self._walk(locate(uri), None, flow, found, lost)

    def resolved(self, question: Question, addresses: Sequence[str]) -> None:
        """The answer to a question; an answer that nobody waits for does nothing."""
        walk_on = self._open.pop(question.number, None)
        if walk_on is not None:
            walk_on(addresses)

    def _walk(
        self, location: Location, answer: Sequence[str] | None, flow: Source | None, found: Found, lost: Lost
    ) -> None:
        outcome = _step(location, answer)
        if isinstance(outcome, str):
            if flow is None:
                lost(503, outcome)
            else:
                # A name that only the peer's own network knows; the connection that the dialog came by leads to the peer.
                found(Target(flow.transport, flow.host, flow.port, flow, flow.server_name))
        elif isinstance(outcome, Target):
            if outcome.transport in self._ports:
                found(_along(outcome, flow))
            else:
                lost(503, f"The transport {outcome.transport} is not available on this node")
        elif len(self._open) >= self._limit:
            lost(503, "Too many names are being looked up")
        else:
            self._count += 1
            self._open[self._count] = lambda addresses: self._walk(location, addresses, flow, found, lost)
            self._ask(Question(self._count, outcome))


def _step(location: Location, answer: Sequence[str] | None) -> Lookup | Target | str:
    """What the generator yields, returns, or complains of."""
    try:
        return next(location) if answer is None else location.send(answer)
    except StopIteration as done:
        target: Target = done.value
        return target
    except LocateError as error:
        return str(error)


def _along(target: Target, flow: Source | None) -> Target:
    """The target, over the connection that the dialog came by if that leads to the same host (18.1.1, RFC 5923).

    One that we made ourselves leads to one port only. A Contact that is an address is the domain's that gave it to us.
    """
    if flow is None or flow.transport != target.transport or flow.host != target.host:
        return target
    if flow.server_name is not None and flow.port != target.port:
        return target
    return replace(target, flow=flow, server_name=target.server_name or flow.server_name)
