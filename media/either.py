"""Files of which some are sealed: each says in its beginning which it is, and new ones are as it is wanted now."""

from __future__ import annotations

from pathlib import Path

from media.files import PLAIN, ByteFile, Files
from media.sealed import KeyKeeper, SealedFiles, is_sealed


class EitherFiles:
    """Makes files of one kind, and opens those of both (`media.files.Files`)."""

    def __init__(self, keeper: KeyKeeper, *, sealing: bool) -> None:
        self._sealed = SealedFiles(keeper)
        self._new: Files = self._sealed if sealing else PLAIN

    def create(self, path: Path) -> ByteFile:
        """A new, empty file of the kind that is wanted."""
        return self._new.create(path)

    def open(self, path: Path) -> ByteFile:
        """A file that is there."""
        return self._of(path).open(path)

    def reopen(self, path: Path) -> ByteFile:
        """A file that somebody has begun."""
        return self._of(path).reopen(path)

    def key_of(self, path: Path) -> bytes | None:
        """The file's own key; None where it is not sealed."""
        return self._of(path).key_of(path)

    def rewrap(self, path: Path) -> bool:
        """Have a sealed file's key wrapped as it would be now. Whether anything was done. Raises OSError, SealBroken."""
        return bool(is_sealed(path)) and self._sealed.rewrap(path)

    def _of(self, path: Path) -> Files:
        sealed = is_sealed(path)
        if sealed is None:
            return self._new
        return self._sealed if sealed else PLAIN
