"""`antiphon call` and `antiphon calls …`: place, list, show, watch and end calls of a running server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sipserver.commands.api import DEFAULT_API, Api, Client, Key, connect, fail

app = typer.Typer(help="Calls of a running server.", no_args_is_help=True)
out = Console(soft_wrap=True)

Id = Annotated[str, typer.Argument(help="The call's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="The API's answer as it is.")]


def call(
    to: Annotated[str, typer.Argument(help="Whom to ring, such as +12025550123.")],
    key: Key,
    agent: Annotated[str, typer.Option("--agent", help="The agent's id.")],
    number: Annotated[str, typer.Option("--number", help="The id of the number to call from.")],
    api: Api = DEFAULT_API,
    var: Annotated[list[str] | None, typer.Option("--var", help="NAME=VALUE for {{NAME}}; as often as needed.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the call until it has ended.")] = False,
) -> None:
    """Place a call; prints its id."""
    body = {
        "agentId": agent,
        "phoneNumberId": number,
        "to": to,
        "contextVariables": dict(_pair(text) for text in var or []),
    }
    with connect(api, key) as client:
        made = client.post("/v1/calls", body)["data"]
        typer.echo(made["id"])
        if wait:
            _tail(client, made["id"])


@app.command("list")
def list_calls(
    key: Key,
    api: Api = DEFAULT_API,
    status: Annotated[
        str | None, typer.Option(help="queued, ringing, in_progress, completed, failed or no_answer.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest calls."""
    with connect(api, key) as client:
        answer = client.get("/v1/calls", status=status, limit=limit)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    table = Table("id", "created", "direction", "customer", "status", "ended", "seconds")
    for item in answer["data"]:
        fields = ("id", "createdAt", "direction", "customerNumber", "status", "endedReason", "durationSeconds")
        table.add_row(*("" if item[name] is None else str(item[name]) for name in fields))
    out.print(table)


@app.command()
def show(id: Id, key: Key, api: Api = DEFAULT_API, as_json: AsJson = False) -> None:  # noqa: A002 - the argument's name on the screen
    """One call, with its transcript."""
    with connect(api, key) as client:
        data = client.get(f"/v1/calls/{id}")["data"]
    if as_json:
        typer.echo(json.dumps(data, indent=2))
        return
    for name, value in data.items():
        if name != "transcript" and value not in (None, [], {}):
            out.print(f"[bold]{name}[/] ", end="")
            out.print(value if isinstance(value, str) else json.dumps(value), markup=False)
    for item in data["transcript"]:
        out.print(f"  {item['role']}: {item['content']}{' …' if item.get('interrupted') else ''}", markup=False)


@app.command()
def tail(id: Id, key: Key, api: Api = DEFAULT_API) -> None:  # noqa: A002
    """Watch a call live, until it has ended."""
    with connect(api, key) as client:
        _tail(client, id)


@app.command()
def hangup(id: Id, key: Key, api: Api = DEFAULT_API) -> None:  # noqa: A002
    """End a call."""
    with connect(api, key) as client:
        client.post(f"/v1/calls/{id}/end")


def server_sent(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(event, data) of a stream of server-sent events (WHATWG HTML, section 9.2.6); comments are passed over."""
    kind, data = "message", ""
    for line in lines:
        if not line:
            if data:
                yield kind, json.loads(data)
            kind, data = "message", ""
        elif line.startswith("event:"):
            kind = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data += line.removeprefix("data:").strip()


def _tail(client: Client, call_id: str) -> None:
    with client.stream(f"/v1/calls/{call_id}/events") as response:
        for kind, data in server_sent(response.iter_lines()):
            out.print(f"{kind:<10} {json.dumps(data, ensure_ascii=False)}", markup=False)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise fail(f"--var {text}: must be NAME=VALUE")
    return name, value
