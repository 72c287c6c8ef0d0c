"""The music of `holdMusicUrl`: fetched once through the one client for users' URLs, decoded, and kept on disk as samples.

A caller waits for the music, so nothing here takes long: what is not there within PATIENCE is replaced by our own melody, while the
fetching goes on for the next caller. What failed is not tried again for RETRY; what is older than FRESH is fetched anew, and
serves on where that fails. Of the music the KEPT last files stay on disk, and a few in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from control_api.egress import Egress, EgressFailed, EgressRefused
from media.frames import Pcm

LARGEST = 10 * 1024 * 1024
PATIENCE = 5.0
FRESH = 24 * 3600 * 1_000_000
RETRY = 60 * 1_000_000
KEPT = 50
_REMEMBERED = 16
_LOADING = 8
_SHORTEST = 160

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Track:
    """What is known of a URL until `until`: its samples, or (None) that there are none."""

    pcm: Pcm | None
    until: int


class _Unusable(Exception):
    """What the URL leads to is no music; the text says why."""


class HoldMusicFetcher:
    """HoldMusicLibrary (sipserver.protocols) over the network and a folder.

    decode: file to samples (`media.music.decode_music`), blocking, ValueError for what is no music. melody: what is played instead.
    now: microseconds since the epoch.
    """

    def __init__(
        self,
        egress: Egress,
        folder: Path,
        decode: Callable[[bytes], Pcm],
        melody: Pcm,
        now: Callable[[], int],
        patience: float = PATIENCE,
    ) -> None:
        self._egress = egress
        self._folder = folder
        self._decode = decode
        self._melody = melody
        self._now = now
        self._patience = patience
        self._known: OrderedDict[str, _Track] = OrderedDict()
        self._loading: dict[str, asyncio.Task[_Track]] = {}

    async def load(self, url: str | None) -> Pcm:
        """The music behind `url`, or our melody. Never raises."""
        if url is None:
            return self._melody
        track = self._known.get(url)
        if track is None or track.until <= self._now():
            track = await self._wait_for(url)
        pcm = track.pcm if track is not None else None
        return self._melody if pcm is None else pcm

    async def aclose(self) -> None:
        """Give up what is being fetched."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    async def _wait_for(self, url: str) -> _Track | None:
        """The one fetching of this URL, however many callers wait for it; None when it takes too long."""
        task = self._loading.get(url)
        if task is None:
            if len(self._loading) >= _LOADING:
                return None
            task = self._loading[url] = asyncio.create_task(self._load(url))
            task.add_done_callback(lambda _: self._loading.pop(url))
        await asyncio.wait({task}, timeout=self._patience)
        return task.result() if task.done() and not task.cancelled() else None

    async def _load(self, url: str) -> _Track:
        path = self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.pcm"
        kept = await asyncio.to_thread(_read, path)
        if kept is None or kept.until <= self._now():
            kept = await self._fetch(url, path, kept)
        self._known[url] = kept
        self._known.move_to_end(url)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return kept

    async def _fetch(self, url: str, path: Path, stale: _Track | None) -> _Track:
        try:
            pcm = await self._download(url)
        except (EgressRefused, EgressFailed, _Unusable) as error:
            # Neither the URL nor its host: what is in it may be a secret, and the agent's own field has it.
            log.warning("hold music not loaded", reason=str(error))
            return _Track(stale.pcm if stale else None, self._now() + RETRY)
        await asyncio.to_thread(_write, path, pcm, self._now())
        return _Track(pcm, self._now() + FRESH)

    async def _download(self, url: str) -> Pcm:
        answer = await self._egress.get(url, LARGEST + 1)
        if answer.status != 200:
            raise _Unusable(f"The answer was {answer.status}.")
        if len(answer.body) > LARGEST:
            raise _Unusable(f"It is larger than {LARGEST // 2**20} MiB.")
        try:
            return await asyncio.to_thread(self._decode, answer.body)
        except ValueError as error:
            raise _Unusable(str(error)) from None


def _read(path: Path) -> _Track | None:
    """What is kept, whether fresh or not; None where there is nothing or the file is damaged."""
    try:
        fetched = path.stat().st_mtime_ns // 1000
        pcm = np.fromfile(path, "<i2").astype(np.int16, copy=False)
    except OSError:
        return None
    return _Track(pcm, fetched + FRESH) if pcm.size >= _SHORTEST else None


def _write(path: Path, pcm: Pcm, now: int) -> None:
    """Keep it, and drop the oldest beyond KEPT. A disk that refuses costs the next start another fetching."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pcm.astype("<i2", copy=False).tofile(part)
        os.utime(part, ns=(now * 1000, now * 1000))
        part.replace(path)
        files = sorted(path.parent.glob("*.pcm"), key=lambda file: file.stat().st_mtime_ns)
        for file in files[:-KEPT]:
            file.unlink(missing_ok=True)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        log.warning("hold music not kept", reason=str(error))
