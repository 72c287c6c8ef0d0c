"""A server that cannot start says why in one sentence on stderr, and exits with 1; nothing that it began is left running."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from control_api.folder import DataFolder
from sipserver.demo.node import free_port

UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Start:
    """How a server is started, and what its sentence must say."""

    says: Sequence[str]
    flags: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


Obstacle = Callable[[Path], AbstractContextManager[Start]]
"""Puts something into the way of a server that will be started in this folder."""


def _port(flag: str, kind: socket.SocketKind) -> Obstacle:
    """Somebody else listens there."""

    @contextmanager
    def taken(_: Path) -> Iterator[Start]:
        with socket.socket(socket.AF_INET, kind) as holder:
            holder.bind(("127.0.0.1", 0))
            if kind is TCP:
                holder.listen()
            address = f"127.0.0.1:{holder.getsockname()[1]}"
            yield Start((f"cannot listen on {address}", "in use"), {flag: address})

    return taken


@contextmanager
def _folder_in_use(folder: Path) -> Iterator[Start]:
    data = DataFolder(folder / "data")
    data.prepare()
    lock = data.lock()
    try:
        yield Start(("Another server runs on the data folder", str(data.root)))
    finally:
        lock.release()


@contextmanager
def _damaged_key(folder: Path) -> Iterator[Start]:
    data = DataFolder(folder / "data")
    data.prepare()
    data.master_key.write_text("no key")
    yield Start((str(data.master_key),))
    assert data.master_key.read_text() == "no key"


@contextmanager
def _no_database(folder: Path) -> Iterator[Start]:
    data = DataFolder(folder / "data")
    data.prepare()
    data.database.write_bytes(b"certainly no database " * 100)
    yield Start(("the database cannot be used", "not a database"))
    assert data.database.read_bytes() == b"certainly no database " * 100


def _config(text: str, *says: str) -> Obstacle:
    def written(folder: Path) -> AbstractContextManager[Start]:
        file = folder / "antiphon.toml"
        file.write_text(text)
        return nullcontext(Start(says, {"--config": str(file)}))

    return written


def _start(start: Start) -> Obstacle:
    return lambda _: nullcontext(start)


OBSTACLES: Mapping[str, Obstacle] = {
    "SIP port": _port("--sip", UDP),
    "API port": _port("--api", TCP),
    "RTP ports without room for a call": _start(Start(("20001", "20002"), {"--rtp-ports": "20001-20002"})),
    "data folder of another server": _folder_in_use,
    "damaged master key": _damaged_key,
    "database that is none": _no_database,
    "malformed TOML": _config("[sip\nbind = 1", "antiphon.toml", "line 1"),
    "unknown variable": _start(
        Start(("ANTIPHON__SIP__BIMD", "no such setting"), environment={"ANTIPHON__SIP__BIMD": "127.0.0.1:5060"})
    ),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[str]]:
    """What each start has come to: the sentences that are missing from it. The starts are made side by side."""
    return asyncio.run(_all(tmp_path_factory.mktemp("refused")))


async def _all(folder: Path) -> Mapping[str, Sequence[str]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, place: Path) -> Sequence[str]:
        await asyncio.to_thread(place.mkdir)
        async with gate:
            with OBSTACLES[name](place) as start:
                return await _faults(place, start)

    found = await asyncio.gather(*(one(name, folder / str(number)) for number, name in enumerate(OBSTACLES)))
    return dict(zip(OBSTACLES, found, strict=True))


async def _faults(folder: Path, start: Start) -> Sequence[str]:
    """Start a server; what is wrong with how it gave up."""
    flags = {"--data-dir": str(folder / "data"), "--sip": _free(), "--api": _free(), "--rtp-ports": "20000-29999"}
    arguments = [part for pair in {**flags, **start.flags}.items() for part in pair]
    silent = {"ANTIPHON__STT__WORKERS": "0", "ANTIPHON__TTS__WORKERS": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sipserver", "serve", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **silent, **start.environment},
    )  # fmt: skip
    async with asyncio.timeout(90):
        # Its stderr ends when every child that has inherited it has ended, too.
        out, error = await process.communicate()
    text = error.decode()
    sentence = text.strip().rpartition("\n")[2]
    checks = {
        f"exit status 1, not {process.returncode}": process.returncode == 1,
        "an empty stdout": not out,
        "a sentence, no traceback": "Traceback" not in text and sentence.startswith("antiphon: "),
        **{f"the words {words!r}": words in sentence for words in start.says},
    }
    missing = [check for check, kept in checks.items() if not kept]
    return [*missing, f"stderr: {text}"] if missing else []


def _free() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_server_that_cannot_start_says_why(refusals: Mapping[str, Sequence[str]], obstacle: str) -> None:
    assert not refusals[obstacle]
