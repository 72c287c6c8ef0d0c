"""The tap on the wire: every message that is read or sent is counted, logged in one line, and given to whoever keeps or exports it.

What strangers send is logged at a limited rate, for whoever floods us must not fill our disk too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import structlog

from sipserver.guard import Buckets, Refill
from sipserver.legs import Source
from sipserver.locate import Target, Transport
from sipserver.trace.masking import without_credentials
from sipserver.trace.packet import Address, Glance, Packet, glance, written

log = structlog.get_logger(__name__)

Sink = Callable[[Glance, Packet], None]
"""Takes what was seen at a glance, and the message; it must not block."""

_IN_CALLS = ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "REFER")
METHODS = frozenset((*_IN_CALLS, "OPTIONS", "REGISTER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "PUBLISH"))
_UNSEEMLY = re.compile(r"[^\x21-\x7e]")
_CALL_ID_SHOWN = 16


class Wiretap:
    """`wall` tells µs since the epoch, `clock` seconds that never go back, `local` our address on a transport, `knows` whether a
    host is one that we have to do with, `say` writes a line of an event and its values. `messages` counts by direction and kind: a
    method that we know, `other`, or `2xx`.
    """

    def __init__(
        self,
        wall: Callable[[], int],
        clock: Callable[[], float],
        local: Callable[[Transport], Address],
        knows: Callable[[str], bool],
        sinks: Sequence[Sink] = (),
        level: Literal["debug", "info", "warning", "error"] = "info",
        say: Callable[..., None] | None = None,
    ) -> None:
        self.messages: Counter[tuple[str, str]] = Counter()
        self._wall = wall
        self._clock = clock
        self._local = local
        self._knows = knows
        self._sinks = tuple(sinks)
        self._logs = level in ("debug", "info")
        self._whole = level == "debug"
        self._lines = Buckets(Refill(1, 5), Refill(5, 50))
        self._unlogged = 0
        self._say = say or _say

    def received(self, data: bytes, source: Source) -> None:
        """A message came."""
        self._took("<", data, source.transport, (source.host, source.port))

    def sent(self, data: bytes, target: Target) -> None:
        """A message is being sent."""
        self._took(">", data, target.transport, (target.host.strip("[]"), target.port))

    def _took(self, direction: Literal["<", ">"], data: bytes, transport: Transport, peer: Address) -> None:
        seen = glance(data)
        if seen is None:
            self.messages[direction, "other"] += 1
            return
        self.messages[direction, _kind(seen)] += 1
        if self._logs:
            self._log(direction, seen, data, transport, peer)
        if self._sinks:
            packet = Packet(self._wall(), direction, transport, self._local(transport), peer, data)
            for sink in self._sinks:
                sink(seen, packet)

    def _log(self, direction: str, seen: Glance, data: bytes, transport: Transport, peer: Address) -> None:
        if not self._knows(peer[0]) and not self._lines.take(peer[0], self._clock()):
            self._unlogged += 1
            return
        fields: dict[str, object] = {} if seen.method else {"cseq": seen.cseq}
        shown = seen.call_id[:_CALL_ID_SHOWN]
        if self._unlogged:
            fields["unlogged"], self._unlogged = self._unlogged, 0
        self._say(
            "sip",
            direction=direction,
            message=seen.kind,
            peer=f"{written(peer)}/{transport}",
            sip_call_id=shown if shown.isascii() and shown.isprintable() else _UNSEEMLY.sub("?", shown),
            size=len(data),
            **fields,
        )
        if self._whole:
            text = without_credentials(data).decode("utf-8", "backslashreplace")
            log.debug("sip_text", direction=direction, text=text.encode("unicode_escape").decode("ascii"))


def _say(event: str, **values: object) -> None:
    log.info(event, **values)


def _kind(seen: Glance) -> str:
    """One of few: labels of a metric are not for strangers to invent."""
    if seen.status is not None:
        return f"{seen.status // 100}xx"
    return seen.method if seen.method in METHODS else "other"
