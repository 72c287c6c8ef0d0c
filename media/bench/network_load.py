"""Callers on all networks at once: `python -m media.bench.network_load CALLS WARM_UP SECONDS SEED SAID`, CALLS on each network.

What the network does is done here, before a packet goes to the loopback: it is sent when it would arrive, twice or never. It talks with
who measures as `media.bench.load` does, and says by one more empty line that all is sent. Some callers on each network are probes, who
say clicks; the others say what is in the file SAID.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.bench.capture import summary
from media.bench.far_end import far_end
from media.bench.listener import Listener
from media.bench.probes import clicks, settled
from media.bench.said import Said
from media.bench.spread import USUAL, spread
from media.bench.transit import Transit
from media.codecs.g711 import encode
from media.frames import Codec
from media.networks import NETWORKS, PACKET_MS, Milliseconds, Network
from media.rtp import FRAME_SAMPLES, RtpPacket
from media.scheduling import be_punctual

_DRAIN_NS = 20_000_000
_SETTLE_NS = 2_000_000_000
"""An utterance counts if so much time is left behind it."""
_MORE = 50
"""Packets that we may send beyond those that the callers do."""


def probing(calls: int) -> int:
    """How many of so many callers on a network say clicks."""
    return max(1, calls // 4)


def main() -> None:
    """Call, listen, and say what was seen."""
    be_punctual(cpu=-1, realtime=False)
    calls, warm_up, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    chance = np.random.default_rng(seed)
    said = Said.load(Path(sys.argv[5]))
    warm, packets = int(warm_up * 50), int((warm_up + seconds) * 50)
    parties = [
        Party(network, number * calls, calls, warm, packets, chance) for number, network in enumerate(NETWORKS.values())
    ]
    sockets = [_socket() for _ in range(calls * len(parties))]
    print(json.dumps([sock.getsockname()[1] for sock in sockets]), flush=True)
    line = sys.stdin.readline()
    if not line:
        sys.exit("Who wanted to measure is gone.")
    targets = [("127.0.0.1", port) for port in json.loads(line)]
    listeners = [Listener(sock) for sock in sockets]
    start, late = _send(_Packets(said, parties), sockets, targets, listeners, warm_up)
    print(flush=True)
    print(json.dumps({
        "load_late_ms": spread(late, USUAL),
        "networks": {party.network.name: party.seen(said, start, listeners, warm) for party in parties},
    }), flush=True)  # fmt: skip
    for sock in sockets:
        sock.close()


@dataclass(slots=True)
class Party:
    """The callers on one network, numbered from `first`, and what becomes of their packets and of ours to them."""

    network: Network
    first: int
    calls: int
    leaves: Milliseconds
    """(calls, packets), since the start: when each packet leaves its caller."""
    out: Transit
    back: Transit
    arrivals: tuple[Milliseconds, NDArray[np.intp], NDArray[np.intp]]

    def __init__(
        self, network: Network, first: int, calls: int, warm: int, packets: int, chance: np.random.Generator
    ) -> None:
        self.network, self.first, self.calls = network, first, calls
        self.leaves = chance.uniform(0, PACKET_MS, (calls, 1)) + np.arange(packets) * PACKET_MS
        self.out = Transit.draw(network, calls, packets, chance)
        self.back = Transit.draw(network, calls, packets - warm + _MORE, chance)
        self.arrivals = self.out.arrivals(self.leaves, chance)

    def seen(self, said: Said, start: int, listeners: list[Listener], warm: int) -> dict[str, Any]:
        """What its callers' ends know. start: the wall clock's nanoseconds, as those of clicks and utterances."""
        mine = listeners[self.first : self.first + self.calls]
        captures = [listener.capture for listener in mine]
        probes = probing(self.calls)
        leaves = start + (self.leaves * 1e6).astype(np.int64)
        end = int(leaves[:, -1].min())
        period = len(clicks())
        sent = [settled(leaves[call, ::period].tolist(), int(leaves[call, warm]), end) for call in range(probes)]
        return {
            "wire": self.out.truth(),
            "sent": summary(captures),
            "far": far_end(captures, self.back),
            "clicks": {"sent": sent, "returned": [listener.clicks for listener in mine[:probes]]},
            "turns": [self._turns(said, call, leaves[call], warm, end) for call in range(probes, self.calls)],
        }

    def _turns(self, said: Said, call: int, leaves: NDArray[np.int64], warm: int, end: int) -> list[tuple[int, int]]:
        """When a caller's utterances began and ended at the mouth: a packet holds the 20 ms before it leaves."""
        packet_ns = int(PACKET_MS * 1e6)
        turns = said.spoken(self.first + call, len(leaves))
        times = [(int(leaves[first]) - packet_ns, int(leaves[behind - 1])) for first, behind in turns if first >= warm]
        return [turn for turn in times if turn[1] < end - _SETTLE_NS]


class _Packets:
    """All packets of all callers in the order of their arrival. times: ms, (packets,)."""

    def __init__(self, said: Said, parties: list[Party]) -> None:
        times = np.concatenate([party.arrivals[0] for party in parties])
        order = np.argsort(times, kind="stable")
        self.times = times[order]
        self.callers = np.concatenate([party.arrivals[1] + party.first for party in parties])[order].tolist()
        self.numbers = np.concatenate([party.arrivals[2] for party in parties])[order].tolist()
        self._said = said
        self._speech = [frame.tobytes() for frame in encode(said.pcm, Codec.PCMU)]
        self._clicks = [frame.tobytes() for frame in clicks()]
        self._probes = {party.first + probe for party in parties for probe in range(probing(party.calls))}

    def packet(self, caller: int, number: int) -> bytes:
        """A caller's packet."""
        clicks = caller in self._probes
        payload = self._clicks[number % len(self._clicks)] if clicks else self._speech[self._said.place(caller, number)]
        return bytes(RtpPacket(0, number & 0xFFFF, number * FRAME_SAMPLES & 0xFFFFFFFF, caller + 1, payload))


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind(("127.0.0.1", 0))
    return sock


def _send(
    packets: _Packets,
    sockets: list[socket.socket],
    targets: list[tuple[str, int]],
    listeners: list[Listener],
    warm_up: float,
) -> tuple[int, list[float]]:
    """Send each packet when it arrives; returns when that began (wall clock, ns), and by how many ms packets were too late."""
    start, steady = time.time_ns(), time.monotonic_ns()
    dues = (steady + packets.times * 1e6).astype(np.int64).tolist()
    warmed, drain = steady + int(warm_up * 1e9), steady
    warm, late = True, []
    for due, caller, number in zip(dues, packets.callers, packets.numbers, strict=True):
        packet = packets.packet(caller, number)
        while (rest := due - (now := time.monotonic_ns())) > 0 or now >= drain:
            if now >= drain:
                drain = now + _DRAIN_NS
                for listener in listeners:
                    listener.drain()
            elif rest > 0:
                time.sleep(min(rest, max(drain - now, 0)) / 1e9)
        if warm and now >= warmed:
            warm = False
            for listener in listeners:
                listener.forget()
            print(flush=True)
        late.append((now - due) / 1e6)
        try:
            sockets[caller].sendto(packet, targets[caller])
        except OSError:
            continue
    return start, late


if __name__ == "__main__":
    main()
