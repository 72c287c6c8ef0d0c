"""The obvious alternative beside ours, under the same callers on the same core: `media.bench.alternative`, with its figures as ratios."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from media.bench.loaded import Load, end, said, spawn
from media.bench.machine import cpu_seconds, resident_kb
from media.bench.probes import media_path
from media.silero import SileroError, find_model

_TRIAL_CALLS = 20
_TRIAL_SECONDS = 1.5
_WARM_UP = 1.5
_FILL = 0.7
"""How much of the core the alternative is given to do: beyond that it would be measured while it does not keep up."""
COMPARED = ("us_per_call_tick", "memory_per_call_kb", "deviation_ms.p99", "jitter_ms", "media_path.both_ms.p50")


@dataclass(frozen=True, slots=True)
class Way:
    """An alternative: with voice activity detection or without."""

    name: str
    vad: bool


WAYS = (Way("asyncio, a task and a protocol per call", False), Way("the same, with onnxruntime's VAD per call", True))


async def compare(ours: Mapping[str, Any], calls: int, seconds: float, cpu: int) -> list[dict[str, Any]]:
    """Each way's figures, `ratio` their relation to `ours` (2: twice ours).

    A way that could not carry `calls` gets as many as fill 70 % of the core, by a short trial. The measured process is bound to
    `cpu`, the callers run where this process may. Raises LoadFailed.
    """
    return [await _compared(way, ours, calls, seconds, cpu) for way in WAYS if not way.vad or _has_model()]


async def _compared(way: Way, ours: Mapping[str, Any], calls: int, seconds: float, cpu: int) -> dict[str, Any]:
    figures = await measure(way, min(calls, _TRIAL_CALLS), _TRIAL_SECONDS, cpu)
    able = min(calls, max(1, int(_FILL * figures["calls_per_core"])))
    figures = await measure(way, able, seconds, cpu)
    return {"way": way.name} | figures | {"ratio": ratios(figures, ours)}


def ratios(figures: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, float]:
    """Of what can be compared, how many times ours it is; nothing where ours is zero or unknown."""
    pairs = {name: (_within(figures, *name.split(".")), _within(ours, *name.split("."))) for name in COMPARED}
    return {name: round(theirs / own, 2) for name, (theirs, own) in pairs.items() if theirs is not None and own}


def _within(figures: Mapping[str, Any], *names: str) -> float | None:
    """What stands under these names; None where there is nothing."""
    found: Any = figures
    for name in names:
        found = found.get(name) if found is not None else None
    return None if found is None else float(found)


async def measure(way: Way, calls: int, seconds: float, cpu: int, *, warm_up: float = _WARM_UP) -> dict[str, Any]:
    """One way under `calls` callers, for so many seconds. Raises LoadFailed."""
    load = await Load.start("media.bench.load", calls, warm_up, seconds)
    process = await spawn("media.bench.alternative", "--cpu", str(cpu), *(["--vad"] if way.vad else []))
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(load.peers).encode() + b"\n")
        ports, bare = json.loads(await said(process))
        load.call(ports)
        await load.warmed_up()
        began, before = time.monotonic(), cpu_seconds(process.pid)
        seen = await load.seen()
        core = (cpu_seconds(process.pid) - before) / (time.monotonic() - began)
        resident = resident_kb(process.pid)
    finally:
        await load.close()
        await end(process)
    clicks = seen.pop("probes")
    return {
        "calls": calls,
        "core_per_call": round(core / calls, 6),
        "us_per_call_tick": round(core / calls * 20_000, 2),
        "calls_per_core": int(calls / core) if core else 0,
        "memory_per_call_kb": round((resident - bare) / calls),
        "media_path": media_path(clicks["sent"], (), clicks["returned"]),
        **seen,
    }


def _has_model() -> bool:
    """Whether there is the file that takes one call's samples at 8 kHz: that of the package silero-vad."""
    try:
        return find_model().name == "silero_vad.onnx"
    except SileroError:
        return False
