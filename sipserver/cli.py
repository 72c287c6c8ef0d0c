"""`antiphon`: the command line. Each command is a few lines here; what it does lives in the module that it calls."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sipserver import __version__
from sipserver.commands import bench, calls, keys
from sipserver.commands.api import fail
from sipserver.commands.common import ConfigFile, DataDir, settings_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A telephone server whose calls are answered, and placed, by AI agents.",
)
config_app = typer.Typer(help="The settings in force.", no_args_is_help=True)
app.command()(calls.call)
app.add_typer(calls.app, name="calls")
app.add_typer(keys.app, name="keys")
app.add_typer(bench.app, name="bench")
app.add_typer(config_app, name="config")


def main() -> None:
    """The entry point of the package."""
    app()


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def init(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Make the data folder: database, master key, recordings. Does nothing to what is there."""
    from control_api.admin import initialise

    settings = settings_of(config, server={"data_dir": data_dir})
    try:
        initialise(settings.server.data_dir)
    except OSError as error:
        raise fail(f"{settings.server.data_dir}: {error.strerror}") from None
    typer.echo(
        f"The data folder is {settings.server.data_dir}. Next: antiphon keys create --name … --scope admin, antiphon serve."
    )


@app.command()
def serve(
    data_dir: DataDir = None,
    sip: Annotated[str | None, typer.Option("--sip", help="Address and port of SIP, such as 127.0.0.1:5060.")] = None,
    api: Annotated[str | None, typer.Option("--api", help="Address and port of the HTTP API.")] = None,
    rtp_ports: Annotated[
        str | None, typer.Option("--rtp-ports", help="First and last RTP port, such as 20000-29999.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Run the server until SIGTERM or SIGINT; running calls are then seen through. A second signal ends them."""
    from sipserver.commands.serve import run_server

    settings = settings_of(
        config, server={"data_dir": data_dir}, sip={"bind": sip}, api={"bind": api}, media={"rtp_ports": rtp_ports}
    )
    run_server(settings)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server running, and say how to ring it.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where recording and picture go; default var/demo.")
    ] = None,
) -> None:
    """Ring a server on this machine with a synthetic caller, and check everything it promises."""
    from sipserver.demo.run import run_demo

    if not asyncio.run(run_demo(Console(highlight=False), folder or Path("var/demo"), keep)):
        raise typer.Exit(1)


@app.command()
def doctor(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Examine this machine and the configuration. Exit status 1 when something keeps the server from taking calls."""
    from sipserver.commands.doctor import report

    if not report(settings_of(config, server={"data_dir": data_dir}), Console(soft_wrap=True)):
        raise typer.Exit(1)


@app.command()
def openapi() -> None:
    """Print the API's OpenAPI 3.1 document."""
    from control_api.openapi import document
    from control_api.operations import OPERATIONS

    typer.echo(json.dumps(document(OPERATIONS, __version__), indent=2, ensure_ascii=False))


@config_app.command("show")
def show(config: ConfigFile = None) -> None:
    """Every setting with its value; secrets are masked."""
    from sipserver.settings import masked

    typer.echo(json.dumps(masked(settings_of(config)), indent=2))
