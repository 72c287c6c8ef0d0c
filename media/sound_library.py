"""What this installation can play under its agents' speech: what comes with it, and what lies in a folder of the operator's.

For the main process, once, when it starts: files are decoded then, and never again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from media.audio_file import AudioUnreadable, looped, read_audio
from media.frames import EAR_RATE
from media.sound_table import MOST_SOUNDS, Sound
from media.sounds import built_in, level

LONGEST_SECONDS = 120
"""What is beyond is left out: at both rates a second takes 48 kB, once for all calls."""
LARGEST = 32 * 1024 * 1024

_NAMESPACE = uuid.UUID("0d2c7a5e-3a41-5b7e-8f52-6c1f4f0b9e37")
"""Ours, drawn once. To change it would change the id of every sound of every installation."""


@dataclass(frozen=True, slots=True)
class Library:
    """problems: a sentence for each file that is not played, with the file's name."""

    sounds: tuple[Sound, ...]
    problems: tuple[str, ...] = ()


def load_sounds(folder: Path) -> Library:
    """Our own sounds, then the folder's files by their names. Blocks, for half a second and some tenths more per file."""
    sounds = [Sound(_id("built-in", name), name, True, pcm) for name, pcm in built_in().items()]
    problems: list[str] = []
    for path in _files(folder):
        if len(sounds) == MOST_SOUNDS:
            problems.append(f"{path.name}: There are {MOST_SOUNDS} background sounds already.")
            continue
        try:
            sounds.append(_read(path))
        except (OSError, AudioUnreadable) as error:
            problems.append(f"{path.name}: {error}")
    return Library(tuple(sounds), tuple(problems))


def _files(folder: Path) -> Iterator[Path]:
    """Hidden files are an editor's, or a file manager's."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))


def _read(path: Path) -> Sound:
    """A file's sound; its id follows from the name, so that what is in it may change. Raises OSError, AudioUnreadable."""
    if path.stat().st_size > LARGEST:
        raise AudioUnreadable(f"It is larger than {LARGEST // 2**20} MiB.")
    pcm = level(looped(read_audio(path.read_bytes(), EAR_RATE, LONGEST_SECONDS), EAR_RATE))
    return Sound(_id("file", path.name), path.stem, False, pcm)


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{name}"))
