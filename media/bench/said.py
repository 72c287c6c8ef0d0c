"""What callers of a bench say, again and again, and where in it they begin to speak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from media.bench.voice import VOICE_SECONDS, voice
from media.frames import Pcm

APART = 37
"""Frames between what one caller says and the next one, so that not all speak at once."""


@dataclass(frozen=True, slots=True)
class Said:
    """pcm: int16, (frames, 160), 8 kHz. `turns`: the first frame with speech and the one behind the last, of each utterance."""

    pcm: Pcm
    turns: tuple[tuple[int, int], ...] = ()

    def save(self, path: Path) -> None:
        """Write it for the callers' process."""
        np.savez(path, pcm=self.pcm, turns=np.array(self.turns, np.int64).reshape(-1, 2))

    @classmethod
    def load(cls, path: Path) -> Said:
        """What `save` has written."""
        with np.load(path) as found:
            return cls(found["pcm"], tuple((int(first), int(end)) for first, end in found["turns"]))

    def place(self, caller: int, packet: int) -> int:
        """Which frame a caller's packet holds."""
        return (packet + caller * APART) % len(self.pcm)

    def spoken(self, caller: int, packets: int) -> Iterator[tuple[int, int]]:
        """The utterances that lie whole within a caller's first so many packets: numbers of packets, as `turns`."""
        for start in range(-self.place(caller, 0), packets, len(self.pcm)):
            for first, end in self.turns:
                if start + first >= 0 and start + end <= packets:
                    yield start + first, start + end


def synthetic() -> Said:
    """A voice of arithmetic. The detector does not take all of it for speech, so that it has no turns to measure by."""
    return Said(voice(VOICE_SECONDS).reshape(-1, 160))
