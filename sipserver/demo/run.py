"""The demo from beginning to end: server, agents, two calls, verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from sipserver.commands.watching import server_sent
from sipserver.demo.line import SilentLine
from sipserver.demo.node import DemoNode, NodeFailed
from sipserver.demo.phone import CallRefused, Phone, PhoneCall
from sipserver.demo.picture import Turn, draw
from sipserver.demo.receiver import Received, Receiver
from sipserver.demo.scenario import CALLER_NUMBER, OWN_NUMBER, Heard, Say, Voice, inbound, outbound
from sipserver.demo.screen import Screen
from sipserver.demo.verdict import Check, inbound_checks, outbound_checks
from sipserver.packaged import agent

SECRET = "a secret of the demo"
FINAL = ("completed", "failed", "no_answer")
AFTER_CALL_SECONDS = 30.0


async def run_demo(console: Console, folder: Path, keep: bool) -> bool:
    """Show it all; True when every promise was kept."""
    _empty(folder)
    try:
        async with AsyncExitStack() as stack:
            stage = await _Stage.set(console, folder, stack)
            checks = await stage.inbound_call() + await stage.outbound_call()
            kept = _show_checks(console, checks)
            if keep:
                await stage.stay()
            return kept
    except (NodeFailed, CallRefused, SilentLine, TimeoutError) as error:
        console.print(f"[bold red]The demo failed:[/] {str(error) or type(error).__name__}")
        console.print(f"The server's log is {folder / 'server.log'}.")
        return False


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


class _Stage:
    """The server with its agents, and the telephone that rings it."""

    def __init__(self, console: Console, folder: Path, node: DemoNode, hooks: Receiver, phone: Phone, say: Say) -> None:
        self.console = console
        self.folder = folder
        self.node = node
        self.hooks = hooks
        self.phone = phone
        self.say = say
        self.screen = Screen(console)
        self.number: dict[str, Any] = {}
        self.reminder: dict[str, Any] = {}

    @classmethod
    async def set(cls, console: Console, folder: Path, stack: AsyncExitStack) -> _Stage:
        """Start everything, and make agents, number and trunk."""
        with console.status("starting the server"):
            hooks = await stack.enter_async_context(Receiver(SECRET))
            environment = {"ANTIPHON__EGRESS__ALLOW": '["127.0.0.1"]'}
            node = await stack.enter_async_context(DemoNode(folder / "data", environment))
            say = await stack.enter_async_context(Voice())
        stage = cls(console, folder, node, hooks, Phone(tap=lambda *message: stage.screen.ladder(*message)), say)
        await stack.enter_async_context(stage.phone)
        await stage._furnish()
        return stage

    async def _furnish(self) -> None:
        hook = {"postCallWebhookUrl": self.hooks.url, "postCallWebhookSecret": SECRET}
        desk = await self.node.post("/v1/agents", {**agent("front_desk"), **hook})
        self.reminder = await self.node.post("/v1/agents", {**agent("appointment_reminder"), **hook})
        trunk = {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": self.phone.port}
        self.number = await self.node.post(
            "/v1/phone-numbers", {"number": OWN_NUMBER, "name": "Front desk", "agentId": desk["id"], **trunk}
        )
        self.console.print(
            f"server [bold]{self.node.url}[/], SIP {self.node.sip[0]}:{self.node.sip[1]}, a key, two agents, a number, a trunk"
        )

    async def inbound_call(self) -> list[Check]:
        """A caller rings the front desk."""
        self.console.rule(f"{CALLER_NUMBER} rings {OWN_NUMBER}")
        call, heard = await self._shown(lambda on_line: inbound(self.phone, self.node.sip, self.say, on_line))
        hook = await self._hook()
        call = await self.node.get(f"/v1/calls/{call['id']}")
        recording = await self._fetch_recording(call)
        _show_transcript(self.console, call)
        _show_latencies(self.console, heard)
        self._show_files(call, recording)
        _show_hook(self.console, hook)
        return inbound_checks(call, heard, recording, hook)

    async def outbound_call(self) -> list[Check]:
        """The reminder rings a callee, by `POST /v1/calls`."""
        self.console.rule(f"POST /v1/calls: the reminder rings {CALLER_NUMBER}")
        order = {"agentId": self.reminder["id"], "phoneNumberId": self.number["id"], "to": CALLER_NUMBER}
        variables = {
            "practice": "the Northside clinic",
            "day": _in_words(datetime.now().astimezone().date() + timedelta(days=1)),
            "time": "ten o'clock",
        }
        made = await self.node.post("/v1/calls", {**order, "contextVariables": variables})
        call, heard = await self._shown(lambda on_line: outbound(self.phone, self.say, on_line), made["id"])
        hook = await self._hook()
        call = await self.node.get(f"/v1/calls/{call['id']}")
        _show_transcript(self.console, call)
        return outbound_checks(call, heard, hook)

    async def stay(self) -> None:
        """Leave the server running until it is ended."""
        host, port = self.node.sip
        await self.node.post("/v1/phone-numbers", {**_softphone(), "agentId": self.number["agentId"]})
        self.console.print(
            Panel(
                f"The server runs on (process {self.node.pid}). From a softphone on this machine, without registration, ring\n"
                f"  sip:{SOFTPHONE_NUMBER}@{host}:{port}\n"
                f"API {self.node.url}/docs, key {self.node.key}\n"
                f"Ctrl-C ends it.",
                title="--keep",
            )
        )
        await self.node.wait()

    async def _shown(
        self, perform: Callable[[Callable[[PhoneCall], None]], Awaitable[Heard]], call_id: str | None = None
    ) -> tuple[dict[str, Any], Heard]:
        """Let a call happen and show the server's events of it meanwhile. Returns the call when it is final."""
        with self.screen:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow(call_id))
                heard = await perform(lambda call: setattr(call.line, "on_speech", self.screen.speaking))
                found = await asyncio.wait_for(following, AFTER_CALL_SECONDS)
        return await self._final(found), heard

    async def _follow(self, call_id: str | None) -> str:
        found = call_id or await self._newest_call()
        async for kind, data in self._events(found):
            self.screen.show(kind, data)
        return found

    async def _newest_call(self) -> str:
        """The call that comes in now; nobody told us its id."""
        known = {item["id"] for item in await self.node.get("/v1/calls")}
        while True:
            for item in await self.node.get("/v1/calls"):
                if item["id"] not in known:
                    return str(item["id"])
            await asyncio.sleep(0.02)

    async def _events(self, call_id: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        assert self.node.http is not None
        lines: list[str] = []
        async with self.node.http.stream("GET", f"/v1/calls/{call_id}/events", timeout=None) as response:
            async for text in response.aiter_lines():
                lines.append(text)
                if not text:
                    for event in server_sent(lines):
                        yield event
                    lines.clear()

    async def _final(self, call_id: str) -> dict[str, Any]:
        async with asyncio.timeout(AFTER_CALL_SECONDS):
            while True:
                call: dict[str, Any] = await self.node.get(f"/v1/calls/{call_id}")
                if call["status"] in FINAL:
                    return call
                await asyncio.sleep(0.1)

    async def _hook(self) -> Received | None:
        with contextlib.suppress(TimeoutError):
            return await self.hooks.next(AFTER_CALL_SECONDS)
        return None

    async def _fetch_recording(self, call: dict[str, Any]) -> Path:
        """The WAV, by its signed link, without a key."""
        target = self.folder / "recording.wav"
        async with httpx.AsyncClient(trust_env=False) as anybody:
            answer = await anybody.get(httpx.URL(call["recordingUrl"]).copy_merge_params({"format": "wav"}))
        if answer.is_error:
            raise NodeFailed(f"the recording could not be fetched: {answer.status_code}")
        target.write_bytes(answer.content)
        return target

    def _show_files(self, call: dict[str, Any], recording: Path) -> None:
        picture = self.folder / "call.png"
        turns = [Turn(i["role"], i["startMs"], i["endMs"], i["content"], i["interrupted"]) for i in call["transcript"]]
        marks = [(item.end_ms, "barge-in") for item in turns if item.interrupted]
        draw(recording, turns, marks + self.screen.keys_pressed(), picture)
        self.console.print(
            f"recording [bold]{recording}[/] (stereo: caller left, agent right), picture [bold]{picture}[/]"
        )


SOFTPHONE_NUMBER = "+12025550101"


def _softphone() -> dict[str, Any]:
    """A softphone of this machine sends from the same address; its number is another one on the same trunk."""
    return {"number": SOFTPHONE_NUMBER, "name": "Softphone", "sipMode": "ip_allowlist", "sipIp": "127.0.0.1"}


def _in_words(day: date) -> str:
    return f"{day:%A} the {day.day}{'th' if 10 <= day.day % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day.day % 10, 'th')}"


def _show_transcript(console: Console, call: dict[str, Any]) -> None:
    table = Table("ms", "who", "words", title="transcript (of the agent: what was heard)", title_justify="left")
    for item in call["transcript"]:
        who = "caller" if item["role"] == "user" else "agent"
        table.add_row(
            f"{item['startMs']}–{item['endMs']}", who, item["content"] + (" ✂" if item["interrupted"] else "")
        )
    console.print(table)


def _show_latencies(console: Console, heard: Heard) -> None:
    table = Table("measured at the caller's end of the wire", "ms", title="latencies", title_justify="left")
    table.add_row("INVITE → 200", f"{heard.answer * 1000:.0f}")
    for number, seconds in enumerate(heard.turns, 1):
        table.add_row(f"turn {number}: caller's last sample → agent's first", f"{seconds * 1000:.0f}")
    if heard.turns:
        table.add_row("turns, median", f"{statistics.median(heard.turns) * 1000:.0f}")
    if heard.interruption is not None:
        table.add_row("interruption: caller's first sample → agent silent", f"{heard.interruption * 1000:.0f}")
    console.print(table)


def _show_hook(console: Console, hook: Received | None) -> None:
    if hook is not None:
        text = json.dumps(hook.payload, indent=2, ensure_ascii=False)
        console.print(
            Panel(
                escape(text),
                title=f"webhook {hook.webhook_id}, signature {'verified' if hook.verified else 'WRONG'}",
                title_align="left",
            )
        )


def _show_checks(console: Console, checks: list[Check]) -> bool:
    table = Table("", "promise", "found", title="verdict", title_justify="left")
    for check in checks:
        table.add_row("[green]✓[/]" if check.kept else "[red]✗[/]", check.what, check.found)
    console.print(table)
    return all(check.kept for check in checks)
