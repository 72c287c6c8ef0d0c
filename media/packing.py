"""Rows that do not take the fast way out: wideband codecs, which are coded call by call, and packets of other lengths than 20 ms.

A frame of 20 ms is coded in each tick; a packet leaves when there is enough for it. So with 10 ms two leave at once, with 30 ms
one leaves in two ticks of three, and with 60 ms one in every third.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from media.codecs import coders
from media.codecs.error import CodecError
from media.frames import FRAME_MS, LINE_RATE, LINE_SAMPLES, Pcm, RtpFormat

_PER_MS = LINE_RATE // 1000


@dataclass(frozen=True, slots=True)
class Packed:
    """A payload, where it begins, since tick 0, and how much it holds: samples at 8 kHz."""

    payload: bytes
    at: int
    samples: int


class _Row:
    def __init__(self, coder: coders.Coder) -> None:
        self.coder = coder
        self.held = 0
        """Samples at 8 kHz that wait for their packet to be whole."""
        self.last_tick = -1


class Packing:
    """The coders of the rows that have one. `slow`: bool, (rows,), which those are; `wide`: those that are given 16 kHz."""

    def __init__(self, rows: int) -> None:
        self.slow = np.zeros(rows, np.bool_)
        self.wide = np.zeros(rows, np.bool_)
        self.any_wide = False
        self._rows: dict[int, _Row] = {}
        self._formats: dict[int, RtpFormat] = {}

    def set_row(self, row: int, fmt: RtpFormat) -> None:
        """What leaves from now on. The same once more changes nothing; a codec whose library is missing sends nothing."""
        if self._formats.get(row) == fmt:
            return
        self.close_row(row)
        self._formats[row] = fmt
        self.slow[row] = fmt.codec.is_wideband or fmt.ptime != FRAME_MS
        self.wide[row] = fmt.codec.is_wideband
        self.any_wide = bool(self.wide.any())
        if self.slow[row]:
            try:
                self._rows[row] = _Row(coders.coder_of(fmt))
            except CodecError:
                return

    def close_row(self, row: int) -> None:
        """The row sends nothing."""
        self._rows.pop(row, None)
        self._formats.pop(row, None)
        self.slow[row] = self.wide[row] = False
        self.any_wide = bool(self.wide.any())

    def pack(self, row: int, frame: Pcm, tick: int) -> list[Packed]:
        """Code a tick's frame, int16, (160,) or for wide rows (320,). Returns the packets that are whole with it."""
        found = self._rows.get(row)
        if found is None:
            return []
        if found.last_tick != tick - 1:
            # What was held is from before a pause: as stale as its time.
            found.coder.drop()
            found.held = 0
        found.last_tick = tick
        at = tick * LINE_SAMPLES - found.held
        samples = found.coder.packet_ms * _PER_MS
        packed = []
        for payload in found.coder.code(frame):
            packed.append(Packed(payload, at, samples))
            at += samples
        found.held = (tick + 1) * LINE_SAMPLES - at
        return packed
