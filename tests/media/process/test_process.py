"""The media process itself, on the loopback: real sockets, a real clock, real deaths."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import select
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from media.bench.plane import bench_media
from media.codecs.g711 import decode, encode
from media.frames import Codec, MediaFailed, MediaUnavailable, RtpFormat, RtpRemote, Unbridged
from media.plane import PlaneConfig, ProcessMediaPlane
from media.recorder import repair
from media.rtp import RtpPacket
from tests.media.process.line import frames
from tests.tones import heard_at, tone

FORMAT = RtpFormat(Codec.PCMU, 0, telephone_event=101)
PATIENCE = 30.0


@contextlib.asynccontextmanager
async def a_plane(ports: tuple[int, int], processes: int = 1) -> AsyncIterator[ProcessMediaPlane]:
    plane = ProcessMediaPlane(PlaneConfig(ports=ports, processes=processes, rows=8))
    try:
        async with asyncio.timeout(PATIENCE):
            await plane.start()
            yield plane
    finally:
        await plane.stop()


@contextlib.contextmanager
def a_peer() -> socket.socket:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


def packet(number: int, value: int = 1000) -> bytes:
    payload = encode(np.full(160, value, np.int16), Codec.PCMU).tobytes()
    return bytes(RtpPacket(0, number & 0xFFFF, number * 160, 99, payload))


async def received(peer: socket.socket, count: int) -> list[RtpPacket]:
    """So many packets from the peer's socket."""
    loop = asyncio.get_running_loop()
    return [RtpPacket.parse(await loop.sock_recv(peer, 2048)) for _ in range(count)]


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_a_call_over_real_udp(port_range: tuple[int, int], tmp_path: Path) -> None:
    async def test() -> None:
        async with a_plane(port_range) as plane:
            with a_peer() as peer:
                call = await plane.open("call", tmp_path / "call.wav")
                assert call.port % 2 == 0
                assert plane.free() == 7
                await call.connect(RtpRemote(*peer.getsockname()), FORMAT)
                begun = time.monotonic()
                call.play(frames(30), mark=3)
                for number in range(50):
                    peer.sendto(packet(number), ("127.0.0.1", call.port))
                    await asyncio.sleep(0.005)
                heard = [frame async for frame in _first(call.hear(0), 50)]
                packets = await received(peer, 100)
                # 100 packets take 2 s: the grid is the clock's, whatever else this machine does.
                assert 1.5 < time.monotonic() - begun < 20
                report = await call.close()
        assert [frame.at for frame in heard] == [heard[0].at + 160 * n for n in range(50)]
        assert abs(int(heard[25].pcm[100]) - 1000) < 50
        for before, after in itertools.pairwise(packets):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 160
        assert report.packets_received == 50
        assert report.packets_sent >= 100
        with wave.open(str(tmp_path / "call.wav")) as wav:
            assert wav.getnframes() == report.duration_samples >= 100 * 160
        assert is_free(call.port)
        assert is_free(call.port + 1)

    asyncio.run(test())


async def _first(source: AsyncIterator, count: int) -> AsyncIterator:
    async for item in source:
        yield item
        count -= 1
        if not count:
            return


def test_calls_go_to_the_process_with_the_fewest(port_range: tuple[int, int]) -> None:
    async def test() -> None:
        async with a_plane(port_range, processes=2) as plane:
            first, second = await plane.open("1", None), await plane.open("2", None)
            middle = port_range[0] + 10
            assert (first.port < middle) != (second.port < middle)
            assert plane.free() == 8
            await asyncio.gather(first.close(), second.close())
            assert plane.free() == 10

    asyncio.run(test())


def test_two_calls_of_one_process_are_bridged_over_real_udp(port_range: tuple[int, int]) -> None:
    async def test() -> None:
        async with a_plane(port_range, processes=2) as plane:
            with a_peer() as first, a_peer() as second:
                one = await plane.open("one", None)
                two = await plane.open("two", None, beside=one)
                elsewhere = await plane.open("three", None)
                await one.connect(RtpRemote(*first.getsockname()), FORMAT)
                await two.connect(RtpRemote(*second.getsockname()), RtpFormat(Codec.PCMA, 8))
                with pytest.raises(MediaUnavailable, match="same"):
                    await one.bridge(elsewhere)
                await one.bridge(two)
                voice = tone(700, 1.0).reshape(-1, 160)
                for number, spoken in enumerate(voice):
                    payload = encode(spoken, Codec.PCMU).tobytes()
                    first.sendto(bytes(RtpPacket(0, number, number * 160, 99, payload)), ("127.0.0.1", one.port))
                    await asyncio.sleep(0.02)
                # What is waited for is the tone itself: `a_plane` gives up when it never comes.
                heard: list[bool] = []
                while not any(heard):
                    octets = b"".join([packet.payload for packet in await received(second, 10)])
                    heard = heard_at(decode(np.frombuffer(octets, np.uint8), Codec.PCMA), 700)
                await two.close()
                async for event in one.events():
                    if isinstance(event, Unbridged):
                        break

    asyncio.run(test())


def test_a_killed_media_process_fails_its_calls_keeps_recordings_and_is_restarted(
    port_range: tuple[int, int], tmp_path: Path
) -> None:
    async def test() -> None:
        async with a_plane(port_range) as plane:
            with a_peer() as peer:
                call = await plane.open("call", tmp_path / "call.wav")
                await call.connect(RtpRemote(*peer.getsockname()), FORMAT)
                call.play(frames(400))
                await received(peer, 70)
                [pid] = plane.pids()
                os.kill(pid, signal.SIGKILL)
                events = [event async for event in call.events()]
                assert isinstance(events[-1], MediaFailed)
                assert events[-1].reason == "The media process was ended by SIGKILL."
                assert is_free(call.port)
                report = await call.close()
                await plane.wait_ready()
                assert plane.restarts == 1
                again = await plane.open("next", None)
                await again.connect(RtpRemote(*peer.getsockname()), FORMAT)
                await received(peer, 5)
                await again.close()
        # The memory outlives the process: what had left is there, but for the packet with which it was killed.
        with wave.open(str(tmp_path / "call.wav")) as wav:
            samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
        assert len(samples) == report.duration_samples >= 69 * 160
        spoken = np.flatnonzero(samples[:, 1] == 5000)
        assert len(spoken) >= 60 * 160
        assert (np.diff(spoken) == 1).all()

    asyncio.run(test())


def test_a_media_process_that_stands_still_is_given_up(port_range: tuple[int, int]) -> None:
    async def test() -> None:
        async with a_plane(port_range) as plane:
            call = await plane.open("call", None)
            [pid] = plane.pids()
            os.kill(pid, signal.SIGSTOP)
            events = [event async for event in call.events()]
            assert isinstance(events[-1], MediaFailed)
            await plane.wait_ready()
            assert plane.pids() != [pid]

    asyncio.run(test())


def test_a_plane_that_cannot_bind_says_so(port_range: tuple[int, int]) -> None:
    async def test() -> None:
        plane = ProcessMediaPlane(PlaneConfig(host="192.0.2.1", ports=port_range, processes=1))
        async with asyncio.timeout(PATIENCE):
            await plane.start()
            with pytest.raises(MediaUnavailable, match="ports"):
                await plane.open("call", None)
            await plane.stop()

    asyncio.run(test())


_MAIN = """
import asyncio, sys
from pathlib import Path
from media.frames import Codec, RtpFormat, RtpRemote
from media.plane import PlaneConfig, ProcessMediaPlane

async def main():
    plane = ProcessMediaPlane(PlaneConfig(ports=(int(sys.argv[1]), int(sys.argv[2])), processes=1, rows=8))
    await plane.start()
    call = await plane.open("call", Path(sys.argv[3]))
    await call.connect(RtpRemote("127.0.0.1", int(sys.argv[4])), RtpFormat(Codec.PCMU, 0))
    print(call.port, *plane.pids(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_kill_9_of_the_main_process_frees_every_port_and_leaves_a_recording_to_repair(
    port_range: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    with a_peer() as peer:
        command = [sys.executable, "-c", _MAIN, *map(str, port_range), str(path), str(peer.getsockname()[1])]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as main:
            assert main.stdout is not None
            port, pid = map(int, main.stdout.readline().split())
            child = os.pidfd_open(pid)
            deadline = time.monotonic() + PATIENCE
            while not (path.exists() and path.stat().st_size > 12_000):
                assert time.monotonic() < deadline
                select.select([peer], [], [], 0.05)
            main.kill()
            ready, _, _ = select.select([child], [], [], PATIENCE)
            assert ready == [child]
            os.close(child)
            assert is_free(port)
    assert repair(path) * 4 == path.stat().st_size - 44
    with wave.open(str(path)) as wav:
        assert wav.getnframes() > 2900


def test_the_bench_measures_and_its_peers_see_no_gap(port_range: tuple[int, int]) -> None:
    figures = bench_media(4, 1.0, ports=port_range, warm_up=1.0, realtime=False)
    assert figures["calls"] == 4
    assert 0 < figures["core_per_call"] < 1
    assert figures["packets_received_by_us"] > 4 * 50
    assert figures["sequence_gaps"] == 0
    assert figures["deviation_ms"]["p50"] >= 0
