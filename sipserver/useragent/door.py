"""Who is let in, and the answers to all others, which leave no state behind (RFC 3261 section 8.2.7). Sans-I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from sipserver.legs import Guard, Source
from sipserver.message import MessageError, Request, mark_source, response_to
from sipserver.message.check import Refusal
from sipserver.transaction import Outgoing
from sipserver.useragent.agent import Extra
from sipserver.useragent.identity import Identity
from sipserver.useragent.reply_way import reply_target


class Door:
    """Counts in `counters` whom it turned away (`guarded`) and for whom there was no room (`overload`).

    `retry_after`: when those may come again, in seconds; `transmit` takes what is to be sent.
    """

    def __init__(
        self,
        identity: Identity,
        guard: Guard,
        counters: Counter[str],
        retry_after: int,
        transmit: Callable[[Outgoing], None],
    ) -> None:
        self._identity = identity
        self._guard = guard
        self._counters = counters
        self._retry_after = retry_after
        self._transmit = transmit

    def admits(self, request: Request, source: Source) -> bool:
        """Whether the guard agrees; if not, the request has been answered, or dropped in silence. Raises MessageError."""
        verdict = self._guard.admit(request, source)
        if verdict is None:
            return True
        self._counters["guarded"] += 1
        self._turn_away(request, source, verdict)
        return False

    def malformed(self, request: Request, source: Source, status: int) -> None:
        """Answer what cannot be read, if the guard would have let it in, and if it can be told at all who asks."""
        try:
            verdict = self._guard.admit(request, source)
        except MessageError:
            return
        with suppress(MessageError):
            mark_source(request, source.host, source.port)
        self._turn_away(request, source, status if verdict is None else verdict)

    def overloaded(self, request: Request, source: Source) -> None:
        """There is no room for this request now."""
        self._counters["overload"] += 1
        self.answer(request, source, 503, (("Retry-After", str(self._retry_after)),))

    def answer(
        self, request: Request, source: Source, status: int, headers: Extra = (), *, ladder: bool = False
    ) -> None:
        """An answer that leaves no state behind; 0 is none at all."""
        if status == 0:
            return
        extra = (*headers, ("Server", self._identity.user_agent))
        response = response_to(request, status, to_tag=self._identity.stateless_tag(request), headers=extra)
        self._transmit(Outgoing(response, bytes(response), reply_target(request, source), None, ladder))

    def _turn_away(self, request: Request, source: Source, verdict: int | Refusal) -> None:
        if isinstance(verdict, Refusal):
            self.answer(request, source, verdict.status, verdict.headers)
        else:
            self.answer(request, source, verdict)
