"""`antiphon`: the command line. Each command is a few lines here; what it does lives in the module that it calls.

What a command needs is imported inside it: `antiphon --help` and `antiphon keys create` do not wait for the media plane.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sipserver import __version__
from sipserver.commands import bans, bench, calls, keys, trace, trunk
from sipserver.commands.common import ConfigFile, DataDir, data_folder, settings_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A telephone server whose calls are answered, and placed, by AI agents.",
)
config_app = typer.Typer(help="The settings in force.", no_args_is_help=True)


def main() -> None:
    """The entry point of the package."""
    app()


@app.command()
def init(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Make the data folder.

    Database, master key and recordings live there. What is there already is kept.
    """
    with data_folder(config, data_dir) as folder:
        from control_api.admin import initialise

        initialise(folder)
    typer.echo(f"The data folder is {folder}. Next:")
    typer.echo(f"  antiphon keys create --data-dir {folder} --name NAME --scope admin")
    typer.echo(f"  antiphon serve --data-dir {folder}")


@app.command()
def serve(
    data_dir: DataDir = None,
    sip: Annotated[
        str | None, typer.Option("--sip", metavar="HOST:PORT", help="Where SIP is heard, such as 127.0.0.1:5060.")
    ] = None,
    api: Annotated[
        str | None, typer.Option("--api", metavar="HOST:PORT", help="Where the HTTP API is, such as 127.0.0.1:8080.")
    ] = None,
    rtp_ports: Annotated[
        str | None,
        typer.Option(
            "--rtp-ports", metavar="FIRST-LAST", help="The ports of RTP, such as 20000-29999; two for a call."
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Run the server.

    SIGTERM and SIGINT drain it: no new calls, running ones are seen through. A second signal ends them.
    """
    settings = settings_of(
        config, server={"data_dir": data_dir}, sip={"bind": sip}, api={"bind": api}, media={"rtp_ports": rtp_ports}
    )
    from sipserver.commands.serve import run_server

    run_server(settings)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server running, and say how to ring it.")] = False,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where recording, picture and webhook go; emptied first.")
    ] = Path("var/demo"),
) -> None:
    """Show and check two calls on this machine.

    A synthetic caller rings a server on free ports of this machine; then the server rings the caller. Exit status 1 when
    anything that was promised did not happen.
    """
    from sipserver.commands.demo import perform

    if not perform(folder, keep):
        raise typer.Exit(1)


app.command()(calls.call)
app.add_typer(calls.app, name="calls")
app.add_typer(trunk.app, name="trunk")
app.command()(trace.trace)
app.add_typer(bans.app, name="bans")
app.add_typer(keys.app, name="keys")


@app.command()
def doctor(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Examine this machine and the settings.

    Changes nothing. Exit status 1 when something keeps the server from taking calls.
    """
    settings = settings_of(config, server={"data_dir": data_dir})
    from sipserver.commands.doctor import report

    if not report(settings):
        raise typer.Exit(1)


app.add_typer(bench.app, name="bench")
app.add_typer(config_app, name="config")


@config_app.command("show")
def show(config: ConfigFile = None) -> None:
    """Every setting with its value, as JSON; secrets are masked."""
    settings = settings_of(config)
    from sipserver.settings import masked

    typer.echo(json.dumps(masked(settings), indent=2, ensure_ascii=False))


@app.command()
def openapi() -> None:
    """Print the API's OpenAPI 3.1 document."""
    from control_api.openapi import document
    from control_api.operations import OPERATIONS

    typer.echo(json.dumps(document(OPERATIONS, __version__), indent=2, ensure_ascii=False))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
