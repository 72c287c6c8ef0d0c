"""Files that only the holder of a key can read: pages of AES-256-GCM, each a page of the disk.

    page 0      MAGIC, length of the wrapped key (2 bytes), the wrapped key, zeros
    page n      nonce (12) | encrypted: length (4), 4064 bytes of the file | tag (16)

Every file has a key of its own, which stands in its first page, wrapped by whoever keeps the master key. A page is as long as one of the
kernel's and lies where one does, so a writer that is killed leaves each page old or new, never half. It is sealed anew, with a new random
nonce, whenever it is written (NIST SP 800-38D section 8.2.2: far fewer than 2**32 times for one key); its number is authenticated with
it, so pages cannot change places. All pages but the last are full. A cut at a page's end is not noticed: that a file is complete is for
its format to tell.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from media.files import SealBroken, write_all

PAGE = 4096
MAGIC = b"antiphon sealed\x01"
KEY_BYTES = 32
_NONCE, _TAG = 12, 16
_LENGTH = struct.Struct("<I")
ROOM = PAGE - _NONCE - _TAG - _LENGTH.size
"""Bytes of the file in one page."""
_ZEROS = bytes(PAGE)


class KeyKeeper(Protocol):
    """Who keeps the master key, and wraps the keys of files with it."""

    def wrap(self, key: bytes) -> bytes:
        """The key, encrypted and authenticated; at most 4000 bytes."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key that was wrapped. Raises SealBroken."""

    def is_current(self, wrapped: bytes) -> bool:
        """Whether it was wrapped as `wrap` would do it now."""


class SealedFile:
    """An open sealed file (`media.files.ByteFile`). Besides OSError, reading raises SealBroken."""

    def __init__(self, fd: int, key: bytes) -> None:
        self._fd = fd
        self._aead = AESGCM(key)
        self._size: int | None = None

    def size(self) -> int:
        """Bytes, without what the sealing adds."""
        if self._size is None:
            last = self._pages() - 1
            self._size = last * ROOM + len(self._page(last)) if last >= 0 else 0
        return self._size

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there on, fewer at the end."""
        stop = min(offset + size, self.size())
        if stop <= offset:
            return b""
        first, last = offset // ROOM, (stop - 1) // ROOM
        found = os.pread(self._fd, (last - first + 1) * PAGE, (first + 1) * PAGE)
        plain = b"".join(
            self._open(number, found[(number - first) * PAGE :][:PAGE]) for number in range(first, last + 1)
        )
        return plain[offset - first * ROOM : stop - first * ROOM]

    def write(self, data: bytes, offset: int) -> None:
        """Write all of it; what lies between the end and `offset` becomes zeros."""
        size = self.size()
        if offset > size:
            data, offset = bytes(offset - size) + data, size
        stop = offset + len(data)
        first, last = offset // ROOM, (stop - 1) // ROOM
        before = self._page(first)[: offset % ROOM] if offset % ROOM else b""
        after = self._page(last)[stop - last * ROOM :] if stop < min(size, (last + 1) * ROOM) else b""
        plain = before + data + after
        pages = [self._seal(number, plain[(number - first) * ROOM :][:ROOM]) for number in range(first, last + 1)]
        # What is on the disk after a failure is to be looked at again.
        self._size = None
        write_all(self._fd, b"".join(pages), (first + 1) * PAGE)
        self._size = max(size, stop)

    def truncate(self, size: int) -> None:
        """Cut off what is behind."""
        if size >= self.size():
            os.ftruncate(self._fd, (1 + self._pages()) * PAGE)
            return
        whole, rest = divmod(size, ROOM)
        if rest:
            write_all(self._fd, self._seal(whole, self._page(whole)[:rest]), (whole + 1) * PAGE)
        os.ftruncate(self._fd, (1 + whole + bool(rest)) * PAGE)
        self._size = size

    def mend(self) -> None:
        """Cut off what is broken at the end; pages that the disk never got, after a power cut, become zeros. Raises SealBroken."""
        self._size = None
        pages = self._pages()
        while pages and not self._is_whole(pages - 1):
            pages -= 1
        os.ftruncate(self._fd, (1 + pages) * PAGE)
        for number in range(pages):
            if os.pread(self._fd, PAGE, (number + 1) * PAGE) == _ZEROS:
                write_all(self._fd, self._seal(number, bytes(ROOM)), (number + 1) * PAGE)

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)

    def _pages(self) -> int:
        """How many whole pages there are after the first."""
        return max(0, os.fstat(self._fd).st_size // PAGE - 1)

    def _page(self, number: int) -> bytes:
        return self._open(number, os.pread(self._fd, PAGE, (number + 1) * PAGE))

    def _is_whole(self, number: int) -> bool:
        try:
            self._page(number)
        except SealBroken:
            return False
        return True

    def _open(self, number: int, page: bytes) -> bytes:
        try:
            plain = self._aead.decrypt(page[:_NONCE], page[_NONCE:], number.to_bytes(8, "little"))
        except (InvalidTag, ValueError):
            raise SealBroken(f"Page {number + 1} of the sealed file is damaged.") from None
        (length,) = _LENGTH.unpack_from(plain)
        return plain[_LENGTH.size : _LENGTH.size + length]

    def _seal(self, number: int, data: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        plain = _LENGTH.pack(len(data)) + data.ljust(ROOM, b"\0")
        return nonce + self._aead.encrypt(nonce, plain, number.to_bytes(8, "little"))


class SealedFiles:
    """Makes and opens sealed files (`media.files.Files`)."""

    def __init__(self, keeper: KeyKeeper) -> None:
        self._keeper = keeper

    def create(self, path: Path) -> SealedFile:
        """A new, empty file."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            return SealedFile(fd, self._begin(fd))
        except OSError:
            os.close(fd)
            raise

    def open(self, path: Path) -> SealedFile:
        """A file that is there."""
        return self._opened(path, os.O_RDONLY)

    def reopen(self, path: Path) -> SealedFile:
        """A file that somebody has begun; one that has no key yet gets one, and is empty."""
        if path.stat().st_size < PAGE:
            return self.create(path)
        return self._opened(path, os.O_RDWR)

    def key_of(self, path: Path) -> bytes:
        """The file's own key."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self._key(fd, path.name)
        finally:
            os.close(fd)

    def rewrap(self, path: Path) -> bool:
        """Have the file's key wrapped as it would be now; False when it was. Its content and its time stay. Raises OSError, SealBroken."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if self._keeper.is_current(_wrapped(fd, path.name)):
                return False
            times = os.fstat(fd)
            # One page, thus either the old one or the new one, whenever this is killed.
            write_all(fd, self._head(self._key(fd, path.name)), 0)
            os.utime(fd, ns=(times.st_atime_ns, times.st_mtime_ns))
            return True
        finally:
            os.close(fd)

    def _opened(self, path: Path, how: int) -> SealedFile:
        fd = os.open(path, how | os.O_CLOEXEC)
        try:
            return SealedFile(fd, self._key(fd, path.name))
        except (OSError, SealBroken):
            os.close(fd)
            raise

    def _key(self, fd: int, name: str) -> bytes:
        try:
            return self._keeper.unwrap(_wrapped(fd, name))
        except SealBroken as error:
            raise SealBroken(f"{name}: {error}") from None

    def _begin(self, fd: int) -> bytes:
        key = os.urandom(KEY_BYTES)
        write_all(fd, self._head(key), 0)
        return key

    def _head(self, key: bytes) -> bytes:
        wrapped = self._keeper.wrap(key)
        return (MAGIC + len(wrapped).to_bytes(2, "little") + wrapped).ljust(PAGE, b"\0")


def is_sealed(path: Path) -> bool | None:
    """What the file's beginning says; None where it has none yet. Raises OSError."""
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
    return begins == MAGIC if begins else None


def open_with(key: bytes, path: Path) -> SealedFile:
    """A sealed file by its own key, for reading and writing. Raises OSError."""
    return SealedFile(os.open(path, os.O_RDWR | os.O_CLOEXEC), key)


def _wrapped(fd: int, name: str) -> bytes:
    head = os.pread(fd, PAGE, 0)
    if len(head) < PAGE or not head.startswith(MAGIC):
        raise SealBroken(f"{name}: This is no sealed file of ours.")
    start = len(MAGIC) + 2
    return head[start : start + int.from_bytes(head[len(MAGIC) : start], "little")]
