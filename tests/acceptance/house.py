"""A house to break: a real server process, a telephone, a receiver of webhooks, and agents whose calls take known turns."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sqlite3
import subprocess
import tempfile
import wave
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from control_api.admin import create_key
from sipserver.demo.node import DemoNode
from sipserver.demo.phone import CallRefused, Phone, PhoneCall
from sipserver.demo.receiver import Receiver
from sipserver.message import Request, Response, user_of

SECRET = "a secret of the tests"
NUMBER, CALLER = "+12025550100", "+12025550123"
FINAL = ("completed", "failed", "no_answer")
LONG = (
    "Here is what we have for you. Please bring your insurance card, a list of the medicines that you take, and the letter from "
    "your own doctor. Please also come ten minutes early, because there is a form to fill in. The entrance is on the left side "
    "of the house, behind the large tree, and the waiting room is on the second floor, at the end of the corridor."
)
"""About twenty seconds of speech."""

HELLO = "How can I help you?"
"""One sentence: even on a busy machine there is no pause in it that could be taken for its end."""
DESK: Mapping[str, Any] = {
    "name": "Desk",
    "firstSpeaker": "agent",
    "languageHint": "en",
    "recording": {"format": "wav"},
    "script": {
        "start": "hello",
        "steps": {
            "hello": {
                "say": HELLO,
                "listen": [
                    {"dtmf": "1", "set": {"wish": "long"}, "go": "long"},
                    {"dtmf": "2", "go": "bye"},
                    {"hear": ["i would like to move my appointment"], "set": {"wish": "move"}, "go": "long"},
                ],
            },
            "long": {"say": LONG, "listen": [{"dtmf": "2", "go": "bye"}]},
            "bye": {"say": "Goodbye.", "end": True},
        },
        "anywhere": [{"hear": ["goodbye"], "go": "bye"}],
    },
}
"""Asks, speaks for long after key 1 (or a sentence), and hangs up after key 2."""


async def until(
    condition: Callable[[], Any] | Callable[[], Awaitable[Any]], what: str, seconds: float = 20.0, every: float = 0.05
) -> Any:
    """The condition's value as soon as it is true. Raises AssertionError, saying what did not happen."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert loop.time() < deadline, f"within {seconds:g} s this did not happen: {what}"
        await asyncio.sleep(every)


async def speaks_for(call: PhoneCall, seconds: float) -> None:
    """Until the agent has been speaking for so long: it is in the middle of a sentence."""
    began = await call.line.agent_begins(20)
    await asyncio.sleep(max(0.0, began + seconds - asyncio.get_running_loop().time()))


@dataclass(slots=True)
class House:
    """The server and those around it. Each agent that is made has a number of its own on the telephone's trunk."""

    node: DemoNode
    phone: Phone
    hooks: Receiver
    invited: defaultdict[str, set[str]]
    """Who was dialled at the telephone: the user part of the Request-URI → the Call-IDs of its INVITEs."""
    calls: list[PhoneCall] = field(default_factory=list)
    """The calls that `ring` has made."""

    async def agent(
        self, number: str = NUMBER, hook: str | None = None, trunk: Mapping[str, Any] | None = None, **changes: Any
    ) -> tuple[str, str]:
        """An agent like `DESK` that answers `number`. Returns the ids of agent and number. `trunk` is the telephone's by default."""
        url = {"postCallWebhookUrl": hook or self.hooks.url, "postCallWebhookSecret": SECRET}
        made = await self.node.post("/v1/agents", {**DESK, **url, **changes})
        way = {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "sipPort": self.phone.port, **(trunk or {})}
        line = await self.node.post("/v1/phone-numbers", {"number": number, "agentId": made["id"], **way})
        return made["id"], line["id"]

    async def place(self, ids: tuple[str, str], to: str, **more: Any) -> str:
        """Have a call placed; its id."""
        made = await self.node.post("/v1/calls", {"agentId": ids[0], "phoneNumberId": ids[1], "to": to, **more})
        return str(made["id"])

    async def ring(self, number: str = NUMBER, caller: str = CALLER) -> PhoneCall:
        """Ring the server, and be answered. Raises CallRefused."""
        self.calls.append(await self.phone.ring(self.node.sip, number, caller))
        return self.calls[-1]

    async def hang_up(self) -> None:
        """End the calls that `ring` has made, as far as they go on."""
        for call in self.calls:
            await call.close()
        self.calls.clear()

    async def ring_until_answered(self, number: str = NUMBER, caller: str = CALLER, seconds: float = 20.0) -> PhoneCall:
        """Ring again while the server says that it cannot take the call now."""

        async def attempt() -> PhoneCall | None:
            try:
                return await self.ring(number, caller)
            except CallRefused as refusal:
                if not str(refusal).startswith("503"):
                    raise
                return None

        call: PhoneCall = await until(attempt, "the next call is answered", seconds)
        return call

    async def newest(self, customer: str = CALLER) -> str:
        """The id of the newest call with this number."""
        found = await self.node.get(f"/v1/calls?customerNumber={quote(customer)}&limit=1")
        return str(found[0]["id"])

    async def call(self, call_id: str) -> dict[str, Any]:
        """The call as the API tells it."""
        found: dict[str, Any] = await self.node.get(f"/v1/calls/{call_id}")
        return found

    async def over(self, call_id: str, seconds: float = 20.0) -> dict[str, Any]:
        """The call when it is final."""

        async def final() -> dict[str, Any] | None:
            call = await self.call(call_id)
            return call if call["status"] in FINAL else None

        found: dict[str, Any] = await until(final, f"call {call_id} is final", seconds)
        return found

    async def recorded(self, call_id: str, seconds: float = 20.0) -> dict[str, Any]:
        """The call when it is final and its recording can be fetched."""

        async def linked() -> dict[str, Any] | None:
            call = await self.call(call_id)
            return call if call["status"] in FINAL and call["recordingUrl"] else None

        found: dict[str, Any] = await until(linked, f"call {call_id} has its recording", seconds)
        return found

    async def good_call(self, number: str = NUMBER, caller: str = CALLER) -> dict[str, Any]:
        """A whole call, as everybody expects it: greeting, key 2, farewell, BYE, record, recording. Proves that all is well."""
        call = await self.ring_until_answered(number, caller)
        try:
            await call.line.agent_ends(20)
            await call.line.press("2")
            assert await call.until_ended(20) == "bye"
        finally:
            await call.close()
        found = await self.recorded(await self.newest(caller))
        assert (found["status"], found["endedReason"]) == ("completed", "agent_ended"), found
        assert [item["content"] for item in found["transcript"]][-1] == "Goodbye."
        return found

    def log(self) -> str:
        """What the server has logged."""
        return self.node.log.read_text("utf-8", "replace")


@asynccontextmanager
async def house(
    folder: Path, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = (), **node: Any
) -> AsyncIterator[House]:
    """A house whose server has this environment besides leave to send webhooks to this machine."""
    settings = {"ANTIPHON__EGRESS__ALLOW": '["127.0.0.1"]', **(environment or {})}
    invited: defaultdict[str, set[str]] = defaultdict(set)

    def tap(call_id: str, direction: str, message: Request | Response) -> None:
        if direction == "<" and isinstance(message, Request) and message.method == "INVITE":
            invited[str(user_of(message.uri))].add(call_id)

    server = DemoNode(folder / "data", settings, prefix=prefix, **node)
    if not prefix:
        # What a new process would take seconds for; a server with a view of its own of the file system needs one.
        server.key = await asyncio.to_thread(create_key, folder / "data", "tests", "admin")
    async with Receiver(SECRET) as hooks, Phone(tap=tap) as phone, server:
        home = House(server, phone, hooks, invited)
        try:
            yield home
        finally:
            await home.hang_up()


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: its seconds, and its samples, bytes of int16 (n, 2), caller left."""

    seconds: float
    frames: bytes


async def recording(call: Mapping[str, Any]) -> Sound:
    """The call's recording by its signed link, read by the standard library and, where it is installed, by ffprobe."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as anybody:
        answer = await anybody.get(httpx.URL(call["recordingUrl"]).copy_merge_params({"format": "wav"}))
    assert answer.status_code == 200, answer.text
    with wave.open(io.BytesIO(answer.content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        sound = Sound(file.getnframes() / 8000, file.readframes(file.getnframes()))
    assert len(sound.frames) == round(sound.seconds * 8000) * 4, "the header tells of more samples than there are"
    await asyncio.to_thread(_probe, answer.content, sound.seconds)
    return sound


def _probe(wav: bytes, seconds: float) -> None:
    if shutil.which("ffprobe") is None:
        return
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(wav)
        file.flush()
        command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json", file.name]
        found = subprocess.run(command, capture_output=True, check=True)
    assert not found.stderr, found.stderr
    assert abs(float(json.loads(found.stdout)["format"]["duration"]) - seconds) < 0.01


def query(folder: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a data folder's database, beside the running server."""
    with closing(sqlite3.connect(f"file:{folder / 'antiphon.db'}?mode=ro", uri=True, timeout=5)) as database:
        return database.execute(statement, values).fetchall()


def sent(call: PhoneCall) -> float:
    """Seconds of speech and silence that have come from the server: a measure that holds on a busy machine too."""
    return call.line.received.packets * 0.02


def said(call: Mapping[str, Any], role: str) -> Sequence[str]:
    """What one side said."""
    return [item["content"] for item in call["transcript"] if item["role"] == role]
