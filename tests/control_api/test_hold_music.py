"""Hold music from a URL: fetched once, kept, and replaced by our melody whenever anything is wrong with it."""

from __future__ import annotations

import asyncio
import io
import os
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from control_api.egress import Egress, EgressPolicy
from control_api.hold_music import FRESH, KEPT, LARGEST, RETRY, HoldMusicFetcher
from media.music import decode_music, melody
from tests.tones import hears, tone

MELODY = melody()
BEGIN = 1_700_000_000_000_000


def wav(frequency: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(16000)
        sink.writeframes(tone(frequency, 1.5, rate=16000).tobytes())
    return file.getvalue()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Shelf:
    """A web server whose answer the test sets, and a fetcher before it. `asked` counts requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = BEGIN
        self.answer = b""
        self.asked = 0
        self.held = asyncio.Event()
        self.held.set()
        self.url = ""
        self.egress = Egress(EgressPolicy(["127.0.0.1"]))
        self.fetcher = self.another()

    def another(self, patience: float = 30.0) -> HoldMusicFetcher:
        """As after a restart of the server: nothing in memory."""
        return HoldMusicFetcher(self.egress, self.folder, decode_music, MELODY, lambda: self.now, patience)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await self.held.wait()
        try:
            writer.write(self.answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            return


@asynccontextmanager
async def a_shelf(folder: Path) -> AsyncIterator[Shelf]:
    shelf = Shelf(folder)
    server = await asyncio.start_server(shelf.serve, "127.0.0.1", 0)
    shelf.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/music.wav?key=secret"
    async with server:
        yield shelf
        shelf.held.set()
        await shelf.fetcher.aclose()
        await shelf.egress.aclose()


def on_a_shelf(folder: Path, test: Callable[[Shelf], Awaitable[None]]) -> None:
    async def run() -> None:
        async with a_shelf(folder) as shelf:
            await test(shelf)

    asyncio.run(run())


def test_music_is_fetched_once_for_all_callers_and_survives_a_restart(tmp_path: Path) -> None:
    async def test(shelf: Shelf) -> None:
        shelf.answer = ok(wav(440))
        heard = await asyncio.gather(*(shelf.fetcher.load(shelf.url) for _ in range(5)))
        assert all(hears(pcm, 440) for pcm in heard)
        await shelf.fetcher.load(shelf.url)
        again = await shelf.another().load(shelf.url)
        assert np.array_equal(again, heard[0])
        assert shelf.asked == 1
        [file] = tmp_path.iterdir()
        assert "secret" not in file.name

    on_a_shelf(tmp_path, test)


def test_without_a_url_it_is_our_melody() -> None:
    async def test(shelf: Shelf) -> None:
        assert await shelf.fetcher.load(None) is MELODY
        assert shelf.asked == 0

    on_a_shelf(Path("/nowhere"), test)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
        ok(b"<html>this is no music</html>"),
        ok(b"RIFF" + bytes(LARGEST)),
        b"nonsense",
        b"",
    ],
    ids=["404", "302", "html", "large", "no http", "closed"],
)
def test_what_is_no_music_is_our_melody_and_not_asked_for_again_for_a_minute(answer: bytes, tmp_path: Path) -> None:
    async def test(shelf: Shelf) -> None:
        shelf.answer = answer
        assert await shelf.fetcher.load(shelf.url) is MELODY
        shelf.answer = ok(wav(440))
        shelf.now += RETRY - 1
        assert await shelf.fetcher.load(shelf.url) is MELODY
        assert shelf.asked == 1
        shelf.now += 1
        assert hears(await shelf.fetcher.load(shelf.url), 440)

    on_a_shelf(tmp_path, test)


def test_a_private_address_is_not_asked(tmp_path: Path) -> None:
    async def test(shelf: Shelf) -> None:
        for url in ("https://10.0.0.1/m.wav", "file:///etc/passwd", "nonsense", "http://localhost/\n"):
            assert await shelf.fetcher.load(url) is MELODY

    on_a_shelf(tmp_path, test)


def test_a_day_later_it_is_fetched_anew_and_what_was_kept_serves_where_that_fails(tmp_path: Path) -> None:
    async def test(shelf: Shelf) -> None:
        shelf.answer = ok(wav(440))
        await shelf.fetcher.load(shelf.url)
        shelf.answer = b""
        shelf.now += FRESH
        assert hears(await shelf.fetcher.load(shelf.url), 440)
        assert shelf.asked == 2
        shelf.answer = ok(wav(700))
        shelf.now += RETRY
        assert hears(await shelf.fetcher.load(shelf.url), 700)
        assert hears(await shelf.another().load(shelf.url), 700)
        assert shelf.asked == 3

    on_a_shelf(tmp_path, test)


def test_who_cannot_wait_gets_the_melody_and_the_next_one_the_music(tmp_path: Path) -> None:
    async def test(shelf: Shelf) -> None:
        shelf.answer = ok(wav(440))
        shelf.held.clear()
        hasty = shelf.another(patience=0)
        assert await hasty.load(shelf.url) is MELODY
        shelf.held.set()
        patient = shelf.another()
        assert hears(await patient.load(shelf.url), 440)
        await hasty.aclose()

    on_a_shelf(tmp_path, test)


def test_a_damaged_file_or_a_folder_that_cannot_be_written_costs_another_fetching(tmp_path: Path) -> None:
    async def test(shelf: Shelf) -> None:
        shelf.answer = ok(wav(440))
        await shelf.fetcher.load(shelf.url)
        [file] = tmp_path.iterdir()
        file.write_bytes(b"x")
        assert hears(await shelf.another().load(shelf.url), 440)
        assert shelf.asked == 2
        file.unlink()
        shelf.folder = tmp_path / "file" / "below"
        (tmp_path / "file").write_bytes(b"")
        assert hears(await shelf.another().load(shelf.url), 440)
        assert shelf.asked == 3

    on_a_shelf(tmp_path, test)


def test_only_the_last_files_are_kept(tmp_path: Path) -> None:
    async def test(shelf: Shelf) -> None:
        for number in range(KEPT):
            old = tmp_path / f"{number}.pcm"
            old.write_bytes(bytes(1000))
            os.utime(old, ns=(number * 10**9, number * 10**9))
        shelf.answer = ok(wav(440))
        await shelf.fetcher.load(shelf.url)
        names = {file.name for file in tmp_path.iterdir()}
        assert len(names) == KEPT
        assert "0.pcm" not in names
        assert "1.pcm" in names

    on_a_shelf(tmp_path, test)
