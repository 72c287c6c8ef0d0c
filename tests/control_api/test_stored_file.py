"""Files as answers: which octets a Range asks for (RFC 9110 section 14), and what a damaged file does to the answer."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.errors import ApiError
from control_api.stored_file import CHUNK, part_of, stored_file
from media.files import PLAIN, Files, PlainFile, PlainFiles, SealBroken


@pytest.mark.parametrize(
    ("header", "octets"),
    [
        # RFC 9110 section 14.1.2: first and last positions, to the end, the last so many.
        ("bytes=0-499", range(500)),
        ("bytes=500-999", range(500, 1000)),
        ("bytes=9500-", range(9500, 10_000)),
        ("bytes=-500", range(9500, 10_000)),
        ("bytes=-20000", range(10_000)),
        ("BYTES= 9999-20000 ", range(9999, 10_000)),
        # Passed over: no unit of ours, nothing at all, the wrong way round, more than one.
        ("lines=1-2", None),
        ("bytes=-", None),
        ("bytes=7-3", None),
        ("bytes=0-0,-1", None),
        ("bytes=\N{SUPERSCRIPT TWO}-", None),
        ("", None),
    ],
)
def test_which_octets_are_asked_for(header: str, octets: range | None) -> None:
    assert part_of(header, 10_000) == octets


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=" + "9" * 18 + "-"])
def test_octets_that_are_not_there(header: str) -> None:
    with pytest.raises(ApiError) as raised:
        part_of(header, 10_000)
    assert (raised.value.status, raised.value.headers) == (416, {"Content-Range": "bytes */10000"})


@given(st.text() | st.from_regex(r"bytes=\d*-\d*", fullmatch=True), st.integers(0, 50))
def test_whatever_is_asked_for_is_there(header: str, size: int) -> None:
    try:
        octets = part_of(header, size)
    except ApiError:
        return
    assert octets is None or (octets and octets.start >= 0 and octets.stop <= size)


def ask(path: Path, files: Files = PLAIN, **headers: str) -> httpx.Response:
    asked = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=stored_file(files, path, "audio/ogg", asked))
        async with httpx.AsyncClient(transport=transport, base_url="http://antiphon.test") as client:
            return await client.get("/")

    return asyncio.run(get())


def test_a_file_and_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "call.ogg"
    path.write_bytes(bytes(range(256)) * (CHUNK // 100))
    whole, part = ask(path), ask(path, range=f"bytes=10-{CHUNK + 20}")
    assert (whole.status_code, whole.content) == (200, path.read_bytes())
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"] == 'inline; filename="call.ogg"'
    assert (part.status_code, part.content) == (206, path.read_bytes()[10 : CHUNK + 21])
    assert part.headers["content-range"] == f"bytes 10-{CHUNK + 20}/{path.stat().st_size}"
    assert part.headers["content-length"] == str(CHUNK + 11)
    # RFC 9110 section 13.1.5: a part of what the client has already begun, or all of what it is now.
    same, other = whole.headers["etag"], '"other"'
    assert [ask(path, range="bytes=0-1", if_range=tag).status_code for tag in (same, other)] == [206, 200]
    path.write_bytes(b"shorter")
    assert ask(path, range="bytes=0-1", if_range=same).content == b"shorter"
    path.write_bytes(b"")
    assert (ask(path).status_code, ask(path).content) == (200, b"")


class Brittle(PlainFile):
    """A file that is damaged behind its first piece; it says when it is closed."""

    closed = False

    def read(self, offset: int, size: int) -> bytes:
        if offset >= CHUNK:
            raise SealBroken("Page 17 of the sealed file is damaged.")
        return super().read(offset, size)

    def close(self) -> None:
        super().close()
        self.closed = True


class Shelf(PlainFiles):
    """Opens brittle files."""

    def __init__(self) -> None:
        self.opened: list[Brittle] = []

    def open(self, path: Path) -> PlainFile:
        self.opened.append(Brittle(os.open(path, os.O_RDONLY)))
        return self.opened[-1]


def test_it_is_closed_however_it_ends(tmp_path: Path) -> None:
    path, shelf = tmp_path / "call.ogg", Shelf()
    path.write_bytes(b"x" * 3 * CHUNK)
    with pytest.raises(ApiError):
        ask(path, shelf, range="bytes=-0")
    # Found before the answer has begun, and in the middle of it.
    with pytest.raises(SealBroken):
        stored_file(shelf, path, "audio/ogg", {"range": f"bytes={CHUNK}-"})
    with pytest.raises(SealBroken):
        ask(path, shelf)
    assert [file.closed for file in shelf.opened] == [True, True, True]
