"""`antiphon call` and `antiphon calls …` against a server that runs, and against what is none."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from control_api.http import HttpServer, listen
from sipserver.cli import app
from sipserver.demo.node import DemoNode
from sipserver.demo.phone import Phone
from sipserver.demo.receiver import Receiver
from sipserver.packaged import agent

T = TypeVar("T")
DESK, CALLER = "+12025550100", "+12025550123"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command in a process of its own came to."""

    exit_code: int
    stdout: str
    stderr: str


class Office:
    """A server with an agent and two numbers: one whose trunk is a telephone, one whose trunk is not there."""

    def __init__(self, runner: asyncio.Runner, node: DemoNode, phone: Phone) -> None:
        self.runner = runner
        self.node = node
        self.phone = phone

    async def furnish(self) -> None:
        self.agent = (await self.node.post("/v1/agents", agent("front_desk")))["id"]
        trunk = {"sipMode": "ip_allowlist", "sipIp": "127.0.0.1", "agentId": self.agent}
        number = {"number": DESK, "name": "Desk", **trunk, "sipPort": self.phone.port}
        self.number = (await self.node.post("/v1/phone-numbers", number))["id"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
            nobody.bind(("127.0.0.1", 0))
            lost = {"number": "+12025550199", "name": "Lost", **trunk, "sipPort": nobody.getsockname()[1]}
        self.lost = (await self.node.post("/v1/phone-numbers", lost))["id"]

    def do(self, what: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await what

        return self.runner.run(awaited())

    @property
    def environment(self) -> dict[str, str]:
        """The server's address and a key."""
        return {"ANTIPHON_API": self.node.url, "ANTIPHON_KEY": self.node.key}

    def command(self, *arguments: str) -> Result:
        """The command in this process."""
        return run(*arguments, env=self.environment)

    async def beside(self, *arguments: str) -> Done:
        """The command in a process of its own, while the telephone goes on."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sipserver", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **self.environment},
        )  # fmt: skip
        out, error = await process.communicate()
        return Done(process.returncode or 0, out.decode(), error.decode())


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office") / "data"
    with asyncio.Runner() as runner:
        node, phone = DemoNode(folder), Phone()
        runner.run(node.__aenter__())
        try:
            runner.run(phone.__aenter__())
            made = Office(runner, node, phone)
            made.do(made.furnish())
            yield made
        finally:
            runner.run(phone.__aexit__())
            runner.run(node.__aexit__(None, None, None))


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), env=env)


def sentence(result: Result) -> str:
    """The one line on stderr of a refused command."""
    assert result.exit_code == 1, result.output
    [line] = result.stderr.splitlines()
    assert line.startswith("antiphon: ")
    return line.removeprefix("antiphon: ")


def test_a_call_is_watched_listed_shown_and_ended(office: Office) -> None:
    async def played() -> tuple[str, Done]:
        call = await office.phone.ring(office.node.sip, DESK, CALLER)
        try:
            listed = json.loads((await office.beside("calls", "list", "--json", "--limit", "1")).stdout)
            call_id = listed["data"][0]["id"]
            watching = asyncio.create_task(office.beside("calls", "tail", call_id))
            await call.line.agent_ends(20)
            ended = await office.beside("calls", "hangup", call_id)
            assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "")
            assert await call.until_ended(10) == "bye"
            return call_id, await watching
        finally:
            await call.close()

    call_id, watched = office.do(played())
    assert watched.exit_code == 0, watched.stderr
    lines = watched.stdout.splitlines()
    assert "sip      > BYE sip:+12*******23@127.0.0.1" in watched.stdout
    assert any(line.startswith("agent    “Hello, this is the front desk") for line in lines)
    assert lines[-1].startswith("status   completed, ")
    listed = office.command("calls", "list")
    assert f"from {CALLER}" in listed.stdout
    assert f"  {call_id}" in listed.stdout.splitlines()
    assert max(len(line) for line in listed.stdout.splitlines()) <= 80
    shown = office.command("calls", "show", call_id).stdout
    assert f"id                {call_id}" in shown
    assert "agent    “Hello, this is the front desk" in shown
    assert json.loads(office.command("calls", "show", call_id, "--json").stdout)["id"] == call_id
    assert call_id in office.command("calls", "list", "--status", "completed").stdout
    assert office.command("calls", "list", "--status", "queued").stdout == ""


def test_a_trunk_is_made_tried_listed_and_deleted(office: Office) -> None:
    """The telephone answers OPTIONS; at this address nobody does: the step that failed is told."""
    made = office.command("trunk", "create", "sipMode=ip_allowlist", "sipIp=127.0.0.7", f"sipPort={office.phone.port}")
    trunk = made.stdout.strip()
    assert json.loads(office.command("trunk", "show", trunk).stdout)["sipPort"] == office.phone.port
    assert trunk in office.command("trunk", "list").stdout
    tried = office.command("trunk", "test", trunk)
    assert (tried.exit_code, tried.stdout.splitlines()[0].split()[:2]) == (1, ["dns", "ok"])
    assert "options      FAILED" in tried.stdout
    assert office.command("trunk", "delete", trunk).exit_code == 0
    refused = office.command("trunk", "show", trunk)
    assert (refused.exit_code, refused.stderr) == (1, "antiphon: 404: There is no trunk with this id.\n")


def test_all_messages_are_followed_and_a_call_s_are_read_after_it(office: Office, tmp_path: Path) -> None:
    live, later = tmp_path / "live.pcap", tmp_path / "later.pcap"

    async def played() -> tuple[str, str]:
        following = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sipserver", "trace", "--follow", "--pcap", str(live),
            stdout=asyncio.subprocess.PIPE, env={**os.environ, **office.environment}, preexec_fn=_heeds_interrupts,
        )  # fmt: skip
        await _until(lambda: live.exists())
        call = await office.phone.ring(office.node.sip, DESK, CALLER)
        try:
            await call.line.agent_ends(20)
            listed = json.loads((await office.beside("calls", "list", "--json", "--limit", "1")).stdout)
            call_id = listed["data"][0]["id"]
            await office.beside("calls", "hangup", call_id)
            await call.until_ended(10)
            await _until(lambda: b"SIP/2.0 200 OK" in live.read_bytes().rpartition(b"BYE sip:")[2])
        finally:
            await call.close()
        following.send_signal(signal.SIGINT)
        out, _ = await following.communicate()
        assert following.returncode == 0
        return call_id, out.decode()

    call_id, followed = office.do(played())
    assert "──▶" in followed
    assert "INVITE sip:" in followed
    ladder = office.command("trace", call_id).stdout.splitlines()
    assert [" INVITE sip:" in ladder[0], " BYE sip:" in ladder[-2], " 200 OK " in ladder[-1]] == [True, True, True]
    assert office.command("trace", call_id, "--pcap", str(later)).exit_code == 0
    assert later.read_bytes().count(b"BYE sip:") == 1
    assert sentence(office.command("trace")) == "give either the id of a call, or --follow, or --refused"


def _heeds_interrupts() -> None:
    """Whoever runs the tests in the background has it ignore them, and what it starts inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (another process sets no asyncio.Event)
            await asyncio.sleep(0.05)


def test_events_as_json_are_one_on_a_line(office: Office) -> None:
    call_id = json.loads(office.command("calls", "list", "--json").stdout)["data"][0]["id"]
    events = [json.loads(line) for line in office.command("calls", "tail", call_id, "--json").stdout.splitlines()]
    assert events[-1]["event"] == "status"
    assert {"event", "data"} == set(events[0])


def test_a_call_is_placed_with_its_variables_and_waited_for(office: Office) -> None:
    async def played() -> Done:
        order = ("call", CALLER, "--agent", office.agent, "--number", office.number, "--var", "practice=the old mill")
        placed = asyncio.create_task(office.beside(*order, "--wait"))
        call = await office.phone.take(20)
        try:
            await call.line.agent_ends(20)
        finally:
            await call.close()
        return await placed

    placed = office.do(played())
    assert placed.exit_code == 0, placed.stderr
    lines = placed.stdout.splitlines()
    assert "“Hello, this is the front desk of the old mill." in placed.stdout
    assert lines[-1].startswith("completed, customer_ended")
    shown = json.loads(office.command("calls", "show", lines[0], "--json").stdout)
    assert shown["contextVariables"] == {"practice": "the old mill"}


def test_waiting_for_a_trunk_that_is_not_there_ends_and_says_why(office: Office) -> None:
    placed = office.command("call", "+12025550124", "--agent", office.agent, "--number", office.lost, "--wait")
    assert "trunk_unavailable" in sentence(placed)
    call_id, *events = placed.stdout.splitlines()
    assert events[-1] == "status   failed, trunk_unavailable"
    assert json.loads(office.command("calls", "show", call_id, "--json").stdout)["status"] == "failed"


def test_what_cannot_be_called_is_said(office: Office) -> None:
    order = ("--agent", office.agent, "--number", office.number)
    assert "E.164" in sentence(office.command("call", "12", *order))
    assert sentence(office.command("call", CALLER, *order, "--var", "x")) == "--var x: must be NAME=VALUE"
    assert "404" in sentence(office.command("calls", "show", "nobody"))
    assert "404" in sentence(office.command("calls", "tail", "../agents"))
    nobody = "00000000-0000-4000-8000-000000000000"
    assert "404" in sentence(office.command("calls", "transfer", nobody, "--to", "+12025550123"))
    assert "exactly one of" in sentence(office.command("calls", "transfer", nobody))
    assert "404" in sentence(office.command("calls", "hangup", "00000000-0000-4000-8000-000000000000"))


def test_a_wrong_key_is_refused(office: Office) -> None:
    where = ("--api", office.node.url)
    assert sentence(run("calls", "list", *where, "--key", "ak_wrong")).startswith("401: ")
    assert sentence(run("calls", "tail", "x", *where, "--key", "ak_wrong")).startswith("401: ")
    assert "--key" in sentence(run("calls", "list", *where, "--key", "schlüssel"))


def test_the_address_is_taken_as_serve_takes_it(office: Office) -> None:
    host, port = office.node.api
    assert run("calls", "list", "--api", f"{host}:{port}", "--key", office.node.key).exit_code == 0


def test_no_server_is_said() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        api = f"127.0.0.1:{nobody.getsockname()[1]}"
        for command in (("calls", "list"), ("calls", "tail", "x"), ("call", CALLER, "--agent", "a", "--number", "n")):
            assert sentence(run(*command, "--api", api, "--key", "k")).startswith(f"cannot reach http://{api}: ")
    assert "--api http://nowhere:port: " in sentence(run("calls", "list", "--api", "http://nowhere:port", "--key", "k"))


def test_another_server_is_said() -> None:
    """The demo's receiver is a web server too, and no API."""

    async def asked() -> Result:
        async with Receiver("a secret of the tests") as other:
            api = other.url.removesuffix("/hook")
            return await asyncio.to_thread(run, "calls", "list", "--api", api, "--key", "k")

    assert sentence(asyncio.run(asked())) == "404: Not Found"


def test_a_banned_source_is_listed_and_let_in_again(office: Office) -> None:
    scan = b"OPTIONS sip:us@127.0.0.1 SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        scanner.bind(("127.0.0.2", 0))
        # The server may not have read it when the list is asked for.
        for _ in range(100):
            scanner.sendto(scan, office.node.sip)
            bans = json.loads(office.command("bans", "list", "--json").stdout)
            if bans:
                break
    assert [(ban["address"], ban["why"]) for ban in bans] == [("127.0.0.2", "scanner")]
    assert office.command("bans", "list").stdout == f"127.0.0.2                 scanner    until {bans[0]['until']}\n"
    lifted = office.command("bans", "lift", "127.0.0.2")
    assert (lifted.exit_code, lifted.output) == (0, "")
    assert office.command("bans", "list").stdout == ""
    assert sentence(office.command("bans", "lift", "127.0.0.2")).startswith("404: ")


def test_an_answer_that_is_no_json_is_said() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<h1>It works!</h1>"})

    async def asked() -> Result:
        server = HttpServer(page, listen("127.0.0.1", 0))  # type: ignore[arg-type]
        server.start()
        try:
            api = f"127.0.0.1:{server.address[1]}"
            return await asyncio.to_thread(run, "calls", "list", "--api", api, "--key", "k")
        finally:
            await server.stop()

    assert "is it another server?" in sentence(asyncio.run(asked()))


def test_the_answer_bench_counts_its_calls() -> None:
    figures = json.loads(run("bench", "answer", "--calls", "2", "--json").stdout)
    assert figures["calls"] == 2
    assert 0 < figures["answer_ms"]["p50"] <= figures["answer_ms"]["max"]


def test_the_media_bench_measures_in_both_forms() -> None:
    figures = json.loads(run("bench", "media", "--calls", "2", "--seconds", "1", "--warm-up", "1", "--json").stdout)
    assert figures["calls"] == 2
    assert figures["seconds"] == pytest.approx(1, abs=0.5)
    shown = run("bench", "media", "--calls", "1", "--seconds", "1", "--warm-up", "1")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("calls ")
