"""The demo's folder: one demo at a time, and nothing removed that a demo did not make."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FolderBusy(Exception):
    """Another demo runs in the folder."""


DATA = "data"
SERVER_LOG = "server.log"
RECORDING = "recording.wav"
PICTURE = "call.png"
WEBHOOK = "webhook.json"
LOCK = "demo.lock"


@contextmanager
def demo_folder(folder: Path) -> Iterator[Path]:
    """Make the folder, hold it for one demo, and remove what an earlier one left. Raises FolderBusy, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderBusy(f"another demo runs in {folder}; --folder names another place") from None
        _clear(folder)
        yield folder
    finally:
        os.close(descriptor)


def _clear(folder: Path) -> None:
    shutil.rmtree(folder / DATA, ignore_errors=True)
    for name in (SERVER_LOG, RECORDING, PICTURE, WEBHOOK):
        (folder / name).unlink(missing_ok=True)
