"""Where the processor time of the tick goes, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, auto
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Stage(IntEnum):
    """The stages of a tick, in its order."""

    ORDERS = 0
    """What the main process asked for, and waking up."""
    RECEIVE = auto()
    """Packets from the sockets into one array."""
    INTAKE = auto()
    """Headers, addresses, jitter buffer, statistics."""
    JITTER = auto()
    """The next 20 ms of every row."""
    DECODE = auto()
    CONCEAL = auto()
    RESAMPLE = auto()
    SUPPRESS = auto()
    """Noise, where that is switched on."""
    GATE = auto()
    """Samples gathered to frames of the VAD, and their level."""
    SILERO = auto()
    PUBLISH = auto()
    """Frames into the rings that the main process reads."""
    TAPE = auto()
    """Both channels of the recording."""
    BARGE_IN = auto()
    MOUTH = auto()
    """The agents' frames, their level, noise, bridges."""
    BACKGROUND = auto()
    """The sound under them, on calls that have one."""
    ENCODE = auto()
    """Codes and headers."""
    SEND = auto()
    REPORTS = auto()


class Lap(Protocol):
    """The time since the last lap was that stage's."""

    def __call__(self, stage: Stage) -> None: ...


def untimed(stage: Stage) -> None:
    """A lap that nobody takes."""


class Stopwatch:
    """Adds up laps. spent: int64, (stages,), nanoseconds; `clock` counts nanoseconds."""

    def __init__(self, spent: NDArray[np.int64], clock: Callable[[], int]) -> None:
        self._spent = spent
        self._clock = clock
        self._last = clock()

    def lap(self, stage: Stage) -> None:
        """The time since the last lap was the stage's."""
        now = self._clock()
        self._spent[stage] += now - self._last
        self._last = now
