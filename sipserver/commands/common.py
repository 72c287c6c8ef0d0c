"""Options that several commands share, and the settings they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sipserver.commands.api import fail
from sipserver.settings import ConfigError, Settings, load

ConfigFile = Annotated[
    Path | None, typer.Option("-c", "--config", envvar="ANTIPHON_CONFIG", help="A TOML file; see config/example.toml.")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Database, recordings and secrets.")]


def settings_of(config: Path | None, **flags: Mapping[str, Any]) -> Settings:
    """The settings in force; flags that were not given (None) change nothing. Exits with a sentence when they cannot be used."""
    given = {
        section: {key: value for key, value in values.items() if value is not None} for section, values in flags.items()
    }
    try:
        return load(config, {section: values for section, values in given.items() if values})
    except ConfigError as error:
        raise fail(str(error)) from None
