"""The media process: `python -m media.process`, started and watched by `media.plane`.

It has one thread, which does nothing but tick. It logs nothing, allocates nothing that grows and waits for nobody; what it
has to say it counts in shared memory. Beside a second busy thread of Python a tick would take 139 ms, which is
why this is a process and why nothing else may ever run in it (ADR: one tick for all calls).
"""

from __future__ import annotations

import os

# BLAS with a thread per core would spin on a core that it does not have; the variable is read when numpy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import ctypes
import gc
import resource
import secrets
import select
import signal
import sys
import time

from media.codecs import opus
from media.engine import Engine
from media.pacing import Grid, Plan, SendOffset
from media.quiet import NoiseSuppression
from media.rings import SharedRings
from media.scheduling import be_punctual
from media.sockets.choice import AUTO, BACKENDS, SocketsMissing, open_sockets
from media.sockets.ports import PortPairs
from media.sound_table import attach
from media.stopwatch import Stopwatch

_PR_SET_PDEATHSIG = 1
_LIFELINE_TICKS = 50
_IDLE_MS = 200
_EXACT_NS = 2_000_000
"""So long before an instant nothing else is begun: orders take some tenths of a millisecond."""


def main() -> None:
    """Set the process up, then tick until the main process closes the lifeline or dies."""
    arguments = _arguments()
    _die_with_parent(arguments.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _raise_descriptor_limit()
    rings = SharedRings.attach(arguments.rows, arguments.rings)
    try:
        sockets = open_sockets(arguments.sockets, arguments.host, PortPairs(*arguments.ports))
    except SocketsMissing as error:
        sys.exit(str(error))
    engine = Engine(
        rings, sockets, timeout_ticks=round(arguments.timeout * 50), seed=secrets.randbits(64), epoch=time.time(),
        lap=Stopwatch(rings.process.stage_ns, time.thread_time_ns).lap, noise=arguments.noise,
        loops=attach(arguments.sounds), wall=lambda: time.time_ns() // 1000,
    )  # fmt: skip
    be_punctual(arguments.cpu, arguments.realtime)
    # Loaded now, for the tick must not wait for it when the first call of Opus comes.
    opus.library()
    gc.collect()
    gc.freeze()
    gc.disable()
    Ticker(engine, rings, wake=arguments.wake, kick=arguments.kick, lifeline=arguments.lifeline).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m media.process", description="Started by the Antiphon server.")
    for name in ("rows", "rings", "sounds", "wake", "kick", "lifeline", "parent"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--ports", type=int, nargs=2, required=True)
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--cpu", type=int, default=-1)
    parser.add_argument("--sockets", choices=(AUTO, *BACKENDS), default=AUTO)
    parser.add_argument("--noise", type=NoiseSuppression, default=NoiseSuppression.OFF)
    parser.add_argument("--realtime", action="store_true")
    return parser.parse_args()


def _die_with_parent(parent: int) -> None:
    """Have the kernel kill us when the main process dies, however it dies; it may have died before we could ask."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The main process is gone.")


def _raise_descriptor_limit() -> None:
    """Two sockets per call may be more than the usual 1024 descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Ticker:
    """Runs the engine on the grid. `wake` and `kick` are eventfds, `lifeline` the reading end of main's pipe."""

    def __init__(self, engine: Engine, rings: SharedRings, *, wake: int, kick: int, lifeline: int) -> None:
        self._engine = engine
        self._counters = rings.process
        self._wake = wake
        self._kick = kick
        self._lifeline = lifeline
        self._poll = select.poll()
        self._poll.register(lifeline, select.POLLHUP)
        self._idle = select.poll()
        self._idle.register(lifeline, select.POLLHUP)
        self._idle.register(kick, select.POLLIN)
        self._grid = Grid(time.monotonic_ns())
        self._offset = SendOffset()
        self._checked = 0

    def run(self) -> None:
        """Tick until the lifeline is cut."""
        self._counters.ready[0] = 1
        started = time.thread_time_ns()
        self._tell_main()
        while self._alive():
            self._wait_until(self._grid.next_wake(), self._grid.next_tick())
            self._run(self._grid.plan(time.monotonic_ns()))
            self._counters.cpu_ns[0] = time.thread_time_ns() - started

    def _run(self, plan: Plan) -> None:
        counters = self._counters
        counters.ticks_late[0] += plan.late
        counters.ticks_skipped[0] += plan.skipped
        for tick in range(plan.first, plan.first + plan.count):
            begun = time.monotonic_ns()
            self._engine.listen(tick)
            self._tell_main()
            ended = time.monotonic_ns()
            counters.work_us_max[0] = max(int(counters.work_us_max[0]), (ended - begun) // 1000)
            if tick == plan.first + plan.count - 1:
                counters.sends_late[0] += ended > plan.due + self._offset.now
                if not plan.late:
                    self._offset.worked(ended - plan.due)
                    counters.send_offset_us[0] = self._offset.now // 1000
                self._wait_until(plan.due + self._offset.now, tick)
            if self._engine.speak(tick):
                self._tell_main()
            counters.ticks[0] += 1

    def _wait_until(self, instant: int, tick: int) -> None:
        """Sleep; what main orders meanwhile is done at once, so that a call that is rung gets its port within a millisecond.

        `tick` is the one that comes next, or is under way.
        """
        while instant - time.monotonic_ns() > _EXACT_NS:
            if self._engine.obey(tick):
                self._tell_main()
            # One sleep to the instant itself: each costs some 50 µs of processor time where the machine is a virtual one.
            if not select.select([self._kick], (), (), max(0, instant - time.monotonic_ns()) / 1e9)[0]:
                return
            os.eventfd_read(self._kick)
        _sleep_until(instant)

    def _tell_main(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _alive(self) -> bool:
        """Look at the lifeline once a second; while there is no call at all, sleep on it instead of ticking."""
        if not self._engine.busy():
            return self._wait_for_work()
        self._checked += 1
        if self._checked % _LIFELINE_TICKS:
            return True
        return not self._poll.poll(0)

    def _wait_for_work(self) -> bool:
        for fd, mask in self._idle.poll(_IDLE_MS):
            if fd == self._lifeline and mask & select.POLLHUP:
                return False
            if fd == self._kick:
                os.eventfd_read(self._kick)
        self._grid.jump(time.monotonic_ns())
        return True


def _sleep_until(instant: int) -> None:
    """`time.sleep` is clock_nanosleep, `select` is as exact; the timers of poll and epoll count milliseconds."""
    rest = instant - time.monotonic_ns()
    if rest > 0:
        time.sleep(rest / 1e9)


if __name__ == "__main__":
    main()
