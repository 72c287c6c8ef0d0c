"""What the media plane costs: `antiphon bench media`.

One media process, bound to one core, carries N calls with everything on: sockets, jitter buffer, concealment, VAD, barge-in
and recording. Load comes from another process on another core (`media.bench.load`), which also measures when
our packets arrive, by the kernel's clock. The figures are the processor time of the tick's thread, so that
other work on the machine disturbs them as little as can be.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from media.bench.compare import compare
from media.bench.loaded import Load
from media.bench.machine import resident_kb, yardstick_us
from media.bench.probes import Returner, media_path, share
from media.bench.reading import Reading
from media.bench.voice import VOICE_SECONDS, voice
from media.call_media import RowCallMedia
from media.frames import Codec, Pcm, RtpFormat, RtpRemote
from media.plane import PlaneConfig, ProcessMediaPlane
from media.quiet import NoiseSuppression
from media.sockets.choice import AUTO, best
from media.sound_table import Sound
from media.sounds import built_in

T = TypeVar("T")

_WARM_UP = 6.0
"""More than a round of every ring (5.12 s), so that its memory is there, and all calls have begun."""
_TOP_UP = 0.5


def bench_media(
    calls: int,
    seconds: float,
    *,
    recording: bool = True,
    ports: tuple[int, int] = (20000, 29999),
    realtime: bool = True,
    warm_up: float = _WARM_UP,
    backend: str = AUTO,
    noise: NoiseSuppression = NoiseSuppression.OFF,
    beside: bool = False,
    background: bool = False,
) -> dict[str, Any]:
    """Carry `calls` calls for `seconds` and say what it cost.

    Returned: `core_per_call` and `us_per_call_tick` (processor time of the tick's thread, per 20 ms), `calls_per_core`,
    `memory_per_call_kb` (what the media process grew by, its rings included), `stages_us` (of `us_per_call_tick`, each
    stage's part), `ticks_late` and the like, and what the peers saw: packets, gaps in the sequence, deviation from the
    20 ms grid in milliseconds and RFC 3550 jitter. `media_path` is how long our part of the way takes, in and out (`media.bench.probes`).
    `yardstick_us` is what one `sendto` of 172 octets costs on the same core at the same time: figures of two machines, or
    of a quiet and a busy hour, compare by their ratio to it. Where `load_seconds` is more than `seconds`, the callers'
    core could not keep up, and the figures flatter. The first `warm_up` seconds are not measured. `backend` names that of
    the sockets, `noise` who hears less of it, `background` lays a sound under every call's speech, `realtime` asks for SCHED_FIFO,
    and what was had is returned as `sockets` and `realtime`.
    With `beside` the obvious alternative is measured afterwards, on the same core, with callers of the same kind: `compared` has its
    figures, and what times ours they are (`media.bench.compare`).

    Raises MediaUnavailable when the plane does not start, LoadFailed when the callers do not.
    """
    return asyncio.run(
        _bench(
            calls,
            seconds,
            recording,
            warm_up,
            PlaneConfig(
                ports=ports,
                processes=1,
                rows=calls,
                realtime=realtime,
                timeout_s=0,
                sockets=best() if backend == AUTO else backend,
                noise=noise,
            ),
            beside,
            tuple(_sounds()) if background else (),
        )
    )


async def _bench(
    calls: int,
    seconds: float,
    recording: bool,
    warm_up: float,
    config: PlaneConfig,
    beside: bool,
    sounds: tuple[Sound, ...],
) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    yardstick = yardstick_us()
    os.sched_setaffinity(0, cores[1:] or cores)
    plane = ProcessMediaPlane(replace(config, cpus=(cores[0],)), sounds=sounds)
    try:
        await plane.start()
        with tempfile.TemporaryDirectory() as folder:
            figures = await _measure(plane, calls, seconds, warm_up, Path(folder) if recording else None, sounds)
            figures |= {"yardstick_us": yardstick, "sockets": config.sockets}
        await plane.stop()
        return figures | ({"compared": await compare(figures, calls, seconds, cores[0])} if beside else {})
    finally:
        await plane.stop()
        os.sched_setaffinity(0, cores)


async def _measure(
    plane: ProcessMediaPlane, calls: int, seconds: float, warm_up: float, folder: Path | None, sounds: tuple[Sound, ...]
) -> dict[str, Any]:
    load = await Load.start("media.bench.load", calls, warm_up, seconds)
    try:
        return await _carried(plane, load, calls, seconds, folder, sounds)
    finally:
        await load.close()


async def _carried(
    plane: ProcessMediaPlane, load: Load, calls: int, seconds: float, folder: Path | None, sounds: tuple[Sound, ...]
) -> dict[str, Any]:
    [pid] = plane.pids()
    fifo = os.sched_getscheduler(pid) == os.SCHED_FIFO
    bare = resident_kb(pid)
    opened = await asyncio.gather(*(_call(plane, number, peer, folder) for number, peer in enumerate(load.peers)))
    load.call([call.port for call in opened])
    for number, call in enumerate(opened if sounds else ()):
        call.set_background(sounds[number % len(sounds)].id, 0.15)
    [counters] = plane.counters()
    speech = voice(VOICE_SECONDS).reshape(-1, 160)
    probes, talking = opened[: share(calls)], opened[share(calls) :]
    returners = [Returner(call) for call in probes]
    waiting = [asyncio.create_task(returner.run()) for returner in returners]
    await _talk(talking, speech, load.warmed_up())
    before = Reading.take(counters)
    counters.work_us_max[0] = 0
    offset = int(counters.send_offset_us[0])
    seen = await _talk(talking, speech, load.seen())
    after = Reading.take(counters)
    resident = resident_kb(pid)
    work = int(counters.work_us_max[0])
    reports = await asyncio.gather(*(call.close() for call in opened))
    await asyncio.gather(*waiting)
    clicks = seen.pop("probes")
    core = (after.cpu_ns - before.cpu_ns) / 1e9 / (after.elapsed - before.elapsed)
    return {
        "calls": calls,
        "seconds": seconds,
        "realtime": fifo,
        "core_per_call": round(core / calls, 6),
        "us_per_call_tick": round(core / calls * 20_000, 2),
        "calls_per_core": int(calls / core),
        "memory_per_call_kb": round((resident - bare) / calls),
        "ticks": after.ticks - before.ticks,
        "ticks_late": after.ticks_late - before.ticks_late,
        "ticks_skipped": after.ticks_skipped - before.ticks_skipped,
        "sends_late": after.sends_late - before.sends_late,
        "tick_work_ms_max": work / 1000,
        "send_offset_ms": [offset / 1000, int(counters.send_offset_us[0]) / 1000],
        "stages_us": after.stages_since(before, calls),
        "packets_lost_by_us": sum(report.packets_lost for report in reports),
        "packets_received_by_us": sum(report.packets_received for report in reports),
        "media_path": media_path(clicks["sent"], [returner.heard for returner in returners], clicks["returned"]),
        **seen,
    }


def _sounds() -> list[Sound]:
    """Those that come with the server, for calls to have in turn."""
    return [Sound(name, name, True, pcm) for name, pcm in built_in().items()]


async def _call(plane: ProcessMediaPlane, number: int, peer: int, folder: Path | None) -> RowCallMedia:
    call = await plane.open(f"bench-{number}", folder / f"{number}.wav" if folder else None)
    await call.connect(RtpRemote("127.0.0.1", peer), RtpFormat(Codec.PCMU, 0, telephone_event=101))
    return call


async def _talk(calls: list[RowCallMedia], speech: Pcm, until: Coroutine[Any, Any, T]) -> T:
    """Keep every call's out-ring filled, so that every packet carries an agent's voice, until something is over."""
    over = asyncio.create_task(until)
    while not over.done():
        for call in calls:
            call.play(speech[: call.room()])
        await asyncio.wait([over], timeout=_TOP_UP)
    return await over
