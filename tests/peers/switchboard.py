"""A server process with lines to ring: each line is a number with an agent of its own, so that its calls are told apart."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sipserver.demo.node import DemoNode

CALLER = "+12025550199"
FINAL = ("completed", "failed", "no_answer")
PATIENCE = 40.0
"""Seconds until something that must happen has not happened, on a machine that does much else."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line:
    """A number and the agent that answers it."""

    number: str
    number_id: str
    agent_id: str


class Switchboard:
    """A server, and the loop that it and its peers run on. A context manager."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.node = DemoNode(folder / "data", environment)
        self.folder = folder
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(100)

    def __enter__(self) -> Switchboard:
        self._runner.__enter__()
        self.run(self.node.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.node.__aexit__(kind, error, trace))
        self._runner.__exit__(kind, error, trace)

    @property
    def sip(self) -> str:
        """Where the server takes calls: host:port."""
        return f"{self.node.sip[0]}:{self.node.sip[1]}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let something happen on the loop."""
        return self._runner.run(work)

    async def line(self, script: dict[str, Any], trunk: dict[str, Any] | None = None, **agent: Any) -> Line:
        """A new agent on a new number; by default on a trunk of this machine's address, from which anybody here may ring."""
        number = f"+12025550{next(self._numbers)}"
        made = await self.node.post(
            "/v1/agents", {"name": number, "firstSpeaker": "agent", "script": script, "languageHint": "en", **agent}
        )
        sip = trunk or {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1"}
        kept = await self.node.post("/v1/phone-numbers", {"number": number, "agentId": made["id"], **sip})
        return Line(number, kept["id"], made["id"])

    async def dial(self, line: Line, to: str = CALLER, **more: Any) -> str:
        """Place a call from the line; its id."""
        order = {"agentId": line.agent_id, "phoneNumberId": line.number_id, "to": to, **more}
        return str((await self.node.post("/v1/calls", order))["id"])

    async def calls(self, line: Line) -> list[dict[str, Any]]:
        """The line's calls so far, the newest first."""
        found: list[dict[str, Any]] = await self.node.get(f"/v1/calls?agentId={line.agent_id}")
        return found

    async def ringing(self, line: Line) -> str:
        """The id of the line's only call, as soon as there is one. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.calls(line)):  # noqa: ASYNC110 (it is another process)
                await asyncio.sleep(0.05)
        assert len(found) == 1
        return str(found[0]["id"])

    async def finished(self, line: Line) -> dict[str, Any]:
        """The line's only call, when it is final and analysed. Raises TimeoutError."""
        return await self.analysed(await self.ringing(line))

    async def analysed(self, call_id: str) -> dict[str, Any]:
        """A call, when it is final and analysed. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while True:
                call: dict[str, Any] = await self.node.get(f"/v1/calls/{call_id}")
                if call["status"] in FINAL and call["analysis"] is not None:
                    return call
                await asyncio.sleep(0.05)

    async def recording(self, call: dict[str, Any], fmt: str, folder: Path) -> Path:
        """The call's recording as a file."""
        assert self.node.http is not None
        answer = await self.node.http.get(f"/v1/calls/{call['id']}/recording", params={"format": fmt})
        answer.raise_for_status()
        path = folder / f"{call['id']}.{fmt}"
        path.write_bytes(answer.content)
        return path


def said(call: dict[str, Any], role: str) -> list[str]:
    """What one side of a call said."""
    return [item["content"] for item in call["transcript"] if item["role"] == role]


def captured(call: dict[str, Any]) -> dict[str, Any]:
    """What a call's script has captured."""
    values: dict[str, Any] = call["analysis"]["extractions"]
    return values
