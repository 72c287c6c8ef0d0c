"""Every backend of sockets for tests: the one in C is built for them where there is a compiler, whatever is installed."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from media.sockets.bound import BoundSockets
from media.sockets.build import build
from media.sockets.native import NativeSockets
from media.sockets.plain import PlainSockets
from media.sockets.ports import PortPairs


def backend(name: str, host: str, ports: tuple[int, int]) -> BoundSockets:
    """The backend of this name; the test is skipped where it cannot be had."""
    if name == "plain":
        return PlainSockets(host, PortPairs(*ports))
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    return NativeSockets(host, PortPairs(*ports), _library())


@cache
def _library() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="antiphon-native-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    build(folder / "native.so")
    return folder / "native.so"
