"""The demo from beginning to end: server, agents, two calls, verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text

from sipserver.commands.watching import server_sent
from sipserver.demo import folder as names
from sipserver.demo.folder import FolderBusy, demo_folder
from sipserver.demo.keep import stay
from sipserver.demo.line import SilentLine
from sipserver.demo.node import DemoNode, NodeFailed
from sipserver.demo.phone import CallRefused, Phone, PhoneCall
from sipserver.demo.picture import Turn, draw
from sipserver.demo.receiver import Received, Receiver
from sipserver.demo.report import show_checks, show_files, show_hook, show_latencies, show_transcript
from sipserver.demo.scenario import CALLER_NUMBER, OUTBOUND, OWN_NUMBER, Heard, Say, Voice, inbound, outbound
from sipserver.demo.screen import Screen
from sipserver.demo.verdict import Check, inbound_checks, outbound_checks
from sipserver.packaged import agent

SECRET = "a secret of the demo"
FINAL = ("completed", "failed", "no_answer")
AFTER_CALL_SECONDS = 30.0


async def run_demo(console: Console, folder: Path, keep: bool) -> bool:
    """Show it all; True when every promise was kept. Raises OSError for a folder that cannot be used."""
    try:
        async with AsyncExitStack() as stack:
            stack.enter_context(demo_folder(folder))
            stage = await _Stage.prepared(console, folder, stack)
            groups = {
                "the caller's call": await stage.inbound_call(),
                "the reminder's call": await stage.outbound_call(),
            }
            kept = show_checks(console, groups)
            if keep:
                await stay(console, stage.node, stage.number["agentId"])
            return kept
    except (NodeFailed, CallRefused, SilentLine, FolderBusy, httpx.HTTPError, TimeoutError) as error:
        console.print(
            Text.assemble(("The demo failed: ", "bold red"), str(error) or type(error).__name__), soft_wrap=True
        )
        if (folder / names.SERVER_LOG).exists() and not isinstance(error, FolderBusy):
            console.print(f"The server's log is {folder / names.SERVER_LOG}", soft_wrap=True)
        return False


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
    async def prepared(cls, console: Console, folder: Path, stack: AsyncExitStack) -> _Stage:
        """Start everything, and make agents, number and trunk."""
        with console.status("starting the server"):
            hooks = await stack.enter_async_context(Receiver(SECRET))
            environment = {"ANTIPHON__EGRESS__ALLOW": '["127.0.0.1"]'}
            node = await stack.enter_async_context(DemoNode(folder / names.DATA, environment))
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
        sip = "{}:{}".format(*self.node.sip)
        self.console.print(f"A server: API [bold]{self.node.url}[/], SIP [bold]{sip}[/].")
        self.console.print("With an API key, two agents, and a number with its trunk.")

    async def inbound_call(self) -> list[Check]:
        """A caller rings the front desk."""
        self._title(f"{CALLER_NUMBER} rings {OWN_NUMBER}")
        known = {item["id"] for item in await self.node.get("/v1/calls")}
        with self.screen:
            heard, call_id = await _both(
                inbound(self.phone, self.node.sip, self.say, self._watch_line), self._follow(self._newest_call(known))
            )
        call, hook = await self._finished(call_id)
        show_latencies(self.console, "answer: INVITE → 200", heard)
        recording = await self._fetch_recording(call)
        self._show_papers(call, recording, hook)
        return inbound_checks(call, heard, recording, hook)

    async def outbound_call(self) -> list[Check]:
        """The reminder rings a callee, by `POST /v1/calls`."""
        self._title(f"POST /v1/calls: the reminder rings {CALLER_NUMBER}")
        yes = await self.say(OUTBOUND)
        with self.screen:
            ordered = asyncio.get_running_loop().time()
            made = await self.node.post("/v1/calls", self._order())
            heard, call_id = await _both(
                outbound(self.phone, yes, ordered, self._watch_line), self._follow(_at_once(made["id"]))
            )
        call, hook = await self._finished(call_id)
        show_latencies(self.console, "placing: POST /v1/calls → INVITE", heard)
        return outbound_checks(call, heard, hook)

    def _order(self) -> dict[str, Any]:
        variables = {
            "practice": "the Northside clinic",
            "day": _in_words(datetime.now().astimezone().date() + timedelta(days=1)),
            "time": "ten o'clock",
        }
        order = {"agentId": self.reminder["id"], "phoneNumberId": self.number["id"], "to": CALLER_NUMBER}
        return {**order, "contextVariables": variables}

    def _title(self, text: str) -> None:
        self.console.print()
        self.console.rule(Text(text, "bold"), align="left")

    def _watch_line(self, call: PhoneCall) -> None:
        call.line.on_speech = self.screen.speaking

    async def _follow(self, finding: Awaitable[str]) -> str:
        """Show the server's events of a call to its end. Returns the call's id."""
        found = await finding
        async for kind, data in self._events(found):
            self.screen.show(kind, data)
        return found

    async def _newest_call(self, known: set[str]) -> str:
        """The call that comes in now; nobody told us its id."""
        while True:
            for item in await self.node.get("/v1/calls"):
                if item["id"] not in known:
                    return str(item["id"])
            await asyncio.sleep(0.05)

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

    async def _finished(self, call_id: str) -> tuple[dict[str, Any], Received | None]:
        """The call when all is known of it, and its webhook. Shows the transcript."""
        await self._final(call_id)
        hook = await self._hook()
        call: dict[str, Any] = await self.node.get(f"/v1/calls/{call_id}")
        show_transcript(self.console, call)
        return call, hook

    async def _final(self, call_id: str) -> None:
        deadline = asyncio.get_running_loop().time() + AFTER_CALL_SECONDS
        while (await self.node.get(f"/v1/calls/{call_id}"))["status"] not in FINAL:
            if asyncio.get_running_loop().time() > deadline:
                raise NodeFailed(f"the call {call_id} is over, and was not final after {AFTER_CALL_SECONDS:g} s")
            await asyncio.sleep(0.1)

    async def _hook(self) -> Received | None:
        with contextlib.suppress(TimeoutError):
            return await self.hooks.next(AFTER_CALL_SECONDS)
        return None

    async def _fetch_recording(self, call: dict[str, Any]) -> Path:
        """The WAV, by its signed link, without a key."""
        target = self.folder / names.RECORDING
        if call["recordingUrl"] is None:
            raise NodeFailed("the call has no recording")
        async with httpx.AsyncClient(trust_env=False) as anybody:
            answer = await anybody.get(httpx.URL(call["recordingUrl"]).copy_merge_params({"format": "wav"}))
        if answer.is_error:
            raise NodeFailed(f"the recording could not be fetched: {answer.status_code}")
        target.write_bytes(answer.content)
        return target

    def _show_papers(self, call: dict[str, Any], recording: Path, hook: Received | None) -> None:
        picture, payload = self.folder / names.PICTURE, self.folder / names.WEBHOOK
        turns = [Turn(i["role"], i["startMs"], i["endMs"], i["content"], i["interrupted"]) for i in call["transcript"]]
        marks = [(item.end_ms, "barge-in") for item in turns if item.interrupted]
        draw(recording, turns, marks + self.screen.keys_pressed(), picture)
        if hook is not None:
            payload.write_text(json.dumps(hook.payload, indent=2, ensure_ascii=False) + "\n", "utf-8")
            show_hook(self.console, hook, payload)
        files = {"recording": recording, "picture": picture, "server log": self.folder / names.SERVER_LOG}
        show_files(self.console, files)


async def _both(performance: Awaitable[Heard], following: Coroutine[Any, Any, str]) -> tuple[Heard, str]:
    """A call as the telephone plays it, and as the server tells it. The first failure of either ends both, and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            told = group.create_task(following)
            heard = await performance
            if not (await asyncio.wait([told], timeout=AFTER_CALL_SECONDS))[0]:
                raise NodeFailed(f"the call's events did not end within {AFTER_CALL_SECONDS:g} s of its BYE")
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return heard, told.result()


async def _at_once(value: str) -> str:
    return value


def _in_words(day: date) -> str:
    return f"{day:%A} the {day.day}{'th' if 10 <= day.day % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day.day % 10, 'th')}"
