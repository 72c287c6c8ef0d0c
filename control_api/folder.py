"""The data folder: where an installation keeps its database, its recordings and its secrets."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path


class FolderInUse(Exception):
    """Another server runs on this data folder."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below one folder. Nothing is touched before `prepare`."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "antiphon.db"

    @property
    def recordings(self) -> Path:
        return self.root / "recordings"

    @property
    def hold_music(self) -> Path:
        return self.root / "hold-music"

    @property
    def background_sounds(self) -> Path:
        return self.root / "background-sounds"

    @property
    def traces(self) -> Path:
        return self.root / "traces"

    @property
    def master_key(self) -> Path:
        return self.root / "secrets" / "master.key"

    @property
    def recordings_proof(self) -> Path:
        return self.recordings / "keys.proof"

    def prepare(self) -> None:
        """Make the folders that are missing, readable by their owner alone. Raises OSError."""
        folders = (self.recordings, self.hold_music, self.background_sounds, self.traces, self.master_key.parent)
        for folder in (self.root, *folders):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def lock(self) -> FolderLock:
        """Hold the folder for one server. Raises FolderInUse, OSError.

        Two servers on one folder would end each other's calls as lost. The kernel frees the lock when the process dies, so a
        killed server leaves nothing behind. Commands beside a running server do not take it.
        """
        descriptor = os.open(self.root / "antiphon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise FolderInUse(f"Another server runs on the data folder {self.root}.") from None
        return FolderLock(descriptor)


@dataclass(frozen=True, slots=True)
class FolderLock:
    """A data folder that is held; `release` gives it back."""

    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)
