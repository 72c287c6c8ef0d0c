"""Keys that calls are sending as tones (ITU-T Q.23), to peers that take no telephone-events: frames in place of what is being said.

A key is 100 ms of its two tones and 60 ms of pause, more than receivers ask for (Q.24: 40 each). The voice fades in the tick before the
first of them, and waits until the last pause is over.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from media.frames import EAR_RATE, FRAME_MS, LINE_RATE, Pcm
from media.rows import Bools

_TONES = 5
_PAUSES = 3
"""In frames of 20 ms."""
_FADES = -1
_OVER = _TONES + _PAUSES
_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_PLACES = (
    (3, 1),
    (0, 0),
    (0, 1),
    (0, 2),
    (1, 0),
    (1, 1),
    (1, 2),
    (2, 0),
    (2, 1),
    (2, 2),
    (3, 0),
    (3, 2),
    (0, 3),
    (1, 3),
    (2, 3),
    (3, 3),
)
"""Of each code of RFC 4733: which low tone, and which high one."""
_FULL_DBM0 = 3.17
"""A sine at full scale (ITU-T G.711, and G.722)."""
_LOW_DBM0, _HIGH_DBM0 = -9.0, -7.0
"""As telephones send them: the high tone is louder, because lines take more of it."""
_EDGE_MS = 5
"""In which a tone comes and goes."""


def _frames(rate: int) -> Pcm:
    """int16 (16, _TONES, samples of 20 ms): each key's frames."""
    samples, rise = rate * FRAME_MS // 1000, rate * _EDGE_MS // 1000
    at = np.arange(_TONES * samples) / rate
    edge = np.ones(len(at))
    edge[:rise] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    edge[-rise:] = edge[:rise][::-1]
    low, high = (32_124 * 10 ** ((level - _FULL_DBM0) / 20) for level in (_LOW_DBM0, _HIGH_DBM0))
    keys = [low * np.sin(2 * np.pi * _LOW[a] * at) + high * np.sin(2 * np.pi * _HIGH[b] * at) for a, b in _PLACES]
    return np.rint(np.array(keys) * edge).astype(np.int16).reshape(len(_PLACES), _TONES, samples)


_KEYS = {keys.shape[2]: keys for keys in map(_frames, (LINE_RATE, EAR_RATE))}
"""By the samples of a frame."""


@dataclass(slots=True)
class _Sending:
    """One row's keys that wait, with the tokens of their acknowledgements, and the next frame of the one under way."""

    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    code: int = 0
    token: int = 0
    frame: int = _FADES


class TonesOut:
    """The keys of all rows that go as tones. `busy`: bool, (rows,), the voice waits; `any`: whether some do.

    `sent`: rows and tokens whose last key has left, to be acknowledged and cleared by whoever reads it.
    """

    def __init__(self, rows: int) -> None:
        self.busy = np.zeros(rows, np.bool_)
        self.any = False
        self.sent: list[tuple[int, int]] = []
        self._sending: dict[int, _Sending] = {}
        self._sounding: list[tuple[int, int, int]] = []
        """Row, code and frame of those whose tones are heard in this tick."""

    def waiting(self, row: int) -> int:
        """How many keys of a row have yet to be begun."""
        sending = self._sending.get(row)
        return len(sending.waiting) if sending is not None else 0

    def add(self, row: int, code: int, token: int) -> None:
        """Send one more key on a row. A token other than 0 is told in `sent` when this key has left."""
        self._sending.setdefault(row, _Sending()).waiting.append((code, token))
        self.busy[row] = self.any = True

    def close_row(self, row: int) -> None:
        """Forget what the row had yet to send."""
        if self._sending.pop(row, None) is not None:
            self.busy[row] = False
            self.any = bool(self._sending)

    def step(self, free: Bools) -> None:
        """The next 20 ms of those rows that may send. free: bool, (rows,)."""
        self._sounding.clear()
        for row, sending in list(self._sending.items()):
            if free[row]:
                self._go_on(row, sending)

    def lay(self, pcm: Pcm) -> None:
        """Put the tones of this tick in place of what their rows would say. pcm: int16 (rows, 160), 8 kHz, or (rows, 320), 16 kHz."""
        keys = _KEYS[pcm.shape[1]]
        for row, code, frame in self._sounding:
            pcm[row] = keys[code, frame]

    def _go_on(self, row: int, sending: _Sending) -> None:
        if sending.frame == _FADES:
            sending.frame = _OVER
            return
        if sending.frame == _OVER:
            if not sending.waiting:
                self.close_row(row)
                return
            (sending.code, sending.token), sending.frame = sending.waiting.popleft(), 0
        if sending.frame < _TONES:
            self._sounding.append((row, sending.code, sending.frame))
        sending.frame += 1
        if sending.frame == _TONES and sending.token:
            self.sent.append((row, sending.token))
