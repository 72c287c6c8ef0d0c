"""The memory that holds the background sounds, once for all calls of all media processes.

The main process writes it before the first media process starts; these map it for reading alone.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from media.background import Loops
from media.frames import EAR_SAMPLES, LINE_SAMPLES, Pcm

MOST_SOUNDS = 64
_HEADER = 4096
"""int64: how many sounds there are, then the length of each, in frames."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A loop. pcm: int16, (samples,), 16 kHz, whole frames of 20 ms, whose end goes on at its beginning."""

    id: str
    name: str
    built_in: bool
    pcm: Pcm

    @property
    def seconds(self) -> float:
        return len(self.pcm) / (50 * EAR_SAMPLES)


class SoundTable:
    """Sounds in shared memory. `numbers`: what a command calls the sound of an id."""

    def __init__(self, sounds: Sequence[Sound] = ()) -> None:
        """ValueError for more than MOST_SOUNDS."""
        if len(sounds) > MOST_SOUNDS:
            raise ValueError(f"There are more than {MOST_SOUNDS} background sounds.")
        self.numbers = {sound.id: number for number, sound in enumerate(sounds)}
        lengths = [len(sound.pcm) // EAR_SAMPLES for sound in sounds]
        self.fd = os.memfd_create("antiphon-sounds", os.MFD_CLOEXEC)
        size = _HEADER + 2 * sum(lengths) * (EAR_SAMPLES + LINE_SAMPLES)
        os.ftruncate(self.fd, size)
        memory = mmap.mmap(self.fd, size)
        np.frombuffer(memory, np.int64, 1 + len(lengths))[:] = [len(lengths), *lengths]
        self.loops = Loops.over(lengths, np.frombuffer(memory, np.int16, offset=_HEADER))
        for number, sound in enumerate(sounds):
            place = slice(int(self.loops.first[number]), int(self.loops.first[number]) + lengths[number])
            self.loops.wide[place] = sound.pcm.reshape(-1, EAR_SAMPLES)
            self.loops.narrow[place] = halved(sound.pcm).reshape(-1, LINE_SAMPLES)

    def close(self) -> None:
        """Close the descriptor; no process can be started with it any more."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def attach(fd: int) -> Loops:
    """The sounds behind the descriptor of a `SoundTable`, to be read only. The descriptor is closed."""
    memory = mmap.mmap(fd, os.fstat(fd).st_size, prot=mmap.PROT_READ)
    os.close(fd)
    header = np.frombuffer(memory, np.int64, _HEADER // 8)
    return Loops.over(header[1 : 1 + int(header[0])].tolist(), np.frombuffer(memory, np.int16, offset=_HEADER))


def halved(loop: Pcm) -> Pcm:
    """A loop at 16 kHz as one at 8 kHz, int16, (samples / 2,): what is above 4 kHz is cut off its spectrum, so it stays a loop."""
    spectrum = np.fft.rfft(loop.astype(np.float32))
    half = spectrum[: len(loop) // 4 + 1] / 2
    half[-1] = 0
    made = np.fft.irfft(half, len(loop) // 2)
    return np.asarray(np.clip(np.rint(made), -32768, 32767), np.int16)
