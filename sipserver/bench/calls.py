"""Whole calls, from INVITE to BYE: callers who talk and interrupt, against a server with its embedded engines, measured at the wire.

The server has all cores but the last, which is the callers'. What is counted is the processor time and memory of every process of the
server while all calls are up: signalling, conversations and store in the main process, the media process, the recogniser's and the
voice's.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from inference.tts.espeak import CALLER_VOICE, EspeakEngine, say_pcm
from media.bench.loaded import end, said, spawn
from media.bench.machine import cpu_seconds, proportional_kb
from media.bench.spread import spread
from media.frames import Pcm
from sipserver.bench.callers import Order
from sipserver.bench.recordings import recordings
from sipserver.demo.node import DemoNode
from sipserver.demo.scenario import OWN_NUMBER

FINAL = ("completed", "failed", "no_answer")
FINISH_SECONDS = 60.0
SENTENCES = ("I would like to move my appointment.", "I can come on Friday.")
_SAY = "I can move or cancel an appointment. What shall it be?"
_HEAR = ["i would like to (move|cancel) my appointment", "i can come on friday"]


def _step(other: str) -> dict[str, Any]:
    return {"say": _SAY, "listen": [{"hear": _HEAR, "go": other}], "else": {"say": _SAY, "times": 1, "go": other}}


SCRIPT = {"start": "one", "steps": {"one": _step("two"), "two": _step("one")}}
"""Two questions, one after the other for ever: the callers hang up."""
PARTS = {"media.process": "media", "inference.worker": "speech"}
"""What the server's child processes are, by a word of their command line."""


def bench_calls(
    calls: int, seconds: float, speech: Path | None = None, *, rate: float = 4.0, warm_up: float = 4.0
) -> dict[str, Any]:
    """Have so many callers ring, `rate` a second, and talk; measure for `seconds` after `warm_up`.

    speech: a folder of recorded utterances; None: a synthetic voice says two sentences.

    Returned: `core_per_call` by part and `calls_per_core`, `memory_per_call_kb` of all parts, `answer_ms` from INVITE to 200, `turn_ms`
    from a caller's last sample to the agent's first, `stop_ms` from the first sample of an interruption to the agent's last, packets,
    gaps, deviation and jitter by the kernel's times at the callers' sockets, and the server's own `mos`, how calls `ended` and their
    `problems`. Where `load_core` is near 1 the callers did not keep up;
    where there are `lost_calls`, fewer than `calls` were there to the end, and what each cost is told too low.

    Raises NodeFailed, NoRecordings, LoadFailed.
    """
    utterances = _recorded(speech) if speech is not None else asyncio.run(_synthetic())
    cores = sorted(os.sched_getaffinity(0))
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "speech.npz")
            np.savez(path, *utterances)
            order = Order("", 0, OWN_NUMBER, calls, rate, warm_up, seconds, str(path))
            return asyncio.run(_bench(order, Path(folder), cores))
    finally:
        os.sched_setaffinity(0, cores)


def _recorded(folder: Path) -> list[Pcm]:
    return [np.clip(np.rint(one.sound), -32768, 32767).astype(np.int16) for one in recordings(folder)]


async def _synthetic() -> list[Pcm]:
    engine = EspeakEngine(1)
    await engine.start()
    try:
        return [await say_pcm(engine, text, CALLER_VOICE) for text in SENTENCES]
    finally:
        await engine.aclose()


async def _bench(order: Order, folder: Path, cores: list[int]) -> dict[str, Any]:
    os.sched_setaffinity(0, cores[:-1] or cores)
    environment = {"ANTIPHON__SERVER__MAX_CALLS": str(order.calls + 10), "ANTIPHON__SIP__PROBE_SECONDS": "0"}
    async with DemoNode(folder / "data", environment) as node:
        os.sched_setaffinity(0, cores[-1:])
        await _furnish(node)
        bare = _memory(node)
        load = await spawn("sipserver.bench.callers")
        try:
            figures = await _measure(node, load, order, bare)
        finally:
            await end(load)
        return figures | await _told(node)


async def _furnish(node: DemoNode) -> None:
    made = await node.post(
        "/v1/agents", {"name": "bench", "firstSpeaker": "agent", "languageHint": "en", "script": SCRIPT}
    )
    trunk = {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1"}
    await node.post("/v1/phone-numbers", {"number": OWN_NUMBER, "agentId": made["id"], **trunk})


async def _measure(node: DemoNode, load: asyncio.subprocess.Process, order: Order, bare: int) -> dict[str, Any]:
    assert load.stdin is not None
    host, port = node.sip
    load.stdin.write(json.dumps(asdict(order) | {"host": host, "port": port}).encode() + b"\n")
    await said(load)
    await said(load)
    began, before, load_before = time.monotonic(), _processor(node), cpu_seconds(load.pid)
    found = json.loads(await said(load))
    took = time.monotonic() - began
    after, load_after, memory = _processor(node), cpu_seconds(load.pid), _memory(node)
    up = order.calls - len(found["refused"])
    return costs(before, after, took, up) | {
        "seconds": order.seconds,
        "memory_per_call_kb": round((memory - bare) / max(up, 1)),
        "load_core": round((load_after - load_before) / took, 2),
        **found,
    }


def costs(before: Mapping[str, float], after: Mapping[str, float], seconds: float, calls: int) -> dict[str, Any]:
    """What the parts' processor time comes to, per call."""
    parts = {part: (after[part] - before.get(part, 0)) / seconds / max(calls, 1) for part in after}
    whole = sum(parts.values())
    return {
        "calls": calls,
        "core_per_call": {part: round(core, 5) for part, core in parts.items()} | {"all": round(whole, 5)},
        "calls_per_core": round(1 / whole, 1) if whole else None,
    }


def _processes(node: DemoNode) -> dict[int, str]:
    """All of the server's, and which part of it they are."""
    children = node.children()
    parts = {
        pid: next((part for word, part in PARTS.items() if word in line), "others") for pid, line in children.items()
    }
    return {node.pid: "main"} | parts


def _processor(node: DemoNode) -> dict[str, float]:
    found: dict[str, float] = {}
    for pid, part in _processes(node).items():
        found[part] = found.get(part, 0) + cpu_seconds(pid)
    return found


def _memory(node: DemoNode) -> int:
    """Of all processes together: the rings, which two of them hold, change sides with who touched them first."""
    return sum(proportional_kb(pid) for pid in _processes(node))


async def _told(node: DemoNode) -> dict[str, Any]:
    """What the server says of its calls when all of them are over."""
    async with asyncio.timeout(FINISH_SECONDS):
        while any(call["status"] not in FINAL for call in await _listed(node)):  # noqa: ASYNC110 (it is another process)
            await asyncio.sleep(0.2)
    calls = [await node.get(f"/v1/calls/{call['id']}") for call in await _listed(node)]
    mos = [call["quality"]["mos"] for call in calls if call["quality"] and call["quality"]["mos"] is not None]
    return {
        "mos": spread(mos, {"min": 0, "p50": 50}, 2),
        "ended": dict(Counter(call["endedReason"] for call in calls)),
        "problems": dict(Counter(problem["part"] for call in calls for problem in call["problems"])),
    }


async def _listed(node: DemoNode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := await node.get(f"/v1/calls?limit=100&offset={len(found)}"):
        found += page
    return found
