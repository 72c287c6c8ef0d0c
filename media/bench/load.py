"""The callers of the media bench: `python -m media.bench.load CALLS WARM_UP SECONDS`.

It prints the ports it listens on as a line of JSON, reads the ports to call as another, and sends every call 50 packets a second
in phases spread over the 20 ms. When the warm-up is over it prints an empty line, and at the end what it saw of some of
the calls, by the kernel's receive times. A few of the callers are probes (`media.bench.probes`).
"""

from __future__ import annotations

import json
import socket
import sys
import time

from media.bench.callers import Callers
from media.bench.capture import summary
from media.bench.listener import Listener
from media.bench.probes import Prober, settled, share
from media.bench.voice import VOICE_SECONDS, voice
from media.codecs.g711 import encode
from media.frames import Codec
from media.rtp import FRAME_SAMPLES
from media.scheduling import be_punctual

_PHASES = 10
_SAMPLED = 40
"""How many of the calls are listened to; the other sockets let packets drop when they are full."""
_TICK_NS = 20_000_000


def main() -> None:
    """Call, listen, and say what was seen."""
    be_punctual(cpu=-1, realtime=False)
    calls, warm_up, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    sockets = [_socket(number < _SAMPLED) for number in range(calls)]
    print(json.dumps([sock.getsockname()[1] for sock in sockets]), flush=True)
    line = sys.stdin.readline()
    if not line:
        sys.exit("Who wanted to measure is gone.")
    targets = [("127.0.0.1", port) for port in json.loads(line)]
    listeners = [Listener(sock) for sock in sockets[:_SAMPLED]]
    said = encode(voice(VOICE_SECONDS), Codec.PCMU).reshape(-1, FRAME_SAMPLES)
    probers = [Prober(number, sockets, targets) for number in range(share(calls))]
    phases: list[list[Callers]] = []
    for phase in range(_PHASES):
        probing = probers[phase : phase + 1]
        others = range(phase + len(probing) * _PHASES, calls, _PHASES)
        phases.append([*probing, Callers(others, sockets, targets, said)])
    _call(phases, listeners, warm_up)
    for listener in listeners:
        listener.forget()
    counted = time.time_ns()
    print(flush=True)
    took = _call(phases, listeners, seconds, first=int(warm_up * 50))
    sent = [settled(prober.sent, counted, time.time_ns()) for prober in probers]
    probes = {"sent": sent, "returned": [listener.clicks for listener in listeners[: len(probers)]]}
    seen = summary([listener.capture for listener in listeners])
    print(json.dumps({"load_seconds": round(took, 2), "probes": probes} | seen), flush=True)
    for sock in sockets:
        sock.close()


def _socket(sampled: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind(("127.0.0.1", 0))
    if not sampled:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    return sock


def _call(phases: list[list[Callers]], listeners: list[Listener], seconds: float, first: int = 0) -> float:
    """Send for so long; returns how long it took, which is more where this process cannot keep up."""
    start = time.monotonic_ns()
    for step in range(int(seconds * 50) * _PHASES):
        rest = start + step * _TICK_NS // _PHASES - time.monotonic_ns()
        if rest > 0:
            time.sleep(rest / 1e9)
        for callers in phases[step % _PHASES]:
            callers.send(first + step // _PHASES)
        if step % _PHASES == 0:
            for listener in listeners:
                listener.drain()
    return (time.monotonic_ns() - start) / 1e9


if __name__ == "__main__":
    main()
