"""The machine the benches run on: what a send costs on it, and what a process takes of its processor and memory."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside_a_core() -> Iterator[int]:
    """Leave one core, which is given, to what is measured; this process and those that it starts keep to the others, if there are any."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[1:] or cores)
    try:
        yield cores[0]
    finally:
        os.sched_setaffinity(0, cores)


def yardstick_us() -> float:
    """The median cost of a send on the loopback, in microseconds of processor time."""
    costs = []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sink.bind(("127.0.0.1", 0))
        address, packet = sink.getsockname(), bytes(172)
        for _ in range(9):
            begun = time.thread_time_ns()
            for _ in range(500):
                sock.sendto(packet, address)
            costs.append((time.thread_time_ns() - begun) / 500_000)
    return round(statistics.median(costs), 2)


def resident_kb(pid: int) -> int:
    """The resident set, shared pages that were touched included."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process so far, in steps of 10 ms (proc(5), after a name that may hold spaces)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_kb(pid: int) -> int:
    """What a process holds, memory that it shares counted by its share, so that those of several can be added up (proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
