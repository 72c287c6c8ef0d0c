"""From packets to frames heard: the receiving half of the tick, for all calls at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.bridge import Bridges
from media.codecs.g711 import G711
from media.comfort import ComfortNoise
from media.conceal import Concealer
from media.frames import LINE_SAMPLES, Codec, Pcm
from media.jitter import EarJitter
from media.quiet import NoiseSuppression, Quiet
from media.resample import Up8to16
from media.rings import IN_FRAMES, SharedRings
from media.rows import NEVER, Bools, CallRows, Longs, Rows
from media.silero import find_model, load_weights
from media.slots import More
from media.stopwatch import Lap, Stage, untimed
from media.tape import Tape
from media.tone_keys import ToneKeys
from media.vad import Heard, Vad
from media.wide_ear import WideEar

_ADRIFT = 7200
"""Samples (900 ms) by which the peer's clock may have left ours before its positions are set right."""
_NO_LINES: Longs = np.zeros(0, np.int64)


class Detector(Protocol):
    """What the ear needs of `media.vad.Vad`; tests bring their own, to say to the tick when somebody speaks."""

    def reset(self, row: int) -> None: ...

    def set_narrow(self, row: int, narrow: bool) -> None: ...

    def step(self, pcm: Pcm, heard: Bools | None = None, rows: Rows | None = None) -> Heard: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """The VAD's word on one step: float32, bool and int64, (rows,); `end` is the position where the judged frame ends."""

    probability: NDArray[np.float32]
    judged: Bools
    end: Longs


class Ear:
    """Jitter buffer, decoder, concealment, resampler, noise suppression, VAD, and the in-rings that they fill.

    Without `vad` it is Silero. `noise` says who hears less of it.
    """

    def __init__(
        self, rings: SharedRings, calls: CallRows, tape: Tape, bridges: Bridges, vad: Detector | None = None,
        lap: Lap = untimed, noise: NoiseSuppression = NoiseSuppression.OFF,
    ) -> None:  # fmt: skip
        rows = rings.rows
        self._rings = rings
        self._calls = calls
        self._tape = tape
        self._bridges = bridges
        self._lap = lap
        self._in_pcm = rings.in_pcm.reshape(rows * IN_FRAMES, -1)
        self._in_at = rings.in_at.reshape(-1)
        self._in_speech = rings.in_speech.reshape(-1)
        self._in_concealed = rings.in_concealed.reshape(-1)
        self._first = np.arange(rows) * IN_FRAMES
        self.jitter = EarJitter(rows, bridges.played)
        self._vad = vad or Vad(rows, load_weights(find_model()), lap)
        self._law = G711(rows)
        self._conceal = Concealer(rows)
        self._up = Up8to16(rows)
        self.wide = WideEar(rows, self.jitter)
        self.comfort = ComfortNoise(rows)
        self.tones = ToneKeys(rows)
        self._quiet = None if noise is NoiseSuppression.OFF else Quiet(rows)
        self._judge_quiet = noise is NoiseSuppression.ALL
        self._codec: list[Codec | None] = [None] * rows
        # The position, on the recording's time line, of the row's first packet; the jitter buffer counts from that.
        self._start = np.full(rows, NEVER, np.int64)
        self._end = np.zeros(rows, np.int64)

    def open_row(self, row: int) -> None:
        """The row hears somebody new."""
        self.jitter.open_row(row)
        self._conceal.reset(row)
        self._up.reset(row)
        self._vad.reset(row)
        if self._quiet is not None:
            self._quiet.set_row(row, wide=False)
        self._start[row] = NEVER
        self._end[row] = 0

    def set_codec(self, row: int, codec: Codec) -> None:
        """What the row's packets carry from now on."""
        before, self._codec[row] = self._codec[row], codec
        if codec is before:
            return
        self._law.open_row(row, Codec.PCMU if codec.is_wideband else codec)
        self._vad.set_narrow(row, not codec.is_wideband)
        self.wide.set_row(row, codec)
        if self._quiet is not None:
            self._quiet.set_row(row, wide=codec.is_wideband)
        if before is not None:
            self.jitter.drop(row)
            self._conceal.reset(row)
            self._up.reset(row)

    def close_row(self, row: int) -> None:
        """Nothing more is heard of the row."""
        self.jitter.close_row(row)
        self._law.close_row(row)
        self.wide.close_row(row)
        self.tones.set_row(row, listens=False)
        self._codec[row] = None

    def fall_silent(self, row: int, sequence: int, payload: bytes) -> None:
        """The peer sends comfort noise (RFC 3389), and nothing more for now."""
        self.comfort.fall_silent(row, payload)
        self.jitter.note(row, sequence)
        self.jitter.fall_silent(row)

    def begin(self, rows: Rows, tick: int) -> None:
        """Packets are about to be kept for these rows: those without any before get their place on the time line.

        A packet holds the 20 ms before it was sent, so the first one lies in the tick before the one that took it in.
        """
        if self.comfort.any:
            self.comfort.end(rows)
        fresh = rows[self._start[rows] == NEVER]
        if fresh.size:
            self._start[fresh] = np.maximum(tick - 1 - self._calls.origin[fresh], 0) * LINE_SAMPLES

    def hear(self, tick: int) -> Iterator[Judged]:
        """Take the next 20 ms of every row, and more of those rows where several have come; publish each frame."""
        lap = self._lap
        taken = self.jitter.take()
        moved = taken.have | taken.lost
        lap(Stage.JITTER)
        pcm = self._law.decode(taken.payload)
        lap(Stage.DECODE)
        pcm = self._conceal.conceal(pcm, taken.have, taken.lost)
        lap(Stage.CONCEAL)
        wide = self._up.step(pcm, moved)
        if self.wide.any:
            self.wide.hear(taken, pcm, wide)
        if self.comfort.any:
            self.comfort.fill(taken.lost, pcm, wide)
        lap(Stage.RESAMPLE)
        rows = np.flatnonzero(moved)
        position = taken.position
        if rows.size < len(moved):
            pcm, wide, position = pcm[rows], wide[rows], position[rows]
        yield self._judge(rows, position, pcm, wide, taken.lost[rows], tick)
        while (more := self.jitter.take_more()).rows.size:
            lap(Stage.JITTER)
            pcm = self._law.decode(more.payload, more.rows)
            lap(Stage.DECODE)
            pcm = self._conceal.follow(pcm, more.rows) if not more.lost.any() else self._follow_gap(more, pcm)
            lap(Stage.CONCEAL)
            wide = self._up.step(pcm, rows=more.rows)
            if self.wide.any:
                self.wide.follow(more, pcm, wide)
            lap(Stage.RESAMPLE)
            yield self._judge(more.rows, more.position, pcm, wide, more.lost, tick)

    def _judge(self, rows: Rows, position: Longs, pcm: Pcm, wide: Pcm, lost: Bools, tick: int) -> Judged:
        """Have frames judged, and publish them. Line j of each array is of row `rows[j]`, which are distinct.

        Keys that come as tones are silence to the detector and the recogniser, who would find words in them, and in the recording: what
        is keyed in may be the number of a card, which the transcript masks, and which telephone-events leave no sound of either. A bridge
        hands them on, for whom they are meant.
        """
        quiet, held = wide, _NO_LINES
        if self._quiet is not None:
            quiet = self._quiet.step(pcm, wide, rows)
            self._lap(Stage.SUPPRESS)
        if self.tones.any:
            held = self.tones.hear(rows, pcm)
            wide[held] = quiet[held] = 0
        every = None if rows.size == len(self._end) else rows
        heard = self._vad.step(quiet if self._judge_quiet else wide, rows=every)
        at = self._publish(rows, position, pcm, quiet, lost, heard.probability[rows], tick)
        if held.size:
            self._tape.unheard(rows[held], at[held])
        return Judged(heard.probability, heard.judged, self._end - heard.end)

    def _follow_gap(self, more: More, pcm: Pcm) -> Pcm:
        there, lost = np.flatnonzero(~more.lost), np.flatnonzero(more.lost)
        pcm[there] = self._conceal.follow(pcm[there], more.rows[there])
        pcm[lost] = self._conceal.make_up(more.rows[lost])
        return pcm

    def _publish(
        self, rows: Rows, position: Longs, pcm: Pcm, wide: Pcm, lost: Bools, speech: NDArray[np.float32], tick: int
    ) -> Longs:
        """Lay frames into the in-rings (`wide`), the recording and the bridges (`pcm`). Lines as in `_judge`. Returns their positions."""
        at = self._place(rows, position, tick)
        head = self._rings.row.in_head
        cell = self._first[rows] + head[rows] % IN_FRAMES
        self._in_pcm[cell] = wide
        self._in_at[cell] = at
        self._in_speech[cell] = speech
        self._in_concealed[cell] = lost
        head[rows] += 1
        self._end[rows] = at + LINE_SAMPLES
        self._lap(Stage.PUBLISH)
        self._tape.heard(rows, at, pcm)
        self._lap(Stage.TAPE)
        if self._bridges.any:
            self._bridges.heard(rows, pcm, lost)
        return at

    def _place(self, rows: Rows, position: Longs, tick: int) -> Longs:
        """Where the frames lie on the time line. A clock that runs slower or faster than ours is set right now and then."""
        now = (tick - self._calls.origin[rows]) * LINE_SAMPLES
        at = self._start[rows] + position
        adrift = np.abs(now - at) > _ADRIFT
        if adrift.any():
            step = (now - at)[adrift] // LINE_SAMPLES * LINE_SAMPLES - LINE_SAMPLES
            self._start[rows[adrift]] += step
            at[adrift] += step
        return at
