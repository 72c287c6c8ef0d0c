"""Networks as they are simulated in benches and tests: what becomes of packets of 20 ms on a LAN, the internet, Wi-Fi and mobile data.

The delays are those of MEDIA.md section 6. Losses come in bursts, by the model of Gilbert: a packet after a lost one is lost with
`burst`, any other so often that `loss` of all are. Where radio is on the way, a few come twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PACKET_MS = 20.0
Chance = np.random.Generator
Milliseconds = NDArray[np.float64]
"""(calls, packets): for how long each packet is under way, beside what all of them are."""


@dataclass(frozen=True, slots=True)
class Network:
    """A kind of network. loss, burst, twice: 0 to 1."""

    name: str
    delays: Callable[[Chance, int, int], Milliseconds]
    """Of so many calls, of so many packets each. A packet may overtake another."""
    loss: float
    burst: float
    twice: float = 0.0
    """How many packets come a second time."""

    def losses(self, chance: Chance, calls: int, packets: int) -> NDArray[np.bool_]:
        """Which packets never come, (calls, packets)."""
        lost = np.zeros((calls, packets), np.bool_)
        enter = self.loss * (1 - self.burst) / (1 - self.loss)
        dice = chance.random((calls, packets))
        before = np.zeros(calls, np.bool_)
        for packet in range(packets):
            before = lost[:, packet] = dice[:, packet] < np.where(before, self.burst, enter)
        return lost


def _lan(chance: Chance, calls: int, packets: int) -> Milliseconds:
    return chance.gamma(1, 1, (calls, packets))


def _internet(chance: Chance, calls: int, packets: int) -> Milliseconds:
    return chance.gamma(2, 4, (calls, packets))


def _wifi(chance: Chance, calls: int, packets: int) -> Milliseconds:
    """Every 5 s nothing for 60 to 160 ms, then all of it at once."""
    delays = chance.gamma(2, 5, (calls, packets))
    for call in delays:
        for start in chance.integers(0, max(1, packets - 20), packets // 250):
            length = int(chance.integers(3, 9))
            late = PACKET_MS * (length - np.arange(length))
            call[start : start + length] += late[: max(0, packets - start)]
    return delays


def _mobile(chance: Chance, calls: int, packets: int) -> Milliseconds:
    swell = 30 * np.abs(np.sin(np.arange(packets) / 200))
    delays: Milliseconds = chance.gamma(2, 15, (calls, packets)) + swell
    return delays


NETWORKS = {
    network.name: network
    for network in (
        Network("lan", _lan, loss=0.0, burst=0.0),
        Network("internet", _internet, loss=0.003, burst=0.2, twice=0.0005),
        Network("wifi", _wifi, loss=0.01, burst=0.4, twice=0.002),
        Network("mobile", _mobile, loss=0.02, burst=0.5, twice=0.002),
    )
}
