"""`antiphon keys …`: API keys, made on the data folder itself, also beside a running server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

import typer
from rich.console import Console
from rich.table import Table

from control_api.admin import NoSuchKey, create_key, list_keys, revoke_key
from sipserver.commands.api import fail
from sipserver.commands.common import ConfigFile, DataDir, settings_of

app = typer.Typer(help="API keys of the data folder.", no_args_is_help=True)

Scope = Literal["read", "calls", "admin"]


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    scope: Annotated[
        str, typer.Option("--scope", help="read, calls or admin; each holds the ones before it.")
    ] = "calls",
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """Make a key and print it, alone, on stdout. It is kept nowhere: this is the only time it is shown."""
    wanted: Scope | None = next((known for known in get_args(Scope) if known == scope), None)
    if wanted is None:
        raise fail(f"--scope {scope}: must be read, calls or admin")
    typer.echo(create_key(settings_of(config, server={"data_dir": data_dir}).server.data_dir, name, wanted))


@app.command("list")
def list_all(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Every key: id, name, scope, when it was made, whether it is revoked."""
    table = Table("id", "name", "scope", "created", "revoked")
    for key in list_keys(settings_of(config, server={"data_dir": data_dir}).server.data_dir):
        table.add_row(key.id, key.name, key.scope, _date(key.created_at), _date(key.revoked_at))
    Console(soft_wrap=True).print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id (antiphon keys list).")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """End a key; from now on it opens nothing."""
    try:
        revoke_key(settings_of(config, server={"data_dir": data_dir}).server.data_dir, key_id)
    except NoSuchKey as error:
        raise fail(str(error)) from None


def _date(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
