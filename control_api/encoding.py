"""A call's recording in the format it is asked for. The WAV of the media plane stays what it is; others are made from it once."""

from __future__ import annotations

import asyncio
import errno
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from media.files import PLAIN, Files, SealBroken

PART = ".part"
"""How the name of a file ends that is being made."""


class RecordingUnreadable(Exception):
    """The recording is damaged or empty."""


@dataclass(frozen=True, slots=True)
class Format:
    """suffix of the file, its media type, FFmpeg's encoder and bit rate for two channels of speech."""

    suffix: str
    media_type: str
    encoder: str
    bit_rate: int


FORMATS = {
    "mp3": Format(".mp3", "audio/mpeg", "libmp3lame", 32_000),
    "ogg": Format(".ogg", "audio/ogg", "libopus", 32_000),
    "wav": Format(".wav", "audio/wav", "pcm_s16le", 0),
}


@dataclass(frozen=True, slots=True)
class Keyed:
    """A file that is there, and its own key; None where it is not sealed."""

    path: Path
    key: bytes | None = field(default=None, repr=False)


Transcode = Callable[[Keyed, Keyed, str], None]
"""Writes the WAV into another file, which is empty, in a format of that name. Blocks; raises RecordingUnreadable, OSError."""


class Encoder:
    """Makes compressed recordings, one after the other. Below `min_free` bytes of free disk it makes none: calls need the room.

    `files` says how they are read and made: whoever encodes gets the keys of the two files that it works on, no others.
    """

    def __init__(self, transcode: Transcode, min_free: int = 0, files: Files = PLAIN) -> None:
        self.files = files
        self._transcode = transcode
        self._min_free = min_free
        self._turn = asyncio.Semaphore(1)

    async def encode(self, wav: Path, name: str) -> Path:
        """The recording `wav` in format `name` (`mp3`, `ogg`, `wav`), made beside it when it is not there yet.

        Raises FileNotFoundError when there is no recording, RecordingUnreadable when it cannot be decoded, another OSError when it
        cannot be made now.
        """
        made = await asyncio.to_thread(_made, wav, name)
        if made is not None:
            return made
        async with self._turn:
            return await asyncio.to_thread(self._make, wav, name)

    def _make(self, wav: Path, name: str) -> Path:
        # Somebody else may have asked for it while this one waited.
        if (made := _made(wav, name)) is not None:
            return made
        if shutil.disk_usage(wav.parent).free < self._min_free:
            raise OSError(errno.ENOSPC, "Less disk is free than recording.min_free_mb asks for")
        target = wav.with_suffix(FORMATS[name].suffix)
        part = target.with_suffix(f"{target.suffix}.{secrets.token_hex(4)}{PART}")
        try:
            source = Keyed(wav, self.files.key_of(wav))
            self.files.create(part).close()
            self._transcode(source, Keyed(part, self.files.key_of(part)), name)
            part.replace(target)
        except SealBroken as error:
            raise RecordingUnreadable(str(error)) from None
        finally:
            part.unlink(missing_ok=True)
        return target


def forget_parts(recordings: Path) -> None:
    """Delete what a killed server had begun to make."""
    for path in recordings.glob(f"*{PART}"):
        path.unlink(missing_ok=True)


def _made(wav: Path, name: str) -> Path | None:
    """The file, if it is there and not older than the WAV. Raises FileNotFoundError where there is no WAV."""
    if not wav.is_file():
        raise FileNotFoundError(wav.name)
    target = wav.with_suffix(FORMATS[name].suffix)
    if target == wav or (target.is_file() and target.stat().st_mtime_ns >= wav.stat().st_mtime_ns):
        return target
    return None
