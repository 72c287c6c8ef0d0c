"""The calls that are heard at 16 kHz, beside the many that are not: decoded one by one, inside the tick.

While there is none, the tick looks at one flag. What the ear makes of a slot as if it were G.711 is overwritten here, for the rows
that have a wideband codec: their frames at 16 kHz by what was decoded, those at 8 kHz (the recording, a bridge) by the same, halved.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from media.codecs import coders
from media.codecs.error import CodecError
from media.conceal import Concealer
from media.frames import EAR_SAMPLES, LINE_SAMPLES, Codec, Pcm
from media.jitter import EarJitter
from media.listener import Listener
from media.resample import Down16to8
from media.rows import Bools, Rows
from media.slots import More, Taken


class WideEar:
    """The wideband rows. `any` says whether there is one."""

    def __init__(self, rows: int, jitter: EarJitter) -> None:
        self.any = False
        self._jitter = jitter
        self._listeners: dict[int, Listener] = {}
        self._is_wide = np.zeros(rows, np.bool_)
        self._conceal = Concealer(rows, EAR_SAMPLES)
        self._pending: list[tuple[int, int, int, int]] = []
        self._tags: list[bytes] = []
        self._down = Down16to8(rows)

    def set_row(self, row: int, codec: Codec) -> None:
        """What the row's packets carry from now on. A codec whose library is missing is not heard."""
        self.close_row(row)
        if not codec.is_wideband:
            return
        try:
            self._listeners[row] = Listener(codec)
        except CodecError:
            return
        self._is_wide[row] = self.any = True
        self._conceal.reset(row)
        self._down.reset(row)

    def close_row(self, row: int) -> None:
        """The row has no wideband codec."""
        self._listeners.pop(row, None)
        self._is_wide[row] = False
        self.any = bool(self._listeners)

    def insert(self, row: int, sequence: int, timestamp: int, payload: bytes, now: int, ssrc: int) -> int | None:
        """Keep a packet of Opus or L16, to be given on by `flush`.

        Returns its timestamp at 8 kHz, None for what is no packet of its codec.
        """
        listener = self._listeners.get(row)
        if listener is None or listener.packets is None:
            return None
        try:
            samples = coders.duration(listener.codec, payload) // 2
        except CodecError:
            return None
        at, tag = listener.packets.timestamp(timestamp, ssrc), listener.packets.keep(payload, samples)
        if samples == LINE_SAMPLES:
            self._pending.append((row, sequence, at, ssrc))
            self._tags.append(tag)
        else:
            self._jitter.insert_packet(row, sequence, at, tag, now, ssrc)
        return at

    def flush(self, now: int) -> None:
        """Give the jitter buffer the packets of 20 ms that were inserted, all of them at once."""
        if not self._pending:
            return
        table = np.array(self._pending, np.int64)
        tags = np.frombuffer(b"".join(self._tags), np.uint8).reshape(-1, LINE_SAMPLES)
        self._pending.clear()
        self._tags.clear()
        numbers, times, sources = (
            table[:, 1].astype(np.uint16),
            table[:, 2].astype(np.uint32),
            table[:, 3].astype(np.uint32),
        )
        self._jitter.insert(table[:, 0], numbers, times, tags, now, sources)

    def hear(self, taken: Taken, pcm: Pcm, wide: Pcm) -> None:
        """Put what the wideband rows say into their lines. pcm: int16, (rows, 160); wide: int16, (rows, 320)."""
        rows = np.flatnonzero(self._is_wide & (taken.have | taken.lost))
        if rows.size:
            self._fill(rows, rows, taken.payload, taken.lost[rows], pcm, wide)

    def follow(self, more: More, pcm: Pcm, wide: Pcm) -> None:
        """The same for the further slots of a tick. Line j is of row `more.rows[j]`."""
        lines = np.flatnonzero(self._is_wide[more.rows])
        if lines.size:
            self._fill(more.rows[lines], lines, more.payload, more.lost[lines], pcm, wide)

    def _fill(self, rows: Rows, lines: Rows, payload: np.ndarray[tuple[int, int], np.dtype[np.uint8]], lost: Bools,
              pcm: Pcm, wide: Pcm) -> None:  # fmt: skip
        for row, line, missing in zip(rows.tolist(), lines.tolist(), lost.tolist(), strict=True):
            wide[line] = self._miss(row) if missing else self._hear(row, payload[line].tobytes())
        pcm[lines] = self._down.step(wide[lines], rows)

    def _hear(self, row: int, slot: bytes) -> Pcm:
        listener = self._listeners[row]
        frame = listener.hear(slot)
        if listener.codec is Codec.OPUS:
            return frame
        followed: Pcm = self._conceal.follow(frame[None].copy(), np.array([row]))[0]
        return followed

    def _miss(self, row: int) -> Pcm:
        made = self._listeners[row].miss(partial(self._jitter.peek, row))
        if made is None:
            made = self._conceal.make_up(np.array([row]))[0]
        return made
