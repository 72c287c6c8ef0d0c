"""`antiphon demo --keep`: the server stays, and the screen says how to ring it."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from rich.console import Console
from rich.text import Text

from sipserver.demo.node import DemoNode, NodeFailed

SOFTPHONE_NUMBER = "+12025550101"
SOFTPHONE_PORT = 5060


async def stay(console: Console, node: DemoNode, agent_id: str) -> None:
    """Leave the server running until Ctrl-C or SIGTERM. Raises NodeFailed when it ends by itself."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    try:
        made = await node.post("/v1/phone-numbers", {**_softphone(), "agentId": agent_id})
        console.print(Text(instructions(node, agent_id, made["id"])), soft_wrap=True)
        if await _ended(node, asked):
            raise NodeFailed("the server ended by itself")
        console.print("Ending the server.")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def instructions(node: DemoNode, agent_id: str, number_id: str) -> str:
    """How to ring the server from a softphone, and what to ask its API."""
    host, port = node.sip
    return f"""
The server runs on. Ctrl-C ends it.

Ring it from a softphone on this machine, without registration or account:
  sip:{SOFTPHONE_NUMBER}@{host}:{port}
  (UDP or TCP, G.711; the agent is the front desk, in English)

Ask its API; {node.url}/docs describes it:
  KEY={node.key}
  curl -H "Authorization: Bearer $KEY" {node.url}/v1/calls

Let it ring a softphone that listens on {host}:{SOFTPHONE_PORT}:
  curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
    -d '{{"agentId": "{agent_id}",
         "phoneNumberId": "{number_id}",
         "to": "+12025550199"}}' {node.url}/v1/calls
"""


def _softphone() -> dict[str, Any]:
    """A number of its own, on a trunk that is this machine: a softphone here may ring, and is rung, without registration."""
    trunk = {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": SOFTPHONE_PORT}
    return {"number": SOFTPHONE_NUMBER, "name": "Softphone", **trunk}


async def _ended(node: DemoNode, asked: asyncio.Event) -> bool:
    """Until somebody asks for the end, or the server ends by itself; True for the latter."""
    waits = [asyncio.create_task(asked.wait()), asyncio.create_task(node.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    return not asked.is_set()
