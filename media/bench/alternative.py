"""What one would write first: `python -m media.bench.alternative`, measured beside the tick in the same run.

One DatagramProtocol and one task per call on one asyncio loop: the protocol puts packets into a jitter buffer, every 20 ms the task
wakes, takes one out, decodes it, has it judged, records both sides, and sends the agent's next frame. With `--vad` each call has its own
state of Silero in onnxruntime, one call at a time, of the 8 kHz model, which is the cheaper one. It conceals nothing, has no RTCP, no
barge-in and no rings to another process, and hears at 8 kHz: all that is left out speaks for it. A probe's click is answered at once.

It reads the peers' ports as a line of JSON, prints its own and its memory without a call (kB), and runs until its input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from media.bench.click import CLICK, is_click_heard
from media.bench.machine import resident_kb
from media.bench.probes import share
from media.bench.voice import VOICE_SECONDS, voice
from media.codecs.g711 import decode, encode
from media.frames import Codec, Pcm
from media.rtp import FRAME_SAMPLES, HEADER, LINE_RATE
from media.silero import find_model

_FRAME_SECONDS = 0.02
_DELAY_FRAMES = 2
"""The jitter buffer holds a packet for so long, as most do."""
_WINDOW, _CONTEXT = 256, 32
"""Samples that Silero's 8 kHz model takes at a time, and those before them."""
_STATE = (2, 1, 128)
_FLUSH = 50
"""Frames after which a recording is written."""
_SILENCE = b"\xff" * FRAME_SAMPLES
_QUIET: Pcm = np.zeros(FRAME_SAMPLES, np.int16)

Judge = Callable[[NDArray[np.float32], NDArray[np.float32]], tuple[float, NDArray[np.float32]]]
"""(1, 288) samples and the state before, to the probability of speech and the state after."""


class Call(asyncio.DatagramProtocol):
    """One call: what came and has not been played, and the task that plays it."""

    def __init__(
        self,
        remote: tuple[str, int],
        number: int,
        *,
        is_probe: bool,
        said: list[Pcm],
        judge: Judge | None,
        tape: BinaryIO,
    ) -> None:
        self._remote = remote
        self._number = number
        self._is_probe = is_probe
        self._said = said
        self._judge = judge
        self._tape = tape
        self._waiting: dict[int, bytes] = {}
        self._next: int | None = None
        self._samples = np.zeros(_CONTEXT + _WINDOW, np.float32)
        self._filled = _CONTEXT
        self._state = np.zeros(_STATE, np.float32)
        self._recorded: list[bytes] = []
        self.speech = 0.0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """The socket is there."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """A packet has come: it waits in the jitter buffer."""
        if len(data) < HEADER or data[1] & 0x7F:
            return
        _, _, sequence, _, _ = struct.unpack_from("!BBHII", data)
        if self._next is None:
            self._next = (sequence - _DELAY_FRAMES) % 65536
        self._waiting[sequence] = data[HEADER:]

    async def run(self) -> None:
        """A frame every 20 ms."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        sent = 0
        while True:
            heard = self._hear()
            spoken = self._said[(sent + self._number) % len(self._said)]
            if self._is_probe:
                spoken = CLICK if is_click_heard(heard) else _QUIET
            payload = encode(spoken, Codec.PCMU).tobytes()
            header = struct.pack("!BBHII", 0x80, 0, sent & 0xFFFF, sent * FRAME_SAMPLES & 0xFFFFFFFF, self._number)
            assert self._transport is not None
            self._transport.sendto(header + payload, self._remote)
            self._record(heard, spoken)
            sent += 1
            due += _FRAME_SECONDS
            await asyncio.sleep(due - loop.time())

    def _hear(self) -> Pcm:
        payload = None
        if self._next is not None:
            payload = self._waiting.pop(self._next, None)
            self._next = (self._next + 1) % 65536
        pcm = decode(np.frombuffer(payload or _SILENCE, np.uint8), Codec.PCMU)
        if self._judge is not None:
            self._listen(pcm, self._judge)
        return pcm

    def _listen(self, pcm: Pcm, judge: Judge) -> None:
        samples = pcm.astype(np.float32) / 32768
        while len(samples):
            part = samples[: len(self._samples) - self._filled]
            self._samples[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            samples = samples[len(part) :]
            if self._filled == len(self._samples):
                self.speech, self._state = judge(self._samples[None], self._state)
                self._samples[:_CONTEXT] = self._samples[-_CONTEXT:]
                self._filled = _CONTEXT

    def _record(self, heard: Pcm, spoken: Pcm) -> None:
        self._recorded.append(np.stack((heard, spoken), axis=1).tobytes())
        if len(self._recorded) == _FLUSH:
            self._tape.write(b"".join(self._recorded))
            self._recorded.clear()


def silero() -> Judge:
    """Silero by onnxruntime on one thread. Raises SileroError where the file of the package silero-vad is not there."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(find_model()), options, providers=["CPUExecutionProvider"])
    rate = np.array(LINE_RATE, np.int64)

    def judge(samples: NDArray[np.float32], state: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        speech, after = session.run(None, {"input": samples, "state": state, "sr": rate})
        return float(speech[0, 0]), after

    return judge


def _same(call: Call) -> Call:
    return call


async def _serve(vad: bool) -> None:
    loop = asyncio.get_running_loop()
    peers = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    judge = silero() if vad else None
    bare = resident_kb(os.getpid())
    said = list(voice(VOICE_SECONDS).reshape(-1, FRAME_SAMPLES))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as files:
        ports, calls = [], []
        for number, peer in enumerate(peers):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            sock.bind(("127.0.0.1", 0))
            ports.append(sock.getsockname()[1])
            tape = files.enter_context(Path(folder, f"{number}.pcm").open("wb", buffering=0))  # noqa: ASYNC230 (before the calls)
            is_probe = number < share(len(peers))
            call = Call(("127.0.0.1", peer), number, is_probe=is_probe, said=said, judge=judge, tape=tape)
            await loop.create_datagram_endpoint(partial(_same, call), sock=sock)
            calls.append(call)
        print(json.dumps([ports, bare]), flush=True)
        tasks = [asyncio.create_task(call.run()) for call in calls]
        await loop.run_in_executor(None, sys.stdin.readline)
        for task in tasks:
            task.cancel()


def main() -> None:
    """Carry the calls."""
    parser = argparse.ArgumentParser(prog="python -m media.bench.alternative")
    parser.add_argument("--vad", action="store_true")
    parser.add_argument("--cpu", type=int, default=-1)
    arguments = parser.parse_args()
    if arguments.cpu >= 0:
        os.sched_setaffinity(0, {arguments.cpu})
    asyncio.run(_serve(arguments.vad))


if __name__ == "__main__":
    main()
