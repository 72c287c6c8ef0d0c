"""What a simulated network makes of streams of packets: which never come, which come twice, and how late all others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.bench.capture import rfc3550_jitter
from media.bench.spread import USUAL, spread
from media.networks import PACKET_MS, Chance, Milliseconds, Network
from media.quality import burst_ratio, listening, mos

_AGAIN_MS = 10.0
"""A packet that comes twice does so within this."""


@dataclass(frozen=True, slots=True)
class Transit:
    """Of packets of some streams, each (streams, packets): ms under way, whether lost, and whether there are two of it."""

    delay: Milliseconds
    lost: NDArray[np.bool_]
    twice: NDArray[np.bool_]

    @classmethod
    def draw(cls, network: Network, streams: int, packets: int, chance: Chance) -> Transit:
        """So many streams that cross the network, each at its own times."""
        lost = network.losses(chance, streams, packets)
        twice = (chance.random(lost.shape) < network.twice) & ~lost
        return cls(network.delays(chance, streams, packets), lost, twice)

    def arrivals(self, sent: Milliseconds, chance: Chance) -> tuple[Milliseconds, NDArray[np.intp], NDArray[np.intp]]:
        """When which packet of which stream arrives, in this order. sent: ms, as `delay`. Returns three times (arrivals,)."""
        there, again = np.nonzero(~self.lost), np.nonzero(self.twice)
        arrival = sent + self.delay
        times = np.concatenate((arrival[there], arrival[again] + chance.uniform(0, _AGAIN_MS, again[0].size)))
        order = np.argsort(times, kind="stable")
        streams, packets = np.concatenate((there[0], again[0])), np.concatenate((there[1], again[1]))
        return times[order], streams[order], packets[order]

    def truth(self) -> dict[str, Any]:
        """What the network has done, as nobody at its ends can know it; `mos` is the best that its losses allow."""
        arrival = np.arange(self.delay.shape[1]) * PACKET_MS + self.delay
        jitters = [rfc3550_jitter(np.abs(np.diff(one[~lost]))) for one, lost in zip(self.delay, self.lost, strict=True)]
        overtaken = arrival[:, :-1] > np.minimum.accumulate(arrival[:, ::-1], axis=1)[:, ::-1][:, 1:]
        return {
            "lost_percent": percent(self.lost),
            "twice_percent": percent(self.twice),
            "overtaken_percent": percent(overtaken[~self.lost[:, :-1]]),
            "delay_ms": spread(self.delay[~self.lost], USUAL, 1),
            "jitter_ms": round(float(np.median(jitters)), 1),
            "mos": round(float(np.mean([rated(one) for one in self.lost])), 2),
        }


def rated(missing: NDArray[np.bool_]) -> float:
    """The mean opinion score of listening to a stream of G.711 without these packets, (packets,)."""
    loss = float(missing.mean())
    bursts = int((missing & ~np.concatenate(([False], missing[:-1]))).sum())
    return mos(listening(loss, burst_ratio(int(missing.sum()), bursts, loss)))


def percent(which: NDArray[np.bool_]) -> float:
    """How many of all, as it stands in a table."""
    return round(100 * float(which.mean()), 2) if which.size else 0.0
