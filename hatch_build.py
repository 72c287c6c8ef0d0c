"""Puts the socket backend in C into the wheel, where there is a compiler. `ANTIPHON_NATIVE=0` leaves it out.

A wheel with it is for this kind of machine only; it serves every version of Python 3, because it knows nothing of Python's.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before each build of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name what came of it among the files; without a compiler the wheel is one of pure Python."""
        if os.environ.get("ANTIPHON_NATIVE") == "0":
            return
        build = _load(Path(self.root, "media", "sockets", "build.py"))
        try:
            build.build()
        except (build.BuildFailed, OSError) as error:
            self.app.display_warning(f"The socket backend in C is left out: {error}")
            return
        build_data["artifacts"].append("media/sockets/_native.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _load(path: Path) -> Any:
    """The module at `path`, without its package, which would want numpy where only hatchling is installed."""
    spec = importlib.util.spec_from_file_location("antiphon_native_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
