"""One run: the measured process, the load, and SIPp's own callee under the same load."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sipserver.bench import sipp
from sipserver.bench.sipp import Load, Tally, Transport

Mode = Literal["signalling", "rows"]


def bench_sip(rate: int, seconds: float, mode: Mode, transport: Transport = "udp") -> dict[str, Any]:
    """Ring `rate` times a second, over TCP by one connection. Each process has a core of its own where there are two; raises SippMissing.

    Returned, for us and for SIPp's callee in the same run: calls that went well, failures, retransmissions, `calls_per_s`,
    `answer_ms` from INVITE to 200 (p50, p95, max) and `core_us_per_call`, the processor time of the answering process.
    """
    return asyncio.run(_bench(rate, seconds, mode, transport))


async def _bench(rate: int, seconds: float, mode: Mode, transport: Transport) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    load = Load(rate, seconds, cpu=cores[-1] if len(cores) > 1 else None, transport=transport)
    ours = cores[0] if len(cores) > 1 else -1
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in ("ours", "theirs", "uas"):
            (folder / name).mkdir()
        measured = await _ours(mode, load, ours, folder)
        theirs = await _theirs(load, None if ours < 0 else ours, folder)
    run = {"mode": mode, "transport": transport, "rate": rate, "seconds": seconds}
    return run | {"antiphon": measured, "sipp_uas": theirs}


async def _ours(mode: Mode, load: Load, cpu: int, folder: Path) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipserver.bench.callee", mode, "--folder", str(folder), "--cpu", str(cpu)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stdout is not None
    try:
        tally = await sipp.ring(int(await process.stdout.readline()), load, folder / "ours")
    finally:
        told, _ = await process.communicate(b"")  # The end of its input is its end.
    figures = json.loads(told.splitlines()[-1])
    return _figures(tally, figures["cpu_seconds"]) | {"rss_mb": figures["rss_mb"], "refused": figures["refused"]}


async def _theirs(load: Load, cpu: int | None, folder: Path) -> dict[str, Any]:
    port = 15060
    process = await sipp.callee(cpu, port, folder / "uas", load.transport)
    try:
        await asyncio.sleep(1)
        before = _cpu_seconds(process.pid)
        tally = await sipp.ring(port, load, folder / "theirs")
        cost = _cpu_seconds(process.pid) - before
    finally:
        process.terminate()
        await process.wait()
    return _figures(tally, cost)


def _figures(tally: Tally, cpu_seconds: float) -> dict[str, Any]:
    calls = max(1, tally.successful)
    return {
        "successful": tally.successful,
        "failed": tally.failed,
        "retransmissions": tally.retransmissions,
        "calls_per_s": round(tally.successful / tally.seconds) if tally.seconds else 0,
        "answer_ms": _percentiles(tally.answer_ms),
        "core_us_per_call": round(cpu_seconds / calls * 1e6),
        "calls_per_core": round(calls / cpu_seconds) if cpu_seconds else None,
    }


def _percentiles(values: Sequence[float]) -> Mapping[str, float]:
    if not values:
        return {}
    p95 = values[max(0, -(-len(values) * 95 // 100) - 1)]
    return {"p50": round(statistics.median(values), 1), "p95": round(p95, 1), "max": round(values[-1], 1)}


def _cpu_seconds(pid: int) -> float:
    """What a process has used so far (proc(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
