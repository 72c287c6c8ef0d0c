"""An installation for tests: a store in a folder, stand-ins for the rooms that the HTTP side asks, and a client."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from control_api.app import create_app
from control_api.calllog import StoredCallLog
from control_api.dialling import DiallingPolicy
from control_api.directory import Directory
from control_api.egress import EgressPolicy
from control_api.encoding import Encoder
from control_api.folder import DataFolder
from control_api.keytext import digest, new_key
from control_api.live import LiveEvents
from control_api.models.background_sound import BackgroundSound
from control_api.models.key import Scope
from control_api.secrets import open_box
from control_api.services import Catalogue, Services
from control_api.signing import LinkSigner
from control_api.store import keys, organizations
from control_api.store.engine import Store
from control_api.store.keys import KeyRow
from control_api.transcoding import transcode
from inference.tts.base import Voice
from sipserver.protocols import Agent, DialOrder, KeysSent, ScriptProblem, SpeechOrder, TransferOrder, Trunk

START = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z"""
RAIN = BackgroundSound(id="7b9f4d0e-0000-5000-8000-000000000011", name="rain", built_in=True, seconds=16.0)
FOUNTAIN = BackgroundSound(id="7b9f4d0e-0000-5000-8000-000000000012", name="fountain", built_in=False, seconds=2.5)
VOICE = Voice("7b9f4d0e-0000-5000-8000-000000000001", "espeak", "slt", "en")
OTHER_ORGANIZATION = "0b9f4d0e-0000-4000-8000-00000000000f"


class Clock:
    """Goes a millisecond on whenever it is read, so that newest first is what was made last."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> int:
        self.at += 1000
        return self.at


@dataclass
class Checks:
    """Refuses a script without a start; says of agents what it was told to say."""

    problems: Sequence[str] = ()

    async def script(self, script: Mapping[str, Any], labels: Collection[str] = ()) -> Sequence[ScriptProblem]:
        if "start" not in script:
            return (ScriptProblem("steps.confirm.listen.0", "nothing can be heard"),)
        wanted = script.get("transfers", ())
        return [ScriptProblem("steps.human.transfer", f"no {label}") for label in wanted if label not in labels]

    async def readiness(self, agent: Agent) -> Sequence[str]:
        return self.problems


@dataclass
class Phone:
    """A dialler that remembers what it was asked."""

    live: set[str] = field(default_factory=set)
    hung_up: list[str] = field(default_factory=list)
    transferred: list[tuple[str, TransferOrder]] = field(default_factory=list)
    recorded: list[tuple[str, bool]] = field(default_factory=list)
    pressed: list[tuple[str, str]] = field(default_factory=list)
    takes_keys: bool = True
    looked_at: list[tuple[str, bool]] = field(default_factory=list)
    told: list[tuple[str, SpeechOrder]] = field(default_factory=list)
    free: int = 10
    trunk_waits: list[float] = field(default_factory=list)

    async def dial(self, order: DialOrder) -> None:
        self.live.add(order.call_id)

    async def hang_up(self, call_id: str) -> bool:
        self.hung_up.append(call_id)
        return call_id in self.live

    async def transfer(self, call_id: str, order: TransferOrder) -> bool:
        if call_id in self.live:
            self.transferred.append((call_id, order))
        return call_id in self.live

    async def record(self, call_id: str, *, on: bool) -> bool:
        if call_id in self.live:
            self.recorded.append((call_id, on))
        return call_id in self.live

    async def press(self, call_id: str, keys: str) -> KeysSent:
        if call_id not in self.live:
            return KeysSent.NOT_LIVE
        self.pressed.append((call_id, keys))
        return KeysSent.SENT if self.takes_keys else KeysSent.NOT_TAKEN

    def look_at_rtp(self, call_id: str, *, on: bool) -> bool:
        if call_id in self.live:
            self.looked_at.append((call_id, on))
        return call_id in self.live

    async def speak(self, call_id: str, order: SpeechOrder) -> bool:
        if call_id in self.live:
            self.told.append((call_id, order))
        return call_id in self.live

    def capacity(self) -> int:
        return self.free

    def trunk_wait(self, trunk: Trunk, starting: int) -> float:
        return self.trunk_waits.pop(0) if self.trunk_waits else 0.0


@dataclass
class Installation:
    """The parts, and clients by scope."""

    services: Services
    store: Store
    checks: Checks
    phone: Phone
    log: StoredCallLog
    directory: Directory
    clock: Clock
    folder: DataFolder
    keys: dict[str, str]

    def client(self, who: str = "admin") -> httpx.AsyncClient:
        """Scope, or `other` for an admin of another organization, or `nobody`."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who in self.keys else {}
        transport = httpx.ASGITransport(app=create_app(self.services))
        return httpx.AsyncClient(transport=transport, base_url="http://antiphon.test", headers=headers)


async def add_key(store: Store, scope: Scope, organization_id: str) -> str:
    text = new_key()
    row = KeyRow(str(uuid.uuid4()), organization_id, f"{scope} key", scope, digest(text), START)
    await store.write(lambda connection: keys.insert(connection, row))
    return text


@asynccontextmanager
async def installation(root: Path, **changes: Any) -> AsyncIterator[Installation]:
    """An installation in `root`, closed properly at the end. `changes` go into its Services."""
    folder = DataFolder(root)
    folder.prepare()
    store = await Store.open(folder.database)
    try:
        yield await _build(folder, store, changes)
    finally:
        await store.close()


async def _build(folder: DataFolder, store: Store, changes: Mapping[str, Any]) -> Installation:
    await store.write(lambda connection: organizations.ensure_default(connection, START))
    await store.write(lambda connection: organizations.insert(connection, OTHER_ORGANIZATION, "other", START))
    scopes: tuple[Scope, ...] = ("read", "calls", "admin")
    texts: dict[str, str] = {scope: await add_key(store, scope, organizations.DEFAULT_ID) for scope in scopes}
    texts["other"] = await add_key(store, "admin", OTHER_ORGANIZATION)
    box, clock, checks, phone, live = open_box(folder.master_key), Clock(), Checks(), Phone(), LiveEvents()
    log = StoredCallLog(store, live, folder.recordings, "node", clock)
    directory = Directory(store, box, checks, resolve=_nothing_resolves)
    await directory.refresh()
    parts: dict[str, Any] = {
        "store": store,
        "box": box,
        "directory": directory,
        "checks": checks,
        "dialler": phone,
        "call_log": log,
        "live": live,
        "links": LinkSigner("https://calls.example.com", box.signing_keys()),
        "encoder": Encoder(transcode),
        "now": clock,
        "version": "0",
        "catalogue": Catalogue(
            voices=(VOICE,),
            aliases={"00000000-0000-4000-8000-0000000000aa": VOICE.id},
            background_sounds=(RAIN, FOUNTAIN),
        ),
        "dialling": DiallingPolicy(),
        "check_url": EgressPolicy(()).check_url,
    }
    services = Services(**{**parts, **changes})
    return Installation(services, store, checks, phone, log, directory, clock, folder, texts)


async def _nothing_resolves(host: str) -> Sequence[str]:
    raise OSError(f"{host}: no such host")


def run(root: Path, test: Callable[[Installation], Awaitable[None]], **changes: Any) -> None:
    """Run a test in an installation of its own."""

    async def body() -> None:
        async with installation(root, **changes) as made:
            await test(made)

    asyncio.run(body())


async def add_agent(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/agents", json={"name": "Reception", **fields})
    assert answer.status_code == 201, answer.text
    agent: dict[str, Any] = answer.json()["data"]
    return agent


async def add_number(client: httpx.AsyncClient, number: str = "+12025550100", **fields: Any) -> dict[str, Any]:
    sip = {"sipMode": "ip_allowlist", "sipIp": "192.0.2.10, 198.51.100.0/24"}
    answer = await client.post("/v1/phone-numbers", json={"number": number, **sip, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


async def add_call(client: httpx.AsyncClient, to: str = "+12025550123", **fields: Any) -> dict[str, Any]:
    """A queued call, with an agent and a number of its own where none is given."""
    agent = fields.pop("agentId", None) or (await add_agent(client))["id"]
    number = fields.pop("phoneNumberId", None) or (await add_number(client))["id"]
    answer = await client.post("/v1/calls", json={"agentId": agent, "phoneNumberId": number, "to": to, **fields})
    assert answer.status_code == 201, answer.text
    call: dict[str, Any] = answer.json()["data"]
    return call
