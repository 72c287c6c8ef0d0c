"""The jitter buffer for legs that a machine hears: in order, at once, waiting only where something is missing.

A recogniser needs no even playout, so nothing is held back to even out delay (MEDIA.md section 6). Audio lies in slots of
20 ms by its RTP timestamp, the latest 32 slots (640 ms) of every row, and each tick takes the next slot of every row:

    the next slot is there                        take it
    a later one is there, sequence unbroken       the peer was silent (RFC 3551 section 4.1): go there at once
    a later one is there, sequence broken         wait GAP_TICKS, then conceal, slot after slot; a gap over
                                                  LONG_GAP slots is stepped over
    nothing is there                              wait SILENT_TICKS, then conceal until something comes

`take` gives one slot of each row. A tick then calls `take_more` until it is empty: packets that come late come in heaps, and
whoever takes a heap at once is never behind. Who does not is brought back by dropping: one slot when one has stood
unneeded for STANDING_TICKS, and one each tick while more than OVERFULL are waiting.

Slots lie in cells (`media.slots`) at positions that follow from RTP timestamps (`media.clocks`). A stream that starts anew (another
SSRC, or a timestamp that leaves the clock) goes on at the position at which its packet came. Rows that a person hears too
(`media.played`) wait on a gap for as long as something waits to be played.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from media.assembly import Assembly
from media.clocks import NEVER, PeerClocks
from media.noted import NotedNumbers
from media.played import PlayedRows
from media.slots import SAMPLES, SLOTS, Bools, Longs, More, Octets, Rows, Slots, Taken

GAP_TICKS = 2
LONG_GAP = 10
SILENT_TICKS = 8
STANDING_TICKS = 250
OVERFULL = 12
QUIET_TICKS = 3
"""How long what does not come is waited for once the peer has said that it falls silent: its next word may be late by as much."""
OVERDUE_TICKS = 10
"""How long a stream may bring nothing but what is too late before its clock counts as a new one."""

_DISCARDS = 4096


class EarJitter:
    """The slots of every row, and what became of their packets.

    Counters, int64, (rows,): `received` packets kept; `late`, `duplicate` and `strange` (of a stream that is not the row's)
    packets thrown away; `lost` slots missing in a gap; `concealed` slots given as lost, of which the peer had sent nothing in `paused`
    (its sequence ran on unbroken); `skipped` slots dropped to catch up.
    """

    def __init__(self, rows: int, played: PlayedRows | None = None) -> None:
        """played: the rows that a person hears too, with what is known of them; without it there are none."""

        def zeros() -> Longs:
            return np.zeros(rows, np.int64)

        self._played = played or PlayedRows(rows)
        self._arrivals = self._played.arrivals
        # Slots of a gap that are to be given as lost in this tick, beside the one of `take`.
        self._owed = zeros()
        self._slots, self._clocks, self._noted = Slots(rows), PeerClocks(rows), NotedNumbers()
        self._line_of = np.zeros(rows, np.intp)
        self._open = np.zeros(rows, np.bool_)
        self._started = np.zeros(rows, np.bool_)
        self._next, self._highest = zeros(), zeros()
        # The sequence number of the slot taken last, and of the packet kept last.
        self._sequence, self._newest = zeros(), zeros()
        # How many ticks the next slot has been missed for, with later ones there and without.
        self._waited, self._silent = zeros(), zeros()
        self._spare, self._least_spare = zeros(), zeros()
        self._ticks = 0
        self._overdue_since = zeros()
        self._assembly: dict[int, Assembly] = {}
        self.received, self.late, self.duplicate, self.strange = zeros(), zeros(), zeros(), zeros()
        self.lost, self.concealed, self.skipped, self.paused = zeros(), zeros(), zeros(), zeros()
        self.discards: deque[tuple[int, int]] = deque(maxlen=_DISCARDS)
        """Row and sequence number of packets that came too late, until somebody takes them."""
        self._taken = Taken(
            np.zeros((rows, SAMPLES), np.uint8), np.zeros(rows, np.bool_), np.zeros(rows, np.bool_), zeros()
        )

    def open_row(self, row: int) -> None:
        """The row is taken by a new call: nothing has come yet, every counter is 0."""
        self.close_row(row)
        self._open[row] = True
        self._slots.clear(row)
        for counter in (self.received, self.late, self.duplicate, self.strange):
            counter[row] = 0
        for counter in (self.lost, self.concealed, self.skipped, self.paused):
            counter[row] = 0

    def close_row(self, row: int) -> None:
        """Nothing more is kept or taken; the counters stay readable until the row is opened again."""
        self._open[row] = self._started[row] = False
        self._assembly.pop(row, None)
        self._noted.forget(row)

    # -- in ---------------------------------------------------------------------------------------------------------

    def insert(
        self,
        rows: Rows,
        sequence: NDArray[np.uint16],
        timestamp: NDArray[np.uint32],
        payload: Octets,
        now: int,
        ssrc: NDArray[np.uint32] | None = None,
    ) -> None:
        """Keep packets of 20 ms that came since the last tick. rows: intp, (m,), any order, a row may come again.

        payload: uint8, (m, 160). now: the tick. Without `ssrc` every packet counts as one of the row's stream.
        """
        again = self._come_again(rows)
        if again.any():
            for part in (~again, again):
                sources = None if ssrc is None else ssrc[part]
                self.insert(rows[part], sequence[part], timestamp[part], payload[part], now, sources)
            return
        self._start_rows(rows, sequence, timestamp, now, ssrc)
        position = self._clocks.positions(rows, timestamp)
        slot, offset = np.divmod(position - self._clocks.phase[rows], SAMPLES)
        plain = (offset == 0) & self._in_time(rows, slot) & self._started[rows]
        plain &= self._clocks.on_clock(rows, position, now)
        if ssrc is not None:
            plain &= self._clocks.are_of(rows, ssrc)
        if plain.all():
            self._count(rows, self._keep(rows, slot, sequence, payload, now))
            return
        few = rows[plain]
        self._count(few, self._keep(few, slot[plain], sequence[plain], payload[plain], now))
        for k in np.flatnonzero(~plain).tolist():
            source = None if ssrc is None else int(ssrc[k])
            self.insert_packet(int(rows[k]), int(sequence[k]), int(timestamp[k]), payload[k].tobytes(), now, source)

    def insert_packet(
        self, row: int, sequence: int, timestamp: int, payload: bytes, now: int, ssrc: int | None = None
    ) -> None:
        """Keep one packet of any length: one octet is one sample. The slow path of `insert`."""
        if not self._open[row] or not payload:
            return
        if not self._started[row]:
            self._start(row, sequence, timestamp, now, ssrc)
        position = self._clocks.position(row, timestamp)
        if self._clocks.is_strange(row, position, now, ssrc):
            if not self._clocks.confirms(row, sequence):
                self.strange[row] += 1
                return
            position = self._restart(row, sequence, timestamp, now, ssrc)
        if self._is_late(row, position + len(payload) - 1):
            if not self._is_overdue(row, sequence, now):
                self.late[row] += 1
                self._tell_late(row, position, now)
                self.discards.append((row, sequence))
                return
            position = self._restart(row, sequence, timestamp, now, ssrc)
        self._lay(row, position, sequence, payload, now)

    def _come_again(self, rows: Rows) -> Bools:
        """Which lines are of a row that an earlier line is of."""
        lines = np.arange(len(rows))
        self._line_of[rows[::-1]] = lines[::-1]
        again: Bools = self._line_of[rows] != lines
        return again

    def _start_rows(
        self,
        rows: Rows,
        sequence: NDArray[np.uint16],
        timestamp: NDArray[np.uint32],
        now: int,
        ssrc: NDArray[np.uint32] | None,
    ) -> None:
        for k in np.flatnonzero(~self._started[rows] & self._open[rows]).tolist():
            source = None if ssrc is None else int(ssrc[k])
            self._start(int(rows[k]), int(sequence[k]), int(timestamp[k]), now, source)

    def _start(self, row: int, sequence: int, timestamp: int, now: int, ssrc: int | None) -> None:
        self._started[row] = True
        self._clocks.start(row, timestamp, now, ssrc)
        self._next[row] = 0
        self._highest[row] = self._overdue_since[row] = NEVER
        self._sequence[row] = self._newest[row] = (sequence - 1) & 0xFFFF
        self._waited[row] = self._silent[row] = self._spare[row] = self._least_spare[row] = self._owed[row] = 0
        self._arrivals.restart(row)

    def _in_time(self, rows: Rows, slot: Longs) -> Bools:
        early: Bools = slot < np.maximum(self._next[rows], self._highest[rows] - SLOTS + 1)
        return ~early

    def _keep(self, rows: Rows, slot: Longs, sequence: NDArray[np.uint16], payload: Octets, now: int) -> Bools:
        """Lay slots into their cells; returns which of them were new."""
        cell = self._slots.cells(rows, slot)
        fresh: Bools = ~self._slots.are_there(cell, slot)
        if not fresh.all():
            rows, slot, cell, sequence, payload = rows[fresh], slot[fresh], cell[fresh], sequence[fresh], payload[fresh]
        if self._arrivals.any:
            self._arrivals.came(rows, slot, now)
        self._slots.keep(cell, slot, sequence, payload)
        self._highest[rows] = np.maximum(self._highest[rows], slot)
        self._newest[rows] = sequence
        self._clocks.strange_next[rows] = self._overdue_since[rows] = NEVER
        return fresh

    def _count(self, rows: Rows, fresh: Bools) -> None:
        self.received[rows] += fresh
        self.duplicate[rows] += ~fresh

    # -- one packet ---------------------------------------------------------------------------------------------------

    def _is_late(self, row: int, last: int) -> bool:
        slot = (last - self._clocks.phase[row]) // SAMPLES
        return bool(slot < self._next[row] or slot <= self._highest[row] - SLOTS)

    def _is_overdue(self, row: int, sequence: int, now: int) -> bool:
        # A packet that is newer than all others and yet too late: the peer's clock stood still, as in a hold.
        if not 0 < (sequence - int(self._newest[row])) & 0xFFFF < 0x8000:
            return False
        if self._overdue_since[row] < 0:
            self._overdue_since[row] = now
        return bool(now - self._overdue_since[row] >= OVERDUE_TICKS)

    def _restart(self, row: int, sequence: int, timestamp: int, now: int, ssrc: int | None) -> int:
        phase = int(self._clocks.phase[row])
        slot = max((self._clocks.now(row, now) - phase) // SAMPLES, int(max(self._next[row], self._highest[row] + 1)))
        self._clocks.restart(row, timestamp, slot * SAMPLES + phase, ssrc)
        self._arrivals.restart(row)
        if self._highest[row] < self._next[row]:
            self._sequence[row] = (sequence - 1) & 0xFFFF
        return slot * SAMPLES + phase

    def _lay(self, row: int, position: int, sequence: int, payload: bytes, now: int) -> None:
        slot, offset = divmod(position - int(self._clocks.phase[row]), SAMPLES)
        assembly = self._assembly.get(row)
        if offset and (assembly is None or slot not in assembly) and slot > self._highest[row]:
            # A talkspurt may begin anywhere: from here on the slots begin with it.
            self._clocks.phase[row] = position % SAMPLES
            slot, offset = position // SAMPLES, 0
        if assembly is None:
            assembly = self._assembly[row] = Assembly()
        fresh = [
            self._keep_slot(row, whole, sequence, octets, now) for whole, octets in assembly.add(slot, offset, payload)
        ]
        if any(fresh) or not fresh:
            self.received[row] += 1
        else:
            self.duplicate[row] += 1

    def _keep_slot(self, row: int, slot: int, sequence: int, octets: bytes, now: int) -> bool:
        rows, slots = np.array([row]), np.array([slot])
        if not self._in_time(rows, slots)[0]:
            return False
        line = np.frombuffer(octets, np.uint8)[None]
        return bool(self._keep(rows, slots, np.array([sequence], np.uint16), line, now)[0])

    def _tell_late(self, row: int, position: int, now: int) -> None:
        """What came too late, and is not what came in time already, says how late packets come."""
        slot = (position - int(self._clocks.phase[row])) // SAMPLES
        if self._arrivals.any and not self._slots.is_there(row, slot):
            self._arrivals.came(np.array([row]), np.array([slot]), now)

    # -- out ----------------------------------------------------------------------------------------------------------

    def take(self) -> Taken:
        """The next slot of every row, or that it is lost, or that there is none yet."""
        self._drop_what_stands()
        taken = self._taken
        have, position = taken.have, taken.position
        self._slots.are_there(self._slots.every_cell(self._next), self._next, out=have)
        have &= self._started
        taken.lost[:] = False
        missing = np.flatnonzero(self._started & ~have)
        if missing.size:
            self._miss(missing, taken)
        cells = self._slots.every_cell(self._next)
        np.take(self._slots.payload, cells, axis=0, out=taken.payload, mode="clip")
        np.multiply(self._next, SAMPLES, out=position)
        position += self._clocks.phase
        again = have & (self._silent > SILENT_TICKS)
        if again.any():
            self._excuse(np.flatnonzero(again), cells)
        np.copyto(self._sequence, self._slots.sequence.take(cells), where=have)
        self._waited[have] = self._silent[have] = 0
        self.concealed += taken.lost
        self._next += have | taken.lost
        np.subtract(self._highest + 1, self._next, out=self._spare)
        return taken

    def peek(self, row: int, after: int) -> bytes | None:
        """What lies in the slot that is so many after the next one; None where it has not come."""
        slot = int(self._next[row]) + after
        return self._slots.octets(row, slot) if self._started[row] and self._slots.is_there(row, slot) else None

    def drop(self, row: int) -> None:
        """Forget what waits in a row: whoever would take it can no longer read it. The row's time goes on."""
        self._next[row] = max(self._next[row], self._highest[row] + 1)
        self._owed[row] = 0
        self._slots.clear(row)
        self._assembly.pop(row, None)

    def note(self, row: int, sequence: int) -> None:
        """A packet of the row's stream that is no audio (a key, comfort noise) had this number: it is not missing."""
        self._noted.add(row, sequence)

    def fall_silent(self, row: int) -> None:
        """The peer said that nothing comes for now: what the row would wait for is given as lost after QUIET_TICKS."""
        self._silent[row] = max(int(self._silent[row]), SILENT_TICKS - QUIET_TICKS)

    def take_more(self) -> More:
        """A further slot of every row whose next slot is there already."""
        cells = self._slots.every_cell(self._next)
        there = self._slots.are_there(cells, self._next) & self._started
        owed = self._owed > 0 if self._played.any else None
        rows = np.flatnonzero(there if owed is None else there | owed)
        cell = cells[rows]
        position = self._next[rows] * SAMPLES + self._clocks.phase[rows]
        lost = np.zeros(len(rows), np.bool_) if owed is None else owed[rows]
        self._sequence[rows] = np.where(lost, self._sequence[rows], self._slots.sequence[cell])
        self._next[rows] += 1
        self._spare[rows] -= 1
        if owed is not None:
            self._give_owed(rows[lost])
        return More(rows, self._slots.payload[cell], position, lost)

    def _give_owed(self, rows: Rows) -> None:
        self._owed[rows] -= 1
        self.lost[rows] += 1
        self.concealed[rows] += 1

    def excuse(self, row: int) -> None:
        """The peer was not to send until now: the silence so far is no loss."""
        self.paused[row] += max(0, int(self._silent[row]) - SILENT_TICKS)
        self._silent[row] = min(int(self._silent[row]), SILENT_TICKS)

    def made_up(self, row: int) -> int:
        """Slots that stood for packets which are missing; a silence that lasts still is not judged yet."""
        silent = max(0, int(self._silent[row]) - SILENT_TICKS) if self._started[row] else 0
        return int(self.concealed[row] - self.paused[row]) - silent

    def _excuse(self, rows: Rows, cells: Rows) -> None:
        # The stream goes on after a silence: with the next number, so nothing was sent in it.
        steps = self._steps(rows, cells[rows])
        self.paused[rows] += np.where(steps == 1, self._silent[rows] - SILENT_TICKS, 0)

    def _drop_what_stands(self) -> None:
        # What `take` and `take_more` left of the last tick: the delay that this reader bears.
        np.minimum(self._least_spare, self._spare, out=self._least_spare)
        drop = self._spare > OVERFULL
        self._ticks += 1
        if self._ticks % STANDING_TICKS == 0:
            drop |= self._least_spare > 0
            self._least_spare[:] = SLOTS
        # Who waits on a gap has more behind it than it bears.
        drop &= self._started & (self._waited == 0)
        if drop.any():
            self._next += drop
            self.skipped += drop

    def _miss(self, missing: Rows, taken: Taken) -> None:
        later = self._highest[missing] >= self._next[missing]
        silent, gap = missing[~later], missing[later]
        self._silent[silent] += 1
        taken.lost[silent] = self._silent[silent] > SILENT_TICKS
        if gap.size:
            self._waited[gap] += 1
            self._cross(gap, taken)

    def _steps(self, rows: Rows, cells: Rows) -> Longs:
        """How many packets of audio on from the slot taken last those in `cells` are; 1 where none is missing."""
        steps: Longs = (self._slots.sequence[cells] - self._sequence[rows]) & 0xFFFF
        if self._noted:
            steps -= self._noted.between(rows, self._sequence[rows], steps)
        return steps

    def _cross(self, gap: Rows, taken: Taken) -> None:
        after = self._next[gap]
        ahead = self._slots.earliest(gap, after)
        unbroken = self._steps(gap, self._slots.cells(gap, ahead)) == 1
        patience = self._played.patience[gap]
        ripe = self._waited[gap] > np.where(patience < 0, GAP_TICKS, patience)
        step = unbroken | (ripe & (ahead - after > LONG_GAP))
        conceal = ripe & ~step
        if self._played.any:
            self._owed[gap] = np.where(conceal, np.minimum(self._played.stood[gap], ahead - after) - 1, 0)
        self._next[gap] = np.where(step, ahead, after)
        self.lost[gap] += np.where(unbroken, 0, np.where(step, ahead - after, conceal))
        taken.have[gap] = step
        taken.lost[gap] = conceal
