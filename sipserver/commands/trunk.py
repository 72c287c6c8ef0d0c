"""`antiphon trunk …`: the trunks of a running server, and whether they work."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from sipserver.commands.api import DEFAULT_API, Api, Key, connect
from sipserver.commands.common import AsJson, fail

app = typer.Typer(help="Trunks of a running server.", no_args_is_help=True)

TrunkId = Annotated[str, typer.Argument(metavar="ID", help="The trunk's id (antiphon trunk list).")]


TEST_SECONDS = 120.0
"""Every step of a test may take all the time that it has, and a call rings for half a minute."""
_NUMBERS = {"sipPort", "ptime", "sessionTimer", "maxChannels", "maxCallsPerSecond", "ringTimeoutSeconds"}


@app.command("list")
def list_(key: Key, api: Api = DEFAULT_API, as_json: AsJson = False) -> None:
    """Show trunks, newest first."""
    with connect(api, key) as client:
        found = client.get("/v1/trunks", limit=100)["data"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for trunk in found:
        state = trunk["registration"] or trunk["health"] or {"status": "unused"}
        name, where = trunk["name"] or "-", trunk["sipProxy"] or trunk["sipIp"]
        typer.echo(f"{trunk['id']}  {state['status']:<11}  {trunk['numbers']:>3} numbers  {name}  {where}")


@app.command()
def show(trunk: TrunkId, key: Key, api: Api = DEFAULT_API) -> None:
    """Print a trunk as the API shows it, without its password."""
    with connect(api, key) as client:
        typer.echo(json.dumps(client.get(_path(trunk))["data"], indent=2))


@app.command()
def create(
    settings: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="Fields of POST /v1/trunks; lists as JSON.")
    ],
    key: Key,
    api: Api = DEFAULT_API,
) -> None:
    """Create a trunk and print its id, from fields such as sipProxy=sip.example.com sipUsername=100 sipPassword=secret."""
    body = dict(_field(text) for text in settings)
    with connect(api, key) as client:
        typer.echo(client.post("/v1/trunks", body)["data"]["id"])


@app.command("test")
def try_out(
    trunk: TrunkId,
    key: Key,
    api: Api = DEFAULT_API,
    as_json: AsJson = False,
    call: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Place a call as well, best to a number that echoes.")
    ] = None,
) -> None:
    """Try a trunk out: DNS, TLS, registration, OPTIONS, codecs, a call. Exit status 1 when a step failed."""
    with connect(api, key) as client:
        found = client.post(f"{_path(trunk)}/test", {} if call is None else {"to": call}, seconds=TEST_SECONDS)["data"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for step in found["steps"]:
            mark = "ok" if step["ok"] else "FAILED"
            typer.echo(f"{step['name']:<12} {mark:<7} {step['ms']:>7.0f} ms  {_of(step)}{step['detail']}")
    if not found["ok"]:
        raise typer.Exit(1)


@app.command()
def delete(trunk: TrunkId, key: Key, api: Api = DEFAULT_API) -> None:
    """Delete a trunk that no number comes by."""
    with connect(api, key) as client:
        client.delete(_path(trunk))


def _of(step: dict[str, Any]) -> str:
    return "" if step["host"] is None else f"{step['host']}: "


def _path(trunk: str) -> str:
    return f"/v1/trunks/{quote(trunk, safe='')}"


def _field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise fail(f"{text!r}: fields are written NAME=VALUE")
    if name not in _NUMBERS and value[:1] not in ("[", "{", '"') and value not in ("true", "false", "null"):
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        raise fail(f"{text!r}: the value is no JSON") from None
