"""`antiphon demo`: the demo on this terminal, with what it needs looked at first."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

from rich.console import Console

from sipserver.commands.common import fail, reason_of
from sipserver.demo.run import run_demo


def perform(folder: Path, keep: bool) -> bool:
    """True when every promise was kept. Ctrl-C ends everything; while the server is kept, that is its proper end."""
    if importlib.util.find_spec("matplotlib") is None:
        raise fail("the demo draws a picture with matplotlib: pip install 'antiphon[demo]'")
    try:
        return asyncio.run(run_demo(Console(highlight=False), folder, keep))
    except OSError as error:
        raise fail(f"the demo cannot use {folder}: {reason_of(error)}") from None
