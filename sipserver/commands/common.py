"""Options that several commands share, the settings they make, and errors as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sipserver.settings import Settings

ConfigFile = Annotated[
    Path | None, typer.Option("-c", "--config", envvar="ANTIPHON_CONFIG", help="A TOML file; see config/example.toml.")
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="The folder of database, recordings and secrets; made where missing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def fail(sentence: str) -> typer.Exit:
    """Say what is wrong, on stderr; raise what is returned."""
    typer.secho(f"antiphon: {sentence}", fg="red", err=True)
    return typer.Exit(1)


def settings_of(config: Path | None, **flags: Mapping[str, Any]) -> Settings:
    """The settings in force; flags that were not given (None) change nothing. Exits with a sentence when they cannot be used."""
    from sipserver.settings import ConfigError, load

    given = {
        section: {key: value for key, value in values.items() if value is not None} for section, values in flags.items()
    }
    try:
        return load(config, {section: values for section, values in given.items() if values})
    except ConfigError as error:
        raise fail(str(error)) from None


@contextmanager
def data_folder(config: Path | None, data_dir: Path | None) -> Iterator[Path]:
    """The data folder for a command that works on it. What goes wrong with it inside becomes a sentence and exit status 1."""
    folder = settings_of(config, server={"data_dir": data_dir}).server.data_dir

    from sqlalchemy.exc import SQLAlchemyError

    from control_api.secrets import SecretsUnreadable

    try:
        yield folder
    except (OSError, SecretsUnreadable) as error:
        raise fail(f"the data folder {folder} cannot be used: {reason_of(error)}") from None
    except SQLAlchemyError as error:
        raise fail(f"the database in {folder} cannot be used: {reason_of(error)}") from None


def reason_of(error: Exception) -> str:
    """What an exception says to an operator: the system's words and the path, the driver's words without the statement."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(getattr(error, "orig", None) or error)
