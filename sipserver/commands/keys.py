"""`antiphon keys …`: API keys, made on the data folder itself, also beside a running server."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from sipserver.commands.common import ConfigFile, DataDir, data_folder, fail

app = typer.Typer(help="API keys of the data folder.", no_args_is_help=True)


MAX_NAME = 255


class Scope(StrEnum):
    """What a key opens; each holds the ones before it."""

    read = "read"
    calls = "calls"
    admin = "admin"


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    scope: Annotated[
        Scope, typer.Option("--scope", help="What it opens; each scope holds the ones before it.")
    ] = Scope.calls,
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """Make a key and print it, alone, on stdout. It is kept nowhere: this is the only time it is shown."""
    if not 1 <= len(name.strip()) <= MAX_NAME:
        raise fail(f"--name: must be 1 to {MAX_NAME} characters")
    with data_folder(config, data_dir) as folder:
        from control_api.admin import create_key

        typer.echo(create_key(folder, name, scope.value))


@app.command("list")
def list_all(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Every key: id, scope, when it was made, whether it is revoked, and its name."""
    with data_folder(config, data_dir) as folder:
        from control_api.admin import list_keys

        rows = list_keys(folder)
    for key in rows:
        state = f"revoked {_date(key.revoked_at)}" if key.revoked_at is not None else f"created {_date(key.created_at)}"
        typer.echo(f"{key.id}  {key.scope:<5}  {state}  {key.name}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id (antiphon keys list).")],
    data_dir: DataDir = None,
    config: ConfigFile = None,
) -> None:
    """End a key; from now on it opens nothing."""
    with data_folder(config, data_dir) as folder:
        from control_api.admin import NoSuchKey, revoke_key

        try:
            revoke_key(folder, key_id)
        except NoSuchKey as error:
            raise fail(str(error)) from None


def _date(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%MZ")
