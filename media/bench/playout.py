"""What an ear and a bridge make of a network: `python -m media.bench.playout` prints the added delay and how much is made up.

The stages are the real ones, `media.jitter` for an agent's ear and `media.bridge` behind it for a person's, with a voice of vowels; fixed
buffers are reckoned on the same packets. *Added* delay counts from the fastest packets of the call to the tick that plays, so it holds
the wait for the tick, 10 ms in the mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.bridge import Bridges
from media.frames import LINE_SAMPLES, Pcm
from media.jitter import EarJitter
from media.networks import NETWORKS, PACKET_MS, Network

FIXED_MS = (40, 60, 100)
WARM_PACKETS = 200
_FASTEST = 0.02
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Playout:
    """Of one way to play: the mean added delay in ms, its 95th percentile over all ticks and calls, and how much was made up."""

    way: str
    delay_ms: float
    delay_p95_ms: float
    made_up_percent: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """Packets of `calls` calls. tick: int, (calls, packets), in which each is there; sent: ms, after which tick 0 it was sent,
    the delay of the fastest included; lost: it never comes."""

    tick: NDArray[np.int64]
    sent: Floats
    lost: NDArray[np.bool_]


def traffic(
    network: Network, calls: int, packets: int, seed: int, *, ppm: float | Floats = 0.0, losses: bool = True
) -> Traffic:
    """Packets of peers whose clocks are slower than ours by `ppm`, (calls, 1) or one for all, at random phases of our ticks."""
    chance = np.random.default_rng(seed)
    delays = network.delays(chance, calls, packets)
    sent = np.arange(packets) * PACKET_MS * (1 + ppm / 1e6) + chance.uniform(0, PACKET_MS, (calls, 1))
    lost = network.losses(chance, calls, packets) if losses else np.zeros((calls, packets), np.bool_)
    lost[:, 0] = False
    tick = np.ceil((sent + delays) / PACKET_MS).astype(np.int64)
    return Traffic(tick, sent + np.quantile(delays, _FASTEST, axis=1, keepdims=True), lost)


def fixed(packets: Traffic, milliseconds: int) -> Playout:
    """A buffer that always waits as long."""
    play = np.ceil((packets.sent + milliseconds) / PACKET_MS)
    late = (packets.tick > play) | packets.lost
    return _playout(f"fixed {milliseconds}", play * PACKET_MS - packets.sent, late[:, WARM_PACKETS:].mean())


def listened(packets: Traffic) -> Playout:
    """An agent's ear."""
    calls, count = packets.tick.shape
    line = _Line(packets, EarJitter(calls))
    delay = np.full(packets.tick.shape, np.nan)
    for now in range(count):
        for rows, numbers, _ in line.heard(now):
            delay[rows, numbers] = now * PACKET_MS - packets.sent[rows, numbers]
    delay = delay[:, : count - WARM_PACKETS]
    return _playout("ear", delay, np.isnan(delay[:, WARM_PACKETS:]).mean())


def played(packets: Traffic) -> Playout:
    """A person's ear over a bridge."""
    calls, count = packets.tick.shape
    bridges = Bridges(2 * calls)
    playout = bridges.playout
    line = _Line(packets, EarJitter(2 * calls, bridges.played))
    for call in range(calls):
        bridges.join(call, calls + call, relay=False)
    rows_to, voice = calls + np.arange(calls), _voice(1500)
    newest, before = np.zeros(calls, np.int64), 0
    delay = np.full(packets.tick.shape, np.nan)
    out = np.zeros((2 * calls, LINE_SAMPLES), np.int16)
    for now in range(count):
        for rows, numbers, lost in line.heard(now):
            bridges.heard(rows, voice[numbers % len(voice)], lost)
            newest[rows] = np.where(lost, newest[rows] + 1, numbers)
        out[:] = 0
        bridges.mix(out)
        if now == WARM_PACKETS:
            before = int((playout.expanded + playout.filled).sum())
        begins = np.clip(newest - playout.waiting(rows_to) / LINE_SAMPLES, 0, count - 1)
        # Packets are sent evenly.
        first, last = packets.sent[:, 0], packets.sent[:, -1]
        delay[:, now] = now * PACKET_MS - (first + (last - first) * begins / (count - 1))
    made_up = int((playout.expanded + playout.filled).sum()) - before
    return _playout("bridge", delay, made_up / calls / (count - WARM_PACKETS))


class _Line:
    """The packets, given to a jitter buffer as they come. A packet's number is its payload."""

    def __init__(self, packets: Traffic, jitter: EarJitter) -> None:
        self._jitter = jitter
        come = np.flatnonzero(~packets.lost)
        order = come[np.argsort(packets.tick.reshape(-1)[come], kind="stable")]
        self._rows, self._numbers = np.divmod(order, packets.tick.shape[1])
        ticks = packets.tick.reshape(-1)[order]
        self._begins = np.searchsorted(ticks, np.arange(packets.tick.shape[1] + 1))
        for row in range(len(packets.tick)):
            jitter.open_row(row)

    def heard(self, now: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.bool_]]]:
        """The heaps of a tick: rows, the numbers of their packets, and which of them are lost."""
        part = slice(self._begins[now], self._begins[now + 1])
        rows, numbers = self._rows[part], self._numbers[part]
        payload = np.zeros((len(rows), LINE_SAMPLES), np.uint8)
        payload[:, :4] = numbers.astype("<u4").view(np.uint8).reshape(-1, 4)
        jitter = self._jitter
        jitter.insert(rows, numbers.astype(np.uint16), (numbers * LINE_SAMPLES).astype(np.uint32), payload, now)
        taken = jitter.take()
        moved = np.flatnonzero(taken.have | taken.lost)
        yield moved, _numbers(taken.payload[moved], taken.lost[moved]), taken.lost[moved]
        while (more := jitter.take_more()).rows.size:
            yield more.rows, _numbers(more.payload, more.lost), more.lost


def _numbers(payload: NDArray[np.uint8], lost: NDArray[np.bool_]) -> NDArray[np.int64]:
    found = np.ascontiguousarray(payload[:, :4]).view("<u4")[:, 0].astype(np.int64)
    return np.where(lost, 0, found)


def _voice(count: int) -> Pcm:
    """Frames of a hum whose pitch wanders between 90 and 180 Hz, louder and softer."""
    at = np.arange(count * LINE_SAMPLES) / 8000
    phase = np.cumsum(135 + 45 * np.sin(2 * np.pi * at / 3)) / 8000 * 2 * np.pi
    hum = sum((np.sin(k * phase) / k for k in range(1, 12)), np.zeros_like(phase))
    pcm: Pcm = np.rint(2500 * hum * (1.2 + np.sin(2 * np.pi * at / 0.7))).astype(np.int16)
    return pcm.reshape(-1, LINE_SAMPLES)


def _playout(way: str, delay: Floats, made_up: float) -> Playout:
    settled = delay[:, WARM_PACKETS:]
    return Playout(way, float(np.nanmean(settled)), float(np.nanquantile(settled, 0.95)), 100 * float(made_up))


def bench_playout(calls: int, seconds: float, *, seed: int = 1) -> dict[str, list[Playout]]:
    """All ways on all networks, without losses and then with theirs."""
    table = {}
    for network in NETWORKS.values():
        for losses in (False, True) if network.loss else (False,):
            packets = traffic(network, calls, round(seconds * 1000 / PACKET_MS), seed, losses=losses)
            ways = [fixed(packets, milliseconds) for milliseconds in FIXED_MS]
            name = f"{network.name}, {100 * network.loss:g} % lost" if losses else network.name
            table[name] = [*ways, played(packets), listened(packets)]
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The added delay of our ear and of our bridge on simulated networks.")
    parser.add_argument("--calls", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    for network, ways in bench_playout(options.calls, options.seconds).items():
        cells = (
            f"{way.way} {way.delay_ms:.0f} ({way.delay_p95_ms:.0f}) ms / {way.made_up_percent:.2f} %" for way in ways
        )
        print(f"{network}: {'; '.join(cells)}")


if __name__ == "__main__":
    main()
