"""One media process from the outside: spawned, woken by, watched, and given up when it dies or stands still."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from media.link import MediaLink
from media.quiet import NoiseSuppression
from media.recorder import Recorder
from media.rings import SharedRings
from media.sound_table import SoundTable

_WATCH_SECONDS = 1.0
_STANDSTILLS = 3
"""Looks at a tick counter that has not moved after which the process counts as stuck."""


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """What one media process is told. ports: first and last of its range; cpu: the core it is bound to, or None."""

    host: str
    ports: tuple[int, int]
    rows: int
    timeout_s: float
    cpu: int | None
    realtime: bool
    sockets: str
    noise: NoiseSuppression


class MediaProcess:
    """A running media process and its link.

    `on_ready` is called when it ticks, `on_exit` when it is gone and the link has failed its calls; each once, on the loop.
    """

    def __init__(
        self,
        config: ProcessConfig,
        recorder: Recorder,
        sounds: SoundTable,
        on_ready: Callable[[], None],
        on_exit: Callable[[MediaProcess], None],
    ) -> None:
        self.ready = False
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._kick = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        lifeline, self._lifeline = os.pipe2(os.O_CLOEXEC)
        rings = SharedRings.create(config.rows)
        self.link = MediaLink(rings, config.host, recorder, self._kick_process, self.kill, sounds.numbers)
        self._child = _spawn(config, rings.fd, sounds.fd, self._wake, self._kick, lifeline)
        os.close(lifeline)
        rings.close_fd()
        self._pidfd = os.pidfd_open(self._child.pid)
        self._loop.add_reader(self._wake, self._on_wake)
        self._loop.add_reader(self._pidfd, self._on_death)
        self._last_tick = -1
        self._standstills = 0
        self._watch = self._loop.call_later(_WATCH_SECONDS, self._look)
        self._gone: asyncio.Future[None] = self._loop.create_future()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    async def stop(self) -> None:
        """End the process and wait for its end; its calls, if there are any, fail."""
        self._on_exit = _ignore
        if not self._gone.done():
            self._child.terminate()
        await self._gone

    def kill(self) -> None:
        """Give the process up at once; what follows is as if it had died by itself."""
        if not self._gone.done():
            self._child.kill()

    def _kick_process(self) -> None:
        os.eventfd_write(self._kick, 1)

    def _on_wake(self) -> None:
        os.eventfd_read(self._wake)
        if not self.ready and self.link.rings.process.ready[0]:
            self.ready = True
            self._on_ready()
        self.link.wake()

    def _on_death(self) -> None:
        status = self._child.wait()
        self._loop.remove_reader(self._wake)
        self._loop.remove_reader(self._pidfd)
        self._watch.cancel()
        for fd in (self._wake, self._kick, self._lifeline, self._pidfd):
            os.close(fd)
        self._gone.set_result(None)
        self.link.fail(_reason(status))
        self._on_exit(self)

    def _look(self) -> None:
        """A process that stands still for seconds, stopped or hung, is worth no more than a dead one."""
        tick = int(self.link.rings.process.tick[0])
        moved = tick != self._last_tick or not self.ready
        self._standstills = 0 if moved else self._standstills + 1
        self._last_tick = tick
        if self._standstills >= _STANDSTILLS:
            self.kill()
        self._watch = self._loop.call_later(_WATCH_SECONDS, self._look)


def _spawn(
    config: ProcessConfig, rings: int, sounds: int, wake: int, kick: int, lifeline: int
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "media.process", "--host", config.host]
    command += ["--ports", *map(str, config.ports), "--rows", str(config.rows), "--timeout", str(config.timeout_s)]
    command += ["--rings", str(rings), "--wake", str(wake), "--kick", str(kick), "--lifeline", str(lifeline)]
    command += ["--sockets", config.sockets, "--noise", config.noise, "--sounds", str(sounds)]
    command += ["--parent", str(os.getpid()), "--cpu", str(-1 if config.cpu is None else config.cpu)]
    if config.realtime:
        command.append("--realtime")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, pass_fds=(rings, sounds, wake, kick, lifeline), env=environment
    )


def _reason(status: int) -> str:
    if status < 0:
        return f"The media process was ended by {signal.Signals(-status).name}."
    return f"The media process ended with status {status}."


def _ignore(_: MediaProcess) -> None:
    """Nobody restarts a process that was stopped on purpose."""
