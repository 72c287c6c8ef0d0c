"""What a process of the media plane asks of the scheduler, as far as it is permitted."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_FIFO_PRIORITY = 10
_NICE = -10
_PR_SET_TIMERSLACK = 29


def be_punctual(cpu: int, realtime: bool) -> None:
    """Take a core (-1: any) and a priority; without them packets only leave less exactly.

    Where the kernel groups processes by session (sched_autogroup), niceness counts within the session only: so the process
    gets one of its own, and makes that nice too. Timers may be 50 µs late unless one asks for less.
    """
    if os.getsid(0) != os.getpid():
        os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    try:
        if realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIFO_PRIORITY))
            return
    except OSError:
        pass  # Not permitted: nice, then.
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
        Path("/proc/self/autogroup").write_text(str(_NICE), encoding="ascii")
    except OSError:
        pass
