"""Files that are written and read at any place, and those who make them: plain ones here, sealed ones in `media.sealed`."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class SealBroken(ValueError):
    """A sealed file is none of ours, was sealed with another key, or was changed since."""


class ByteFile(Protocol):
    """One open file. What is written is there for another process at once. Everything raises OSError, of a sealed file SealBroken too."""

    def size(self) -> int:
        """Bytes."""

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there on, fewer at the end."""

    def write(self, data: bytes, offset: int) -> None:
        """Write all of it; what lies between the end and `offset` becomes zeros."""

    def truncate(self, size: int) -> None:
        """Cut off what is behind; it is never longer afterwards."""

    def mend(self) -> None:
        """After its writer was killed: make what is there readable."""

    def close(self) -> None:
        """Close it."""


class Files(Protocol):
    """Makes and opens files. Raises OSError, and SealBroken where a sealed one cannot be opened."""

    def create(self, path: Path) -> ByteFile:
        """A new, empty file, readable by its owner alone; one that is there is emptied."""

    def open(self, path: Path) -> ByteFile:
        """A file that is there, for reading."""

    def reopen(self, path: Path) -> ByteFile:
        """A file that somebody has begun, for reading and writing."""

    def key_of(self, path: Path) -> bytes | None:
        """The file's own key, for a process that is to work on it; None where it is not sealed."""


class PlainFile:
    """A file as it is."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there on, fewer at the end."""
        return os.pread(self._fd, size, offset)

    def write(self, data: bytes, offset: int) -> None:
        """Write all of it."""
        write_all(self._fd, data, offset)

    def truncate(self, size: int) -> None:
        """Cut off what is behind."""
        os.ftruncate(self._fd, min(size, self.size()))

    def mend(self) -> None:
        """It is readable however it was left."""

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


class PlainFiles:
    """Files as they are."""

    def create(self, path: Path) -> PlainFile:
        """A new, empty file."""
        return PlainFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))

    def open(self, path: Path) -> PlainFile:
        """A file that is there."""
        return PlainFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def reopen(self, path: Path) -> PlainFile:
        """A file that somebody has begun."""
        return PlainFile(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def key_of(self, path: Path) -> None:
        """It has none."""


PLAIN = PlainFiles()


class Stream(io.RawIOBase):
    """A file with a place in it, for libraries that read and write one after the other. Closes what it was given."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """As far as the file is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer as far as the file goes."""
        view = memoryview(buffer)
        found = self._file.read(self._at, len(view))
        view[: len(found)] = found
        self._at += len(found)
        return len(found)

    def write(self, data: ReadableBuffer) -> int:
        """Write all of it."""
        octets = bytes(data)
        self._file.write(octets, self._at)
        self._at += len(octets)
        return len(octets)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and say which it is."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size()}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            super().close()
            self._file.close()


def write_all(fd: int, data: bytes, offset: int) -> None:
    """`pwrite` until everything is written."""
    rest = memoryview(data)
    while rest:
        done = os.pwrite(fd, rest, offset)
        rest, offset = rest[done:], offset + done
