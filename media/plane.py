"""All media processes of this node, behind `media.frames.MediaPlane`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from media.call_media import RowCallMedia, row_of
from media.files import PLAIN, Files
from media.frames import CallMedia, MediaUnavailable
from media.quiet import NoiseSuppression
from media.recorder import Recorder
from media.rings import ProcessCounters
from media.sockets.choice import AUTO
from media.sound_table import Sound, SoundTable
from media.supervised import MediaProcess, ProcessConfig

__all__ = ["NoiseSuppression", "PlaneConfig", "ProcessMediaPlane", "cores_for"]

_START_SECONDS = 30.0
_RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)
"""How long to wait before the next start, by how often a process died before it was ready."""


@dataclass(frozen=True, slots=True)
class PlaneConfig:
    """How this node carries media.

    `host` is the numeric address to bind, `ports` the first and last RTP port, shared out evenly among the processes.
    `rows` is how many calls one process takes at most; `timeout_s` is how long a peer may send nothing although it should,
    before MediaTimeout, 0 for never. `cpus` are cores to bind the processes to, round robin; `realtime` asks for
    SCHED_FIFO, which must not be given on every core of the machine. `sockets` names the backend (`media.sockets.choice`),
    `noise` who hears less of it.
    """

    host: str = "127.0.0.1"
    ports: tuple[int, int] = (20000, 29999)
    processes: int = field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 2))
    rows: int = 500
    timeout_s: float = 30.0
    cpus: tuple[int, ...] = ()
    realtime: bool = False
    sockets: str = AUTO
    noise: NoiseSuppression = NoiseSuppression.OFF

    def for_process(self, number: int) -> ProcessConfig:
        """What process `number` (from 0) is told."""
        first, last = self.ports
        pairs = (last + 1 - first - first % 2) // 2 // self.processes
        if pairs < 1:
            raise ValueError(f"{self.processes} media processes cannot share the ports {first}–{last}.")
        start = first + first % 2 + 2 * pairs * number
        return ProcessConfig(
            host=self.host,
            ports=(start, start + 2 * pairs - 1),
            rows=min(self.rows, pairs),
            timeout_s=self.timeout_s,
            cpu=self.cpus[number % len(self.cpus)] if self.cpus else None,
            realtime=self.realtime,
            sockets=self.sockets,
            noise=self.noise,
        )


def cores_for(processes: int) -> tuple[int, ...]:
    """A core for each media process, the last ones, while at least one is left for everything else; else none is bound."""
    cores = sorted(os.sched_getaffinity(0))
    return tuple(cores[-processes:]) if processes < len(cores) else ()


class ProcessMediaPlane:
    """MediaPlane (media.frames): M media processes, each restarted when it dies, and the recorder's thread."""

    def __init__(self, config: PlaneConfig, files: Files = PLAIN, sounds: Sequence[Sound] = ()) -> None:
        """sounds: what calls may have as background. Raises ValueError for too many (`media.sound_table`)."""
        self._sounds = SoundTable(sounds)
        self._configs = [config.for_process(number) for number in range(config.processes)]
        self._processes: list[MediaProcess | None] = [None] * config.processes
        self._recorder = Recorder(files=files)
        self._stillborn = [0] * config.processes
        self._restarts: dict[int, asyncio.TimerHandle] = {}
        self._all_ready = asyncio.Event()
        self.restarts = 0
        """How often a media process had to be started again."""

    async def start(self) -> None:
        """Start every process; returns when all tick. Raises MediaUnavailable when one does not come up."""
        self._recorder.start()
        for number in range(len(self._configs)):
            self._start(number)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self.wait_ready()
        except TimeoutError:
            await self.stop()
            raise MediaUnavailable("A media process did not start; its error is on stderr.") from None

    async def wait_ready(self) -> None:
        """Until every process ticks: after the start, or after one had to be started again."""
        await self._all_ready.wait()

    async def stop(self) -> None:
        """End every process and complete every recording. Calls that are still open fail."""
        for timer in self._restarts.values():
            timer.cancel()
        for process in self._processes:
            if process is not None:
                await process.stop()
        self._sounds.close()
        await asyncio.to_thread(self._recorder.stop)

    async def open(self, call_id: str, recording: Path | None, beside: CallMedia | None = None) -> RowCallMedia:
        """Open on the process with the fewest calls, or on that of `beside`. Raises MediaUnavailable."""
        if beside is not None:
            return await row_of(beside).link.open(call_id, recording)
        ready = [p for p in self._processes if p is not None and p.ready and p.link.free()]
        if not ready:
            raise MediaUnavailable("No media process has a free row.")
        return await min(ready, key=lambda process: process.link.load()).link.open(call_id, recording)

    def free(self) -> int:
        """How many more calls can be opened now."""
        return sum(p.link.free() for p in self._processes if p is not None and p.ready)

    def pids(self) -> list[int]:
        """The process ids of the media processes that run."""
        return [process.pid for process in self._processes if process is not None]

    def counters(self) -> list[ProcessCounters]:
        """What each running process counts, for metrics."""
        return [process.link.rings.process for process in self._processes if process is not None]

    def _start(self, number: int) -> None:
        self._restarts.pop(number, None)
        self._processes[number] = MediaProcess(
            self._configs[number],
            self._recorder,
            self._sounds,
            self._ready,
            lambda process: self._exited(number, process),
        )

    def _ready(self) -> None:
        if all(process is not None and process.ready for process in self._processes):
            self._all_ready.set()

    def _exited(self, number: int, process: MediaProcess) -> None:
        self._processes[number] = None
        self._all_ready.clear()
        self._stillborn[number] = 0 if process.ready else self._stillborn[number] + 1
        wait = _RESTART_SECONDS[min(self._stillborn[number], len(_RESTART_SECONDS) - 1)]
        self.restarts += 1
        self._restarts[number] = asyncio.get_running_loop().call_later(wait, self._start, number)
