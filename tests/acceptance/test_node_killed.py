"""`kill -9` of the server at every moment of a call: nothing that was kept is lost, and nobody is rung twice."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from starlette.responses import Response

from media.sealed import is_sealed
from sipserver.demo.phone import PhoneCall
from sipserver.demo.receiver import Received, Receiver
from sipserver.legs import Leg
from tests.acceptance.house import HELLO, SECRET, House, house, query, recording, said, sent, until

ANSWERED, REFUSED, HELD, CAMPAIGN = "+12025550111", "+12025550112", "+12025550113", "+12025550114"
SETTINGS = {"ANTIPHON__SERVER__MAX_CALLS": "3", "ANTIPHON__RECORDING__ENCRYPT": "true"}
RINGING, TALKING, FIRST_QUEUED, SECOND_QUEUED = "+12025550151", "+12025550152", "+12025550153", "+12025550154"


def test_a_killed_server_loses_nothing(runner: asyncio.Runner, tmp_path: Path) -> None:
    """Killed with one call answered and spoken on, one ringing, one answered outbound, two queued, and two webhooks under way.

    Its recordings are sealed.
    """
    runner.run(_test(tmp_path))


async def _test(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        silent = await stack.enter_async_context(Receiver(SECRET))
        home = await stack.enter_async_context(house(folder, SETTINGS))
        await _Night(home, silent).run()


class _Night:
    """The calls of one server that is killed twice. `silent` receives the webhook of a call to HELD, and does not answer at first."""

    def __init__(self, home: House, silent: Receiver) -> None:
        self.home = home
        self.silent = silent

    async def run(self) -> None:
        home = self.home
        home.hooks.answers.append(Response(status_code=500))
        self.silent.answers.extend((None, None))
        for number in (ANSWERED, REFUSED):
            await home.agent(number)
        await home.agent(HELD, self.silent.url)
        campaign = await home.agent(CAMPAIGN)

        call, refused, held = await asyncio.gather(
            self._answered(), home.good_call(REFUSED, "+12025550102"), home.good_call(HELD, "+12025550103")
        )
        first = {"refused": await home.hooks.next(10), "held": await self.silent.next(10)}
        ringing = await home.place(campaign, RINGING)
        (await home.phone.incoming(10)).ring()
        talking = await home.place(campaign, TALKING)
        other = await home.phone.take(10)
        await other.line.agent_begins(20)
        queued = [await home.place(campaign, to) for to in (FIRST_QUEUED, SECOND_QUEUED)]
        await until(lambda: self._status(ringing) == "ringing", "the call rings")
        lost_id = await home.newest("+12025550101")
        assert [self._status(one) for one in (lost_id, ringing, talking, *queued)] == [
            "in_progress", "ringing", "in_progress", "queued", "queued",
        ]  # fmt: skip

        spoken = await self._kill(call)
        await other.close()
        await home.node.start()
        await self._queued_are_dialled(queued)
        lost, never, cut = [await home.over(one) for one in (lost_id, ringing, talking)]
        await self._was_answered(lost, spoken)
        assert (never["status"], never["endedReason"], never["startedAt"]) == ("failed", "node_lost", None)
        assert (cut["status"], cut["endedReason"]) == ("completed", "node_lost")
        again = await self.silent.next(10)
        await self._kill_again()
        last = await self.silent.next(20)
        assert {first["held"].webhook_id} == {again.webhook_id, last.webhook_id}
        assert first["held"].body == again.body == last.body
        assert first["held"].payload["callId"] == held["id"]
        await self._webhooks(first["refused"], refused["id"], [lost_id, ringing, talking, *queued])
        for number in (RINGING, TALKING, FIRST_QUEUED, SECOND_QUEUED):
            assert len(home.invited[number]) == 1, f"{number} was dialled {len(home.invited[number])} times"
        for before in (lost, never, cut):
            after = await home.call(before["id"])
            assert {**after, "analysis": None, "recordingUrl": None} == {
                **before,
                "analysis": None,
                "recordingUrl": None,
            }

    async def _answered(self) -> PhoneCall:
        """A call in the middle of which the agent speaks for long."""
        call = await self.home.ring(ANSWERED, "+12025550101")
        await call.line.agent_ends(20)
        await call.line.press("1")
        await call.line.agent_begins(20)
        return call

    async def _kill(self, call: PhoneCall) -> float:
        """Kill the server while the agent speaks; everything that it held is free at once. Returns how long the call had lasted."""
        home, remote = self.home, call.line.remote
        children = home.node.children()
        assert remote is not None
        assert {"stt", "tts", "media"} == {_role(command) for command in children.values()}
        await call.line.agent_begins(5)
        await home.node.kill()
        assert await home.node.wait() == -signal.SIGKILL
        await until(lambda: not any(alive(pid) for pid in children), "the children die with the server", 5)
        for kind, address in (
            (socket.SOCK_DGRAM, home.node.sip),
            (socket.SOCK_STREAM, home.node.sip),
            (socket.SOCK_STREAM, home.node.api),
            (socket.SOCK_DGRAM, remote),
            (socket.SOCK_DGRAM, (remote[0], remote[1] + 1)),
        ):
            _bind(kind, address)
        await call.close()
        return sent(call)

    async def _queued_are_dialled(self, queued: list[str]) -> None:
        legs: dict[str, Leg] = {}
        for _ in queued:
            leg = await self.home.phone.incoming(20)
            legs[leg.invite.uri] = leg
        first, second = (next(legs[uri] for uri in legs if number in uri) for number in (FIRST_QUEUED, SECOND_QUEUED))
        second.reject(486)
        call = self.home.phone.answer(first)
        await call.line.agent_ends(20)
        await call.line.press("2")
        assert await call.until_ended(20) == "bye"
        await call.close()
        found = [await self.home.over(one) for one in queued]
        assert [(one["status"], one["endedReason"]) for one in found] == [
            ("completed", "agent_ended"),
            ("failed", "busy"),
        ]

    async def _was_answered(self, lost: Mapping[str, Any], spoken: float) -> None:
        assert (lost["status"], lost["endedReason"]) == ("completed", "node_lost")
        assert said(lost, "assistant") == [HELLO]
        assert said(lost, "user") == ["[key 1]"]
        sound = await recording(await self.home.recorded(lost["id"]))
        assert spoken - 1.6 < sound.seconds < spoken + 0.1
        assert abs(lost["durationSeconds"] - sound.seconds) <= 1
        assert all(is_sealed(path) for path in (self.home.node.folder / "recordings").glob("*.wav"))
        final = await until(lambda: self._analysed(lost["id"]), "the call is analysed")
        assert final["analysis"]["extractions"] == {"wish": "long"}

    async def _kill_again(self) -> None:
        """In the middle of a delivery."""
        await self.home.node.kill()
        await self.home.node.start()

    async def _webhooks(self, refused: Received, call_id: str, others: list[str]) -> None:
        """Each call's webhook comes under one id; the one that was refused before the kill comes again, word for word."""
        ids: dict[str, set[str]] = {}
        expected = {call_id, *others}
        while set(ids) != expected:
            hook = await self.home.hooks.next(20)
            assert hook.verified
            ids.setdefault(hook.payload["callId"], set()).add(hook.webhook_id)
            if hook.payload["callId"] == call_id:
                assert (hook.webhook_id, hook.body) == (refused.webhook_id, refused.body)
        for one, found in ids.items():
            rows = query(self.home.node.folder, "SELECT id FROM webhook_deliveries WHERE call_id = ?", one)
            assert found == {row[0] for row in rows}, one

    async def _analysed(self, call_id: str) -> dict[str, Any] | None:
        call = await self.home.call(call_id)
        return call if call["analysis"] is not None else None

    def _status(self, call_id: str) -> str:
        ((status,),) = query(self.home.node.folder, "SELECT status FROM calls WHERE id = ?", call_id)
        return str(status)


def _role(command: str) -> str:
    return "media" if "media.process" in command else command.partition("--role ")[2].partition(" ")[0]


def alive(pid: int) -> bool:
    """Whether the process runs; one that waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _bind(kind: socket.SocketKind, address: tuple[str, int]) -> None:
    """As a server binds: connections that are closing do not keep it from its port."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
