"""From frames to packets: the sending half of the tick, for all calls at once.

Transmission is continuous: from the first CONNECT to CLOSE every row sends one packet per ptime while the direction allows,
with the agent's voice, the far side of a bridge, a key, or noise in it. Where it does not (hold), the queue waits and the
timestamp clock runs on (RFC 3264 section 8.4).

A frame has an index in the out-ring, and a number by which the main process knows it: the number is the index less what flushes have
dropped before it, so that numbers count frames that leave (`played`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.background import BackgroundRows
from media.bargein import DUCKED, PAUSED
from media.bridge import NOBODY, Bridges
from media.codecs.g711 import G711
from media.frames import LINE_SAMPLES, Codec, Pcm, RtpFormat
from media.keys import Keys
from media.packing import Packing
from media.playout import DUCKED as DUCKED_GAIN
from media.playout import FULL, SILENT, Playout
from media.records import EventKind
from media.rings import KEPT_FRAMES, OUT_FRAMES, SharedRings
from media.rows import Bools, CallRows, Rows
from media.rtp import HEADER, Sender
from media.sockets.face import Sockets
from media.srtp import SecureRows
from media.stopwatch import Lap, Stage, untimed
from media.tape import Tape
from media.tones_out import TonesOut
from media.wide_mouth import WideMouth


class Tell(Protocol):
    """Publishes an event: kind, row, position, and its values."""

    def __call__(self, kind: EventKind, row: int, at: int, value: int = 0, second: int = 0) -> None: ...


_GAIN = np.zeros(3, np.float32)
_GAIN[:] = FULL
_GAIN[DUCKED] = DUCKED_GAIN
_GAIN[PAUSED] = SILENT


class Mouth:
    """The out-rings' reading end, the level of each voice, and the RTP streams that leave."""

    def __init__(
        self, rings: SharedRings, calls: CallRows, tape: Tape, bridges: Bridges, sockets: Sockets, keys: Keys,
        secure: SecureRows, background: BackgroundRows, seed: int, lap: Lap = untimed,
    ) -> None:  # fmt: skip
        rows = rings.rows
        self.sender = Sender(rows)
        self.speaking = np.zeros(rows, np.bool_)
        """The agent's voice was in the row's last packet."""
        self._counters = rings.row
        self._calls = calls
        self._tape = tape
        self._bridges = bridges
        self._sockets = sockets
        self._keys = keys
        self._secure = secure
        self._background = background
        self._lap = lap
        self._frames = rings.out_pcm.reshape(rows * OUT_FRAMES, LINE_SAMPLES)
        self._marks = rings.out_mark.reshape(-1)
        self._first = np.arange(rows) * OUT_FRAMES
        self._playout = Playout(rows, seed)
        self._law = G711(rows)
        self._pcm = np.zeros((rows, LINE_SAMPLES), np.int16)
        self._packets = np.zeros((rows, HEADER + LINE_SAMPLES), np.uint8)
        self._views = [packet.data for packet in self._packets]
        self._dropped = np.zeros(rows, np.int64)
        self._earliest = np.zeros(rows, np.int64)
        self._marked = np.zeros(rows, np.int64)
        # Index of a frame that is only to fade away: the voice was stopped before it.
        self._fading = np.full(rows, -1, np.int64)
        self._packing = Packing(rows)
        self.tones = TonesOut(rows)
        self._wide = WideMouth(rings, seed)

    def open_row(self, row: int) -> None:
        """A new call: nothing is queued."""
        self._playout.reset(row)
        self.speaking[row] = False
        self._fading[row] = -1
        for counter in (self._dropped, self._earliest, self._marked):
            counter[row] = 0

    def set_format(self, row: int, fmt: RtpFormat) -> None:
        """What leaves from now on; the streams' numbers run on."""
        self._law.open_row(row, Codec.PCMU if fmt.codec.is_wideband else fmt.codec)
        self.sender.set_format(row, fmt.payload_type)
        self._packing.set_row(row, fmt)
        if fmt.codec.is_wideband:
            self._wide.add_row(row)

    def close_row(self, row: int) -> None:
        """Nothing more leaves."""
        self.sender.close_row(row)
        self._law.close_row(row)
        self._packing.close_row(row)
        self.tones.close_row(row)
        self._wide.close_row(row)
        self._background.close_row(row)
        self.speaking[row] = False

    @property
    def sent(self) -> Pcm:
        """What left in the last tick, int16, (rows, 160), 8 kHz: the voice at its level, and all that was added to it."""
        return self._pcm

    def played(self, row: int) -> int:
        """Number of the next frame to leave."""
        return int(self._counters.played[row])

    def pause(self, row: int) -> None:
        """The voice stops with the next packet; its next frame is heard fading and stays queued."""
        if self._counters.out_head[row] > self._counters.out_tail[row]:
            self._fading[row] = self._counters.out_tail[row]

    def flush(self, row: int, upto: int) -> int:
        """Drop the frames before index `upto` that have not left. Returns `played`."""
        tail, head = int(self._counters.out_tail[row]), int(self._counters.out_head[row])
        end = max(tail, min(upto, head))
        if self.speaking[row] and end > tail:
            self._fading[row] = tail
        self._dropped[row] += end - tail
        self._earliest[row] = end
        self._counters.out_tail[row] = end
        return self.played(row)

    def resume(self, row: int, number: int) -> int:
        """Go on from frame `number`, as far back as frames are kept and nothing was dropped since. Returns where it goes on."""
        tail = int(self._counters.out_tail[row])
        earliest = max(int(self._earliest[row]), tail - KEPT_FRAMES)
        index = min(max(number + int(self._dropped[row]), earliest), tail)
        self._fading[row] = -1
        self._counters.out_tail[row] = index
        self._counters.played[row] = index - self._dropped[row]
        return self.played(row)

    def speak(self, tick: int, mode: NDArray[np.int8], tell: Tell) -> None:
        """Send this tick's packets. mode: the barge-in's, (rows,)."""
        calls, counters = self._calls, self._counters
        tail = counters.out_tail
        keys = self._keys.due(tick)
        free = calls.connected & calls.sending & ~self._keys.busy
        if self.tones.any:
            self.tones.step(free)
        toning = self.tones.busy
        # Read once: the main process may queue meanwhile.
        waiting = counters.out_head > tail
        stopping = free & (self._fading >= 0)
        playing = np.flatnonzero(free & (mode != PAUSED) & waiting & ~stopping & ~toning)
        fading = np.flatnonzero(stopping)
        ended = np.flatnonzero(free & self.speaking & (~waiting | toning) & ~stopping)
        queued = np.zeros(len(free), np.bool_)
        queued[playing] = queued[fading] = queued[ended] = True
        gain = _GAIN[mode]
        gain[fading] = gain[ended] = SILENT
        self._load(queued, fading, ended)
        self._fading[fading] = -1
        pcm = self._playout.apply(self._pcm, queued, gain, tick)
        wide = self._wide
        if wide.any:
            wide.level(queued, gain, tick)
        if self._background.any:
            self._lap(Stage.MOUTH)
            self._add_background(tick, free, pcm)
            self._lap(Stage.BACKGROUND)
        if wide.any:
            wide.before_bridge(pcm)
        if self._bridges.any:
            self._bridges.mix(pcm)
            if wide.any:
                wide.after_bridge(pcm)
        if self.tones.any:
            self.tones.lay(pcm)
            if wide.any:
                wide.lay(self.tones)
        np.copyto(self.speaking, queued)
        self.speaking[fading] = self.speaking[ended] = False
        self._lap(Stage.MOUTH)
        self._send(tick, np.flatnonzero(free & calls.reachable), pcm)
        self._send_keys(keys, tick)
        self._lap(Stage.SEND)
        self._record(tick, free & ~toning, pcm)
        self._lap(Stage.TAPE)
        self._advance(tick, playing, tell)
        self._lap(Stage.MOUTH)

    def _load(self, queued: Bools, fading: Rows, ended: Rows) -> None:
        """Take the frame of each row that is heard. Where the voice has `ended`, whole or in the middle of a tone because the
        speech comes late, that is its last one backwards: it goes on where the sound is, so it can fade from there."""
        index = self._counters.out_tail.copy()
        index[fading] = self._fading[fading]
        index[ended] -= 1
        cells = self._first + index % OUT_FRAMES
        heard = np.flatnonzero(queued)
        self._pcm[heard] = self._frames[cells[heard]]
        if ended.size:
            self._pcm[ended] = self._pcm[ended, ::-1]
        if self._wide.any:
            self._wide.load(queued, cells, ended, self._pcm)

    def _add_background(self, tick: int, free: Bools, pcm: Pcm) -> None:
        background, wide = self._background, self._wide
        background.step(tick, free, self._bridges.partner != NOBODY)
        background.mix(pcm)
        if wide.any:
            wide.mix(background)

    def _send(self, tick: int, rows: Rows, pcm: Pcm) -> None:
        codes = self._law.encode(pcm)
        slow = self._packing.slow[rows]
        if slow.any():
            self._send_packed(tick, rows[slow], pcm)
            rows = rows[~slow]
        count = len(rows)
        packets = self._packets[:count]
        packets[:, HEADER:] = codes if count == len(codes) else codes[rows]
        self.sender.headers(rows, packets, tick)
        if self._secure.any:
            self._deliver(rows, self._views[:count])
            return
        self._lap(Stage.ENCODE)
        self._sockets.send_rows(rows, packets)

    def _send_packed(self, tick: int, rows: Rows, pcm: Pcm) -> None:
        for row in rows.tolist():
            frame = self._wide.frame(row) if self._packing.wide[row] else pcm[row]
            for packed in self._packing.pack(row, frame, tick):
                packet = self.sender.packet(row, packed.payload, packed.at, packed.samples)
                self._deliver(np.array([row]), [memoryview(packet)])

    def _deliver(self, rows: Rows, packets: list[memoryview]) -> None:
        remote = self._calls.remote
        numbers = rows.tolist()
        self._lap(Stage.ENCODE)
        self._secure.seal(numbers, packets)
        self._sockets.send(numbers, packets, [address for row in numbers if (address := remote[row]) is not None])

    def _send_keys(self, keys: list[tuple[int, bytes, bool, int]], tick: int) -> None:
        calls = self._calls
        for row, payload, marker, began in keys:
            if not (calls.reachable[row] and calls.sending[row]):
                continue
            packet = self.sender.event_packet(
                row,
                payload,
                payload_type=int(calls.telephone_event[row]),
                timestamp=self.sender.timestamp_at(row, began),
                marker=marker,
            )
            self._deliver(np.array([row]), [memoryview(packet)])

    def _record(self, tick: int, free: Bools, pcm: Pcm) -> None:
        """What left is what the recording gets: nothing of rows on hold, or while they send keys, in whatever form (`media.ear`)."""
        rows = np.flatnonzero(self._calls.connected)
        silent = np.flatnonzero(self._calls.connected & ~free)
        if silent.size:
            pcm[silent] = 0
        self._tape.said(rows, tick, pcm if len(rows) == len(pcm) else pcm[rows])

    def _advance(self, tick: int, rows: Rows, tell: Tell) -> None:
        counters = self._counters
        index = counters.out_tail[rows]
        marks = self._marks[self._first[rows] + index % OUT_FRAMES]
        for line in np.flatnonzero((marks != 0) & (index >= self._marked[rows])).tolist():
            row = int(rows[line])
            self._marked[row] = index[line] + 1
            tell(EventKind.MARK_PLAYED, row, self._calls.position(row, tick), int(marks[line]))
        counters.out_tail[rows] = index + 1
        counters.played[rows] = index + 1 - self._dropped[rows]
        for row in rows[index + 1 == counters.out_head[rows]].tolist():
            tell(EventKind.PLAYOUT_IDLE, row, self._calls.position(row, tick + 1), 0)
