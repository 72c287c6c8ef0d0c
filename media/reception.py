"""What arrived of every call's stream: the statistics of RFC 3550 (sections 6.4.1 and A.1, A.3, A.8), one row a call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.losses import LossPattern
from media.rtcp import ReportBlock

MAX_DROPOUT = 3000
MAX_MISORDER = 100
LINE_RATE = 8000

Longs = NDArray[np.int64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Received:
    """A row's stream so far. lost may be negative (duplicates); bursts: how many times packets were missing in a run."""

    expected: int
    received: int
    lost: int
    bursts: int
    jitter_ms: float


class Reception:
    """Statistics of every row's stream."""

    def __init__(self, rows: int) -> None:
        def zeros() -> Longs:
            return np.zeros(rows, np.int64)

        self.losses = LossPattern(rows)
        self._started = np.zeros(rows, np.bool_)
        self._ssrc = np.zeros(rows, np.uint32)
        self._base, self._highest, self._received = zeros(), zeros(), zeros()
        # What streams of the row before this one came to.
        self._expected_before, self._received_before = zeros(), zeros()
        self._expected_prior, self._received_prior = zeros(), zeros()
        self._transit = zeros()
        self._timed = np.zeros(rows, np.bool_)
        self._jitter = np.zeros(rows, np.float64)
        self._bad_next = np.full(rows, -1, np.int64)
        self._last_sr, self._last_sr_at = zeros(), zeros()
        self._order = np.zeros(rows, np.intp)

    def open_row(self, row: int) -> None:
        """A new call: nothing has come."""
        self._started[row] = self._timed[row] = False
        self.losses.open_row(row)
        for counter in (self._received, self._base, self._expected_before, self._received_before):
            counter[row] = 0
        self._highest[row] = -1
        self._expected_prior[row] = self._received_prior[row] = self._last_sr[row] = 0
        self._jitter[row] = 0
        self._bad_next[row] = -1

    def update(
        self,
        rows: Rows,
        sequence: NDArray[np.uint16],
        ssrc: NDArray[np.uint32],
        timestamp: NDArray[np.uint32] | None = None,
        arrival: Longs | None = None,
    ) -> None:
        """Count packets in the order of their arrival. rows: intp, (m,), a row may come again.

        arrival: int64, (m,), in samples at 8 kHz on any clock. Without timestamp and arrival (telephone-events, whose timestamp
        stands still) they do not count for the jitter.
        """
        left = np.arange(len(rows))
        while left.size:
            # Of each row its first packet: backwards, so that the first is written last.
            self._order[rows[left[::-1]]] = left[::-1]
            first = self._order[rows[left]] == left
            now = left[first]
            self._count(rows[now], sequence[now], ssrc[now])
            if timestamp is not None and arrival is not None:
                self._time(rows[now], timestamp[now], arrival[now])
            left = left[~first]

    def _count(self, rows: Rows, sequence: NDArray[np.uint16], ssrc: NDArray[np.uint32]) -> None:
        forward = ((sequence - self._highest[rows] + 0x8000) & 0xFFFF) - 0x8000
        good = self._started[rows] & (ssrc == self._ssrc[rows]) & (forward < MAX_DROPOUT) & (forward > -MAX_MISORDER)
        if not good.all():
            for k in np.flatnonzero(~good).tolist():
                self._doubt(int(rows[k]), int(sequence[k]), int(ssrc[k]))
            rows, forward, sequence = rows[good], forward[good], sequence[good]
        self._received[rows] += 1
        self.losses.received(rows, forward, sequence)
        self._highest[rows] += np.maximum(forward, 0)

    def _doubt(self, row: int, sequence: int, ssrc: int) -> None:
        # Another stream, or a jump: believed when two packets in a row say so (RFC 3550 appendix A.1).
        if self._started[row] and self._bad_next[row] != (ssrc << 16 | sequence):
            self._bad_next[row] = ssrc << 16 | (sequence + 1) & 0xFFFF
            return
        if self._started[row]:
            self._expected_before[row] += self._highest[row] - self._base[row] + 1
            self._received_before[row] += self._received[row]
        self.losses.start(row)
        self._started[row] = True
        self._timed[row] = False
        self._ssrc[row] = ssrc
        self._base[row] = self._highest[row] = sequence
        self._received[row] = 1
        self._bad_next[row] = -1

    def _time(self, rows: Rows, timestamp: NDArray[np.uint32], arrival: Longs) -> None:
        transit = arrival - timestamp
        change = np.abs((transit - self._transit[rows] + 0x80000000) % 0x100000000 - 0x80000000)
        jitter = self._jitter[rows]
        self._jitter[rows] = np.where(self._timed[rows], jitter + (change - jitter) / 16, jitter)
        self._transit[rows] = transit
        self._timed[rows] = True

    def heard_sender_report(self, row: int, middle: int, now: int) -> None:
        """The peer's SR came. middle: the middle 32 bits of its NTP time; now: ours, in 1/65536 s on any clock."""
        self._last_sr[row], self._last_sr_at[row] = middle, now

    def report(self, row: int, now: int) -> ReportBlock | None:
        """The block of a row for our next report, and the beginning of its next interval; None when nothing came.

        now: as in `heard_sender_report`.
        """
        if not self._started[row]:
            return None
        total = self.received(row)
        expected = total.expected - int(self._expected_prior[row])
        lost = expected - (total.received - int(self._received_prior[row]))
        self._expected_prior[row], self._received_prior[row] = total.expected, total.received
        fraction = min(lost * 256 // expected, 255) if expected > 0 and lost > 0 else 0
        last_sr = int(self._last_sr[row])
        delay = (now - int(self._last_sr_at[row])) & 0xFFFFFFFF if last_sr else 0
        highest = int(self._highest[row]) & 0xFFFFFFFF
        return ReportBlock(int(self._ssrc[row]), fraction, total.lost, highest, int(self._jitter[row]), last_sr, delay)

    def source(self, row: int) -> int:
        """The SSRC of the row's stream; of the last one, where there were more."""
        return int(self._ssrc[row])

    def received(self, row: int) -> Received:
        """What the row's streams came to, all of the call together."""
        current = int(self._highest[row] - self._base[row]) + 1 if self._started[row] else 0
        expected = current + int(self._expected_before[row])
        received = int(self._received[row] + self._received_before[row])
        jitter_ms = float(self._jitter[row]) * 1000 / LINE_RATE
        return Received(expected, received, expected - received, int(self.losses.runs[row]), jitter_ms)

    def totals(self) -> tuple[Longs, Longs]:
        """Packets expected and missing of every row so far, int64, (rows,); what came too late is missing, what came twice is not."""
        expected = np.where(self._started, self._highest - self._base + 1, 0) + self._expected_before
        received = self._received + self._received_before - self.losses.duplicate
        return expected, np.maximum(expected - received, 0) + self.losses.late

    def discarded(self, row: int, sequence: int) -> None:
        """A packet that was counted came too late to be heard."""
        self.losses.discarded(row, sequence, int(self._highest[row]))
