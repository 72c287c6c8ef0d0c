"""Files that come with the package: `config/` of the source tree, `sipserver/data/` of an installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def data_path(name: str) -> Path:
    """The path of `name`, such as `agents/front_desk.json`."""
    installed = _HERE / "data" / name
    return installed if installed.exists() else _HERE.parent / "config" / name


def agent(name: str) -> dict[str, Any]:
    """An example agent as the API takes it."""
    body: dict[str, Any] = json.loads(data_path(f"agents/{name}.json").read_text("utf-8"))
    return body
