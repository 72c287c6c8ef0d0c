"""`antiphon bans …`: the sources that a running server does not listen to for a while."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import quote

import typer

from sipserver.commands.api import DEFAULT_API, Api, Key, connect
from sipserver.commands.common import AsJson

app = typer.Typer(help="Banned sources of a running server.", no_args_is_help=True)

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="The address (antiphon bans list); of an IPv6 /64, any of it.")
]


@app.command("list")
def list_(key: Key, api: Api = DEFAULT_API, as_json: AsJson = False) -> None:
    """Show who is banned, why and until when, the latest first."""
    with connect(api, key) as client:
        found = client.get("/v1/bans", limit=100)
    if as_json:
        typer.echo(json.dumps(found["data"], indent=2))
        return
    for ban in found["data"]:
        typer.echo(f"{ban['address']:<24}  {ban['why']:<9}  until {ban['until']}")
    if (more := found["pagination"]["total"] - len(found["data"])) > 0:
        typer.echo(f"and {more} more")


@app.command()
def lift(address: Address, key: Key, api: Api = DEFAULT_API) -> None:
    """Listen to a banned address again."""
    with connect(api, key) as client:
        client.delete(f"/v1/bans/{quote(address.removesuffix('/64'), safe='')}")
