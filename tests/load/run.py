"""A load, from the first INVITE to the last webhook: a server with its embedded engines, and SIPp's callers who talk with it."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sipserver.bench.sipp import Tally, tally
from sipserver.demo.node import DemoNode
from sipserver.demo.receiver import Receiver
from tests.load.plan import DAY, SCRIPT, UNDERSTOOD, WISH, Plan
from tests.load.wire import CAN_CAPTURE, Outgoing, Streams
from tests.peers.capture import FFPROBE, probed
from tests.peers.ports import free_block
from tests.peers.speech import spoken, timeline, write_mu_law
from tests.peers.switchboard import FINAL, Line, Switchboard, captured

SCENARIO = Path(__file__).parents[1] / "sipp" / "load_talks.xml"
SECRET = "a secret of the load"
QUESTION, ANSWER = 2.5, 4.0
"""Seconds that a caller leaves for the first question, and for each answer."""
CALL_PATIENCE_MS = 30_000
MANY = 100
"""Calls, beyond which their ports begin at MEDIA_PORTS; those of fewer are a block that is free, so that two loads can run at once."""
MEDIA_PORTS = 12000
PAGE = 100
RECORDINGS = 5
"""So many are fetched and looked at by ffprobe."""
ENVIRONMENT = {"ANTIPHON__EGRESS__ALLOW": '["127.0.0.1"]', "ANTIPHON__SIP__PROBE_SECONDS": "0"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `calls` are the API's resources; `streams` None where nothing could be captured."""

    tally: Tally
    calls: tuple[dict[str, Any], ...]
    webhooks: int
    playable: int
    streams: Streams | None

    @property
    def understood(self) -> int:
        """How many ended as the script has it, with all that was to be understood."""
        return sum(_went_well(call) for call in self.calls)


def _went_well(call: dict[str, Any]) -> bool:
    whole = (call["status"], call["endedReason"]) == ("completed", "agent_ended")
    return whole and captured(call).keys() >= UNDERSTOOD


async def load(board: Switchboard, plan: Plan, folder: Path) -> Outcome:
    """Carry it out. The board's server has to let webhooks go to this machine (`ENVIRONMENT`)."""
    async with AsyncExitStack() as stack:
        hooks = await stack.enter_async_context(Receiver(SECRET))
        hook = {"postCallWebhookUrl": hooks.url, "postCallWebhookSecret": SECRET}
        line = await board.line(SCRIPT, **hook)
        speech = await _speech(folder)
        counting = asyncio.create_task(_count(hooks, plan))
        outgoing = None
        first = free_block(4 * plan.calls + 4) if plan.calls <= MANY else MEDIA_PORTS
        if CAN_CAPTURE:
            outgoing = await stack.enter_async_context(Outgoing(folder / "load.pcapng", _ports(first, plan)))
        tally_ = await _ring(board, line, plan, speech, folder, first)
        calls = await _finished(board.node, line, plan)
        webhooks = await counting
    return Outcome(
        tally_, calls, webhooks, await _playable(board, calls, folder), outgoing and await outgoing.streams()
    )


def _ports(first: int, plan: Plan) -> str:
    """Those of all callers: SIPp takes four for each call, 10,000 at most."""
    return f"{first}-{first + min(4 * plan.calls, 10_000) + 3}"


async def _speech(folder: Path) -> str:
    wish, day = await spoken(WISH, DAY)
    return write_mu_law(folder / "caller.ulaw", timeline([QUESTION, wish, ANSWER, day, ANSWER]))


async def _ring(board: Switchboard, line: Line, plan: Plan, speech: str, folder: Path, first_port: int) -> Tally:
    """SIPp's callers, one process. What it counts goes into the folder."""
    text = SCENARIO.read_text("utf-8").replace("@speech@", speech).replace("@patience@", str(CALL_PATIENCE_MS))
    (folder / SCENARIO.name).write_text(text)
    process = await asyncio.create_subprocess_exec(
        "sipp", board.sip, "-sf", SCENARIO.name, "-s", line.number, "-i", "127.0.0.1", "-mi", "127.0.0.1",
        "-mp", str(first_port),
        "-m", str(plan.calls), "-l", str(plan.at_once), "-r", str(max(1, round(plan.rate * 10))), "-rp", "10000",
        "-timeout", str(round(plan.seconds)), "-nostdin",
        "-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1", "-trace_err",
        cwd=folder, env=os.environ, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await process.wait()
    return tally(folder)


async def _finished(node: DemoNode, line: Line, plan: Plan) -> tuple[dict[str, Any], ...]:
    """The calls, when all are final and analysed; those that never came are not there."""
    async with asyncio.timeout(plan.seconds):
        while True:
            listed = await _listed(node, line)
            if all(call["status"] in FINAL for call in listed):
                calls = [await node.get(f"/v1/calls/{call['id']}") for call in listed]
                if all(call["analysis"] is not None for call in calls):
                    return tuple(calls)
            await asyncio.sleep(0.5)


async def _listed(node: DemoNode, line: Line) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    while page := await node.get(f"/v1/calls?agentId={line.agent_id}&limit={PAGE}&offset={len(found)}"):
        found += page
    return found


async def _count(hooks: Receiver, plan: Plan) -> int:
    """How many calls a webhook with a good signature came for, however often."""
    seen: set[str] = set()
    try:
        async with asyncio.timeout(plan.seconds):
            while len(seen) < plan.calls:
                hook = await hooks.next(plan.seconds)
                if hook.verified:
                    seen.add(hook.webhook_id)
    except TimeoutError:
        pass
    return len(seen)


async def _playable(board: Switchboard, calls: tuple[dict[str, Any], ...], folder: Path) -> int:
    """Of some, spread over all, how many recordings are as long as their call."""
    if FFPROBE is None:
        return 0
    some = calls[:: max(1, len(calls) // RECORDINGS)][:RECORDINGS]
    return sum([await _is_whole(board, call, folder) for call in some])


async def _is_whole(board: Switchboard, call: dict[str, Any], folder: Path) -> bool:
    channels, seconds = await probed(await board.recording(call, "wav", folder))
    return channels == 2 and abs(seconds - call["durationSeconds"]) < 1.5
