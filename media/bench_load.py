"""The callers of the media bench: `python -m media.bench_load CALLS WARM_UP SECONDS`.

It prints the ports it listens on as a line of JSON, reads the ports to call as another, and sends every call 50 packets a second
in phases spread over the 20 ms. When the warm-up is over it prints an empty line, and at the end what it saw of some of
the calls, by the kernel's receive times.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from media.codecs.g711 import encode
from media.frames import Codec, Pcm
from media.rtp import FRAME_SAMPLES, HEADER
from media.scheduling import be_punctual

_SO_TIMESTAMPNS = 35
_PHASES = 10
_SAMPLED = 40
"""How many of the calls are listened to; the other sockets let packets drop when they are full."""
_TICK_NS = 20_000_000
VOICE_SECONDS = 5.0
"""Two sentences of 1.2 s with their pauses: a caller who speaks 48 % of the time, which is much."""


def voice(seconds: float, pitch: float = 120.0) -> Pcm:
    """Something like speech: harmonics under a formant, in syllables, with pauses. int16 (8000 * seconds,)."""
    time_line = np.arange(int(seconds * 8000)) / 8000
    harmonics = np.arange(1, 25)
    strength = 1 / harmonics + 2 * np.exp(-(((harmonics * pitch - 650) / 250) ** 2))
    tone = (np.sin(2 * np.pi * pitch * harmonics[:, None] * time_line) * strength[:, None]).sum(axis=0)
    syllables = np.clip(np.sin(2 * np.pi * 4 * time_line), 0, 1) * (time_line % 2.5 < 1.2)
    noise = np.random.default_rng(1).normal(0, 30, len(time_line))
    return np.asarray(tone * syllables * 2500 + noise, np.int16)


@dataclass(slots=True)
class Listener:
    """One sampled call: when its packets came, and their sequence numbers and timestamps."""

    sock: socket.socket
    times: list[int] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)

    def drain(self) -> None:
        """Read what has come."""
        while True:
            try:
                data, control, _, _ = self.sock.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if data[1] & 0x7F:
                # RTCP of a call whose peer's port is the one before ours.
                continue
            seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
            sequence, timestamp = struct.unpack_from("!HI", data, 2)
            self.times.append(seconds * 1_000_000_000 + nanoseconds)
            self.sequences.append(sequence)
            self.timestamps.append(timestamp)

    def forget(self) -> None:
        """What came so far was the warm-up."""
        self.times.clear()
        self.sequences.clear()
        self.timestamps.clear()


def main() -> None:
    """Call, listen, and say what was seen."""
    be_punctual(cpu=-1, realtime=False)
    calls, warm_up, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    sockets = [_socket(number < _SAMPLED) for number in range(calls)]
    print(json.dumps([sock.getsockname()[1] for sock in sockets]), flush=True)
    targets = [("127.0.0.1", port) for port in json.loads(sys.stdin.readline())]
    listeners = [Listener(sock) for sock in sockets[:_SAMPLED]]
    phases = [Phase(range(phase, calls, _PHASES), sockets, targets) for phase in range(_PHASES)]
    _call(phases, listeners, warm_up)
    for listener in listeners:
        listener.forget()
    print(flush=True)
    took = _call(phases, listeners, seconds, first=int(warm_up * 50))
    print(json.dumps({"load_seconds": round(took, 2)} | summary(listeners)), flush=True)
    for sock in sockets:
        sock.close()


def _socket(sampled: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind(("127.0.0.1", 0))
    if sampled:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    return sock


class Phase:
    """The calls that send at the same time, their packets built as rows of one array."""

    def __init__(self, numbers: range, sockets: list[socket.socket], targets: list[tuple[str, int]]) -> None:
        self._payloads = encode(voice(VOICE_SECONDS), Codec.PCMU).reshape(-1, FRAME_SAMPLES)
        self._offset = 7 * np.array(numbers, np.int64)
        self._packets = np.zeros((len(numbers), HEADER + FRAME_SAMPLES), np.uint8)
        self._packets[:, 0] = 0x80
        self._packets[:, 8:12] = np.array(numbers, ">u4").view(np.uint8).reshape(-1, 4)
        self._sends = [
            (sockets[number].sendto, line.data, targets[number])
            for number, line in zip(numbers, self._packets, strict=True)
        ]

    def send(self, number: int) -> None:
        """Send packet `number` of each call."""
        header = struct.pack("!HI", number & 0xFFFF, number * FRAME_SAMPLES & 0xFFFFFFFF)
        self._packets[:, 2:8] = np.frombuffer(header, np.uint8)
        self._packets[:, HEADER:] = self._payloads[(number + self._offset) % len(self._payloads)]
        for send, packet, target in self._sends:
            try:
                send(packet, target)
            except OSError:
                continue


def _call(phases: list[Phase], listeners: list[Listener], seconds: float, first: int = 0) -> float:
    """Send for so long; returns how long it took, which is more where this process cannot keep up."""
    start = time.monotonic_ns()
    for step in range(int(seconds * 50) * _PHASES):
        rest = start + step * _TICK_NS // _PHASES - time.monotonic_ns()
        if rest > 0:
            time.sleep(rest / 1e9)
        phases[step % _PHASES].send(first + step // _PHASES)
        if step % _PHASES == 0:
            for listener in listeners:
                listener.drain()
    return (time.monotonic_ns() - start) / 1e9


def summary(listeners: list[Listener]) -> dict[str, Any]:
    """Deviation of each packet from its call's best 20 ms grid, RFC 3550 jitter, and what was missing."""
    deviations, jitters = [], []
    gaps = jumps = packets = 0
    for listener in listeners:
        times = np.array(listener.times, np.int64)
        steps = np.diff(np.array(listener.sequences)) % 65536
        gaps += int((steps != 1).sum())
        jumps += int((np.diff(np.array(listener.timestamps)) % 2**32 != 160 * steps).sum())
        packets += len(times)
        places = np.concatenate(([0], np.cumsum(steps)))
        offset = times - places * _TICK_NS
        deviations.append(np.abs(offset - np.median(offset)) / 1e6)
        jitter = 0.0
        for difference in np.abs(np.diff(offset)) / 1e6:
            jitter += (difference - jitter) / 16
        jitters.append(jitter)
    deviation = np.concatenate(deviations)
    return {
        "packets_seen": packets,
        "sequence_gaps": gaps,
        "timestamp_jumps": jumps,
        "deviation_ms": {
            name: round(float(np.percentile(deviation, share)), 3)
            for name, share in (("p50", 50), ("p99", 99), ("p99.9", 99.9), ("max", 100))
        },
        "jitter_ms": round(float(np.median(jitters)), 3),
    }


if __name__ == "__main__":
    main()
