"""Whether trunks that we do not register at are there: an OPTIONS from time to time (RFC 3261 section 11). For information only.

Any final answer is a sign of life, a refusal too; 408 and 503, made here or sent, are not. Some peers never answer an OPTIONS: a
trunk that has not answered yet is `unknown`, not `down`, and after three probes in vain it is asked ten times less often.
Calls are placed whatever this says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import structlog

from sipserver.message import MessageError
from sipserver.protocols import Trunk, TrunkHealth
from sipserver.useragent.exchange import Errand, Outcome
from sipserver.useragent.identity import Identity
from sipserver.useragent.placing import options_of

IN_VAIN = 3
"""So many probes without any answer ever, and the trunk is asked less often."""
MISSES = 2
"""So many in a row, and a trunk that did answer before is down."""
DEAD = frozenset({408, 503})
_RANK = {"up": 0, "unknown": 1, "down": 2}

log = structlog.get_logger(__name__)


class Sender(Protocol):
    """What probes need of the endpoint."""

    @property
    def identity(self) -> Identity:
        """Who we are on the wire."""

    def request(self, errand: Errand, done: Callable[[Outcome], None]) -> None:
        """Send a request out of dialog; `done` is called once."""


class Probes:
    """Probes each trunk that has an address, about every `seconds`; 0: none. `clock` in seconds, `wall` in µs, `random` in [0, 1)."""

    def __init__(
        self, seconds: float, clock: Callable[[], float], wall: Callable[[], int], random: Callable[[], float]
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._wall = wall
        self._random = random
        self._endpoint: Sender | None = None
        self._probes: dict[tuple[str, str], Probe] = {}

    def start(self, endpoint: Sender) -> None:
        """The endpoint is bound."""
        self._endpoint = endpoint

    def follow(self, trunks: Sequence[Trunk]) -> None:
        """These are the trunks now."""
        if self._endpoint is None or not self._seconds:
            return
        listed = [trunk for trunk in trunks if trunk.mode == "ip_allowlist" and trunk.host]
        wanted = {(one.id, one.host): one for trunk in listed for one in trunk.each_host()}
        for key in [known for known, probe in self._probes.items() if wanted.get(known) != probe.trunk]:
            self._probes.pop(key).close()
        for key, trunk in wanted.items():
            if key not in self._probes:
                probe = Probe(trunk, self._endpoint, self._seconds, self._clock, self._wall, self._random)
                self._probes[key] = probe
                probe.begin()

    def health(self, trunk_id: str) -> TrunkHealth | None:
        """What is known of a trunk; None where it is not probed. One with several hosts is up when any is; the error names the host."""
        probes = [probe for (id_, _), probe in self._probes.items() if id_ == trunk_id]
        if len(probes) < 2:
            return probes[0].health if probes else None
        best = min(probes, key=lambda probe: _RANK[probe.health.status]).health
        errors = [f"{probe.trunk.host}: {probe.health.last_error}" for probe in probes if probe.health.last_error]
        return replace(best, last_error="; ".join(errors) or None)

    def stop(self) -> None:
        """Probe no more."""
        for probe in self._probes.values():
            probe.close()
        self._probes.clear()
        self._endpoint = None


class Probe:
    """Of one host of a trunk."""

    def __init__(
        self,
        trunk: Trunk,
        endpoint: Sender,
        seconds: float,
        clock: Callable[[], float],
        wall: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        self.trunk = trunk
        self.health = TrunkHealth("unknown", None, None, None)
        self._endpoint = endpoint
        self._seconds = seconds
        self._clock = clock
        self._wall = wall
        self._random = random
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._missed = 0
        self._answered_once = False

    def begin(self) -> None:
        """Probe after a while; not at once, for a server that starts has many trunks and better things to do."""
        rare = 10 if self._missed >= IN_VAIN and not self._answered_once else 1
        delay = self._seconds * rare * (0.5 + 0.5 * self._random())
        self._timer = asyncio.get_running_loop().call_later(delay, self._probe)

    def close(self) -> None:
        """Probe no more; an answer that still comes is not looked at."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _probe(self) -> None:
        try:
            placing = options_of(self.trunk, self._endpoint.identity)
        except MessageError as error:
            self.health = TrunkHealth("down", self._wall(), None, str(error))
            return
        self._endpoint.request(placing.errand(), partial(self._came, self._clock()))

    def _came(self, sent_at: float, outcome: Outcome) -> None:
        if self._closed:
            return
        if outcome.status in DEAD:
            self._missing(f"{outcome.status} {outcome.reason}")
        else:
            self._missed, self._answered_once = 0, True
            self._set(TrunkHealth("up", self._wall(), round((self._clock() - sent_at) * 1000, 1), None))
        self.begin()

    def _missing(self, error: str) -> None:
        self._missed += 1
        status = self.health.status if self._missed < MISSES or not self._answered_once else "down"
        self._set(TrunkHealth(status, self._wall(), None, error))

    def _set(self, health: TrunkHealth) -> None:
        if health.status != self.health.status:
            level = log.warning if health.status == "down" else log.info
            level(
                "trunk_health",
                trunk_id=self.trunk.id,
                host=self.trunk.host,
                status=health.status,
                error=health.last_error,
            )
        self.health = health
