"""A file as an answer, whole or a part of it (RFC 9110 section 14), whether it is sealed on the disk or not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from control_api.errors import ApiError
from media.files import ByteFile, Files

CHUNK = 64 * 1024
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


def part_of(header: str, size: int) -> range | None:
    """The octets that a Range header asks for, of a file of so many; None for all of it.

    What is not understood, and more than one range, is passed over (RFC 9110 section 14.2). Raises ApiError 416 where none of the octets
    is there (section 15.5.17).
    """
    match = _RANGE.fullmatch(header)
    if match is None or not (match[1] or match[2]):
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is None:
        # The last so many octets (section 14.1.2).
        found = range(size - min(size, last or 0), size)
    elif last is not None and last < first:
        return None
    else:
        found = range(first, size if last is None else min(last + 1, size))
    if not found:
        raise ApiError(416, "The file does not have these octets.", headers={"Content-Range": f"bytes */{size}"})
    return found


class StoredFile(StreamingResponse):
    """Answers with an open file, which it closes; it is read a piece at a time, in threads, as fast as the other side takes it.

    A file that turns out to be damaged in the middle raises SealBroken or OSError there: the connection ends too early.
    """

    def __init__(self, file: ByteFile, octets: range, headers: Mapping[str, str], status: int) -> None:
        super().__init__(_pieces(file, octets), status, headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def stored_file(files: Files, path: Path, media_type: str, asked: Mapping[str, str]) -> StoredFile:
    """The answer with a file, to a request with these headers. Blocks. Raises OSError, SealBroken, ApiError."""
    file = files.open(path)
    try:
        size = file.size()
        headers = _headers(path, size, media_type)
        unchanged = asked.get("if-range") in (None, headers["etag"], headers["last-modified"])
        part = part_of(asked.get("range", ""), size) if unchanged else None
        octets = range(size) if part is None else part
        # Whatever is wrong with the file is better found before the answer has begun.
        file.read(octets.start, min(CHUNK, len(octets)))
    except BaseException:
        file.close()
        raise
    headers["content-length"] = str(len(octets))
    if part is not None:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return StoredFile(file, octets, headers, 200 if part is None else 206)


def _headers(path: Path, size: int, media_type: str) -> dict[str, str]:
    written = path.stat().st_mtime_ns
    return {
        "content-type": media_type,
        "content-disposition": f'inline; filename="{path.name}"',
        "accept-ranges": "bytes",
        "last-modified": formatdate(written / 1e9, usegmt=True),
        "etag": '"{}"'.format(hashlib.sha256(f"{written} {size}".encode()).hexdigest()[:32]),
    }


def _pieces(file: ByteFile, octets: range) -> Iterator[bytes]:
    for at in range(0, len(octets), CHUNK):
        piece = octets[at : at + CHUNK]
        yield file.read(piece.start, len(piece))
