"""What we do for trunks beside their calls: registrations and probes, under one roof (`protocols.TrunkStates`)."""

from __future__ import annotations

import hashlib
import hmac
import random
import time
from collections.abc import Callable, Sequence

from sipserver.legs import Source
from sipserver.message import Request
from sipserver.probes import Probes
from sipserver.protocols import AgentDirectory, RegistrationState, Trunk, TrunkHealth
from sipserver.registrar_client import Means, Registrations
from sipserver.useragent import SipEndpoint


def line_of(trunk: Trunk, key: bytes) -> str:
    """The Contact user of a registration: letters and digits only, for some exchanges refuse others.

    It is the same after a restart, so that the registrar replaces the binding and does not ring us twice; who does not have the
    key cannot guess it.
    """
    return "ln" + hmac.digest(key, f"line {trunk.id}".encode(), hashlib.sha256).hex()[:24]


class Trunks:
    """Start it when the endpoint is bound, stop it before the endpoint."""

    def __init__(self, registrations: Registrations, probes: Probes) -> None:
        self._registrations = registrations
        self._probes = probes

    @classmethod
    def make(cls, key: bytes, wall: Callable[[], int], *, probe_seconds: float, learn: bool) -> Trunks:
        """With the clocks of this machine. `key` is this installation's secret; the rest as in `Means` and `Probes`."""
        means = Means(lambda trunk: line_of(trunk, key), time.monotonic, wall, random.random, learn)
        return cls(Registrations(means), Probes(probe_seconds, time.monotonic, wall, random.random))

    def start(self, endpoint: SipEndpoint) -> None:
        """Requests can be sent from now on."""
        self._registrations.start(endpoint)
        self._probes.start(endpoint)

    def follow(self, trunks: Sequence[Trunk]) -> None:
        """These are the trunks now."""
        self._registrations.follow(trunks)
        self._probes.follow(trunks)

    def trunk_of(self, request: Request) -> Trunk | None:
        """The trunk whose registered Contact a request was sent to; None when it names none of ours."""
        return self._registrations.trunk_of(request)

    def whose(self, directory: AgentDirectory, request: Request, source: Source) -> Trunk | None:
        """Whose peer sent a request: the trunk that it names by our registered Contact, else one of its source's.

        Of several, one that has something to say of our address.
        """
        named = self.trunk_of(request)
        if named is not None:
            return named
        found = directory.trunks_of(source.host)
        telling = (trunk for trunk in found if trunk.options.advertised_address or trunk.options.local_nets)
        return next(telling, found[0] if found else None)

    def registration(self, trunk_id: str) -> RegistrationState | None:
        """How our registration at a trunk stands; None where there is none."""
        return self._registrations.state(trunk_id)

    def health(self, trunk_id: str) -> TrunkHealth | None:
        """What the last probes of a trunk came to; None where it is not probed."""
        return self._probes.health(trunk_id)

    def drain(self) -> None:
        """No new calls are wanted: unregister."""
        self._registrations.drain()

    async def stop(self) -> None:
        """Unregister within a few seconds, and be silent."""
        self._probes.stop()
        await self._registrations.stop()
