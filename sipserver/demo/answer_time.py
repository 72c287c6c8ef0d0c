"""How long a caller waits for the answer: from INVITE to 200, at the caller's end, against a server of its own process."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

from sipserver.demo.node import DemoNode
from sipserver.demo.phone import Phone
from sipserver.demo.scenario import CALLER_NUMBER, OWN_NUMBER
from sipserver.packaged import agent


def bench_answer(calls: int) -> dict[str, Any]:
    """Ring `calls` times, one after the other. Returned: `answer_ms` with p50, p95 and max, and how many calls there were."""
    return asyncio.run(_bench(calls))


async def _bench(calls: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with DemoNode(Path(folder) / "data") as node, Phone() as phone:
            desk = await node.post("/v1/agents", agent("front_desk"))
            trunk = {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": phone.port}
            await node.post("/v1/phone-numbers", {"number": OWN_NUMBER, "agentId": desk["id"], **trunk})
            answers = [await _answer(phone, node.sip) for _ in range(calls)]
    milliseconds = sorted(seconds * 1000 for seconds in answers)
    return {
        "calls": calls,
        "answer_ms": {
            "p50": round(statistics.median(milliseconds), 1),
            "p95": round(milliseconds[max(0, -(-calls * 95 // 100) - 1)], 1),
            "max": round(milliseconds[-1], 1),
        },
    }


async def _answer(phone: Phone, server: tuple[str, int]) -> float:
    call = await phone.ring(server, OWN_NUMBER, CALLER_NUMBER)
    await call.close()
    return call.answer_seconds
