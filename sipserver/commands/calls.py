"""`antiphon call` and `antiphon calls …`: place, list, show, watch, transfer, pause and end calls of a running server."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import typer

from sipserver.commands.api import DEFAULT_API, Api, Client, Key, connect
from sipserver.commands.common import AsJson, fail
from sipserver.commands.watching import outcome, server_sent, told

app = typer.Typer(help="Calls of a running server.", no_args_is_help=True)

CallId = Annotated[str, typer.Argument(metavar="ID", help="The call's id (antiphon calls list).")]


class Status(StrEnum):
    """Where a call is."""

    queued = "queued"
    ringing = "ringing"
    in_progress = "in_progress"
    completed = "completed"
    failed = "failed"
    no_answer = "no_answer"


class Mode(StrEnum):
    """How a caller is handed over to a person."""

    cold = "cold"
    warm = "warm"
    warm_briefing = "warm_briefing"


def call(
    to: Annotated[str, typer.Argument(metavar="NUMBER", help="Whom to ring, such as +12025550123.")],
    key: Key,
    agent: Annotated[str, typer.Option("--agent", metavar="ID", help="The id of the agent that speaks.")],
    number: Annotated[str, typer.Option("--number", metavar="ID", help="The id of the number to call from.")],
    api: Api = DEFAULT_API,
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A value for {{NAME}}; as often as needed.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch the call until it has ended; exit status 1 if it was not completed.")
    ] = False,
) -> None:
    """Place a call; prints its id."""
    variables = dict(_pair(text) for text in var or [])
    body = {"agentId": agent, "phoneNumberId": number, "to": to, "contextVariables": variables}
    with connect(api, key) as client:
        made = client.post("/v1/calls", body)["data"]
        typer.echo(made["id"])
        if wait:
            _tail(client, made["id"], as_json=False)
            _conclude(client.get(_path(made["id"]))["data"])


@app.command("list")
def list_calls(
    key: Key,
    api: Api = DEFAULT_API,
    status: Annotated[Status | None, typer.Option("--status", help="Only calls that are there now.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest calls: when, which way, with whom, how it went; and the id, on a line of its own."""
    with connect(api, key) as client:
        answer = client.get("/v1/calls", status=status and status.value, limit=limit)
    if as_json:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for item in answer["data"]:
        way = "from" if item["direction"] == "inbound" else "to  "
        typer.echo(f"{item['createdAt']}  {way} {item['customerNumber'] or '?':<15} {outcome(item)}\n  {item['id']}")


@app.command()
def show(call_id: CallId, key: Key, api: Api = DEFAULT_API, as_json: AsJson = False) -> None:
    """One call, with its transcript."""
    with connect(api, key) as client:
        data = client.get(_path(call_id))["data"]
    if as_json:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    for name, value in data.items():
        if name != "transcript" and value not in (None, [], {}):
            typer.echo(f"{name:<17} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    for item in data["transcript"]:
        typer.echo(told("utterance", {**item, "text": item["content"]}))


@app.command()
def tail(call_id: CallId, key: Key, api: Api = DEFAULT_API, as_json: AsJson = False) -> None:
    """Watch a call live, until it has ended."""
    with connect(api, key) as client:
        _tail(client, call_id, as_json)


@app.command()
def hangup(call_id: CallId, key: Key, api: Api = DEFAULT_API) -> None:
    """End a call."""
    with connect(api, key) as client:
        client.post(_path(call_id, "/end"))


@app.command()
def transfer(
    call_id: CallId,
    key: Key,
    api: Api = DEFAULT_API,
    to: Annotated[str | None, typer.Option("--to", metavar="NUMBER", help="A number, such as +12025550123.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="One of the agent's transfer targets.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", metavar="ID", help="Another agent.")] = None,
    mode: Annotated[
        Mode | None, typer.Option("--mode", help="How; a label has its own, a number is rung cold.")
    ] = None,
    briefing: Annotated[str | None, typer.Option("--briefing", metavar="TEXT", help="Said to whoever answers.")] = None,
) -> None:
    """Hand a call over: to a number, to one of its agent's targets, or to another agent."""
    if to is not None and mode is None:
        mode = Mode.cold
    fields = {"number": to, "label": label, "targetAgentId": agent, "mode": mode, "briefing": briefing}
    with connect(api, key) as client:
        client.post(_path(call_id, "/transfer"), {name: value for name, value in fields.items() if value is not None})


@app.command()
def press(
    call_id: CallId,
    digits: Annotated[str, typer.Argument(help="Such as 1ww204#; w is a pause of half a second.")],
    key: Key,
    api: Api = DEFAULT_API,
) -> None:
    """Press keys on a call."""
    with connect(api, key) as client:
        client.post(_path(call_id, "/dtmf"), {"digits": digits}, seconds=60)


@app.command()
def say(
    call_id: CallId,
    text: Annotated[str, typer.Argument(help="What the agent is to say.")],
    key: Key,
    api: Api = DEFAULT_API,
    interrupt: Annotated[bool, typer.Option("--interrupt", help="In place of what the agent says now.")] = False,
    end_call: Annotated[bool, typer.Option("--end-call", help="Hang up afterwards.")] = False,
) -> None:
    """Have the agent of a call say something."""
    with connect(api, key) as client:
        client.post(_path(call_id, "/say"), {"text": text, "interrupt": interrupt, "endCall": end_call})


@app.command()
def pause(call_id: CallId, key: Key, api: Api = DEFAULT_API) -> None:
    """Put a call off the record: silence in the recording, nothing written down of what is said or pressed."""
    with connect(api, key) as client:
        client.post(_path(call_id, "/recording/pause"))


@app.command()
def resume(call_id: CallId, key: Key, api: Api = DEFAULT_API) -> None:
    """Put a call on the record again."""
    with connect(api, key) as client:
        client.post(_path(call_id, "/recording/resume"))


def _path(call_id: str, below: str = "") -> str:
    return f"/v1/calls/{quote(call_id, safe='')}{below}"


def _tail(client: Client, call_id: str, as_json: bool) -> None:
    with client.stream(_path(call_id, "/events")) as response:
        for kind, data in server_sent(response.iter_lines()):
            line = json.dumps({"event": kind, "data": data}, ensure_ascii=False) if as_json else told(kind, data)
            typer.echo(line)


def _conclude(data: dict[str, Any]) -> None:
    """The last line of `--wait`."""
    if data["status"] != "completed":
        raise fail(f"the call came to nothing: {outcome(data)}")
    typer.echo(outcome(data))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise fail(f"--var {text}: must be NAME=VALUE")
    return name, value
