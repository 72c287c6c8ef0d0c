"""A call's figures, drawn together from the stages of the tick: for the main process, and for our extended reports."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.call_report import FINDINGS, Finding
from media.ear import Ear
from media.frames import FRAME_MS
from media.losses import G_MIN, Clusters
from media.quality import burst_ratio, conversational, listening, mos, robustness
from media.reception import Received, Reception
from media.rings import RowCounters, RowFigures
from media.rows import CallRows
from media.rtcp import ReportBlock
from media.rtp import Sender
from media.signs import Line, Signs
from media.slots import SLOTS
from media.srtp import SecureRows
from media.worst import WorstWindow
from media.xr import PLC_ENHANCED, VoipMetrics, share, span

OWN_DELAY_MS = 40.0
"""What our packets of 20 ms and the tick add to the way of the voice."""
_SECOND_TICKS = 50
_LONGEST_TRIP = 30.0
"""Seconds: a peer that tells more tells nonsense."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How a row's stream was received. loss: share of packets that were missing when they were needed, 0–1; ratings are R (G.107)."""

    total: Received
    late: int
    loss: float
    clusters: Clusters
    listening: float
    conversational: float


class Figures:
    """`round_trip`: seconds, float64, (rows,), NaN while it is not known."""

    def __init__(
        self, calls: CallRows, sender: Sender, ear: Ear, reception: Reception, signs: Signs, secure: SecureRows,
        counters: RowCounters, figures: RowFigures, source: NDArray[np.bytes_],
    ) -> None:  # fmt: skip
        self._calls = calls
        self._sender = sender
        self._ear = ear
        self._reception = reception
        self._signs = signs
        self._secure = secure
        self._counters = counters
        self._figures = figures
        self._source = source
        self._worst = WorstWindow(len(calls.open))
        self._second = 0
        self.round_trip = np.full(len(calls.open), np.nan)

    def open_row(self, row: int) -> None:
        """A new call."""
        self._worst.open_row(row)
        self.round_trip[row] = np.nan

    def step(self, tick: int) -> None:
        """Once a tick: each second the worst window is looked for."""
        second = tick // _SECOND_TICKS
        if second != self._second:
            self._second = second
            self._worst.step(*self._reception.totals())

    def reported(self, row: int, block: ReportBlock, round_trip: float | None) -> None:
        """The peer's report on our stream, and the seconds there and back that it shows. What it says is bounded, whatever it says."""
        if round_trip is not None and round_trip <= _LONGEST_TRIP:
            self.round_trip[row] = round_trip
        self._figures.sent_reported[row] = 1
        sent = max(1, int(self._sender.packets[row]))
        lost = min(1.0, max(0, block.lost) / sent)
        self._figures.sent_lost[row] = round(lost * 10_000)
        self._figures.sent_jitter_us[row] = min(block.jitter, 80_000) * 125
        self._signs.about_us[row] += 1
        self._signs.lost_percent[row] = 100 * lost

    def rated(self, row: int, score: float) -> None:
        """The mean opinion score that the peer gives our stream, 1–5."""
        self._figures.sent_mos_milli[row] = round(1000 * score)

    def heard(self, row: int) -> Heard | None:
        """How the row's stream was received so far; None where nothing has come."""
        total = self._reception.received(row)
        if not total.received:
            return None
        losses = self._reception.losses
        late = int(losses.late[row])
        loss = min(1.0, (max(0, total.lost) + late) / max(1, total.expected))
        return Heard(total, late, loss, losses.clusters(row), *self._ratings(row, loss, total))

    def extended(self, row: int) -> VoipMetrics | None:
        """What we tell the peer of its stream, where it asks for extended reports; None where nothing has come.

        Nothing is held back to even out delay, so our jitter buffer has none; what comes early is kept as long as it has room.
        """
        heard = self.heard(row)
        if heard is None:
            return None
        total, clusters, trip = heard.total, heard.clusters, self._trip(row)
        expected = max(1, total.expected)
        return VoipMetrics(
            self._reception.source(row),
            loss=share(max(0, total.lost) / expected),
            discarded=share(heard.late / expected),
            burst_density=share(clusters.burst_density),
            gap_density=share(clusters.gap_density),
            burst_ms=span(clusters.burst_packets * FRAME_MS),
            gap_ms=span(clusters.gap_packets * FRAME_MS),
            round_trip_ms=span(1000 * trip),
            end_system_ms=span(OWN_DELAY_MS),
            g_min=G_MIN,
            rating=round(heard.conversational),
            mos_listening=round(10 * mos(heard.listening)),
            mos_conversational=round(10 * mos(heard.conversational)),
            configuration=PLC_ENHANCED,
            buffer_most_ms=SLOTS * FRAME_MS,
            buffer_ever_ms=SLOTS * FRAME_MS,
        )

    def publish(self, row: int, tick: int) -> None:
        """Lay the row's figures where the main process reads them."""
        counters, heard = self._counters, self.heard(row)
        counters.packets_sent[row] = self._sender.packets[row]
        total = self._reception.received(row) if heard is None else heard.total
        counters.packets_received[row] = total.received
        counters.packets_lost[row] = max(0, total.lost)
        counters.packets_late[row] = self._reception.losses.late[row]
        counters.jitter_us[row] = round(total.jitter_ms * 1000)
        self._publish_findings(row, tick, total.received)
        if heard is not None:
            counters.mos_milli[row] = round(mos(heard.conversational) * 1000)
            self._publish_heard(row, heard)

    def settle(self, row: int) -> None:
        """The call ends: what has not come by now is lost."""
        self._reception.losses.settle(row)

    def _ratings(self, row: int, loss: float, total: Received) -> tuple[float, float]:
        fmt = self._calls.format[row]
        sturdy = robustness(fmt.codec if fmt is not None else None)
        ratio = burst_ratio(max(0, total.lost), total.bursts, loss)
        heard = listening(loss, ratio, sturdy)
        return heard, conversational(heard, OWN_DELAY_MS + total.jitter_ms + 500 * self._trip(row))

    def _trip(self, row: int) -> float:
        """Seconds there and back, 0 while that is not known. One number by itself: `np.nan_to_num` takes twenty times as long."""
        trip = float(self.round_trip[row])
        return 0.0 if math.isnan(trip) else trip

    def _publish_heard(self, row: int, heard: Heard) -> None:
        figures, clusters = self._figures, heard.clusters
        figures.expected[row] = heard.total.expected
        figures.duplicates[row] = self._reception.losses.duplicate[row]
        figures.concealed_ms[row] = FRAME_MS * self._ear.jitter.made_up(row)
        figures.burst_share[row] = round(clusters.burst_density * 10_000)
        figures.gap_share[row] = round(clusters.gap_density * 10_000)
        figures.burst_ms[row] = round(clusters.burst_packets * FRAME_MS)
        figures.gap_ms[row] = round(clusters.gap_packets * FRAME_MS)
        figures.listening_milli[row] = round(mos(heard.listening) * 1000)
        known = not math.isnan(self.round_trip[row])
        figures.round_trip_us[row] = max(1, round(self._trip(row) * 1_000_000)) if known else 0
        share = float(self._worst.share[row])
        if share >= 0:
            _, rating = self._ratings(row, share, heard.total)
            figures.worst_share[row] = round(min(1.0, share) * 10_000)
            figures.worst_mos_milli[row] = round(mos(rating) * 1000)
            figures.worst_s[row] = self._worst.since[row]

    def _publish_findings(self, row: int, tick: int, received: int) -> None:
        calls, signs = self._calls, self._signs
        line = Line(
            ticks=tick - int(calls.origin[row]) if calls.connected[row] else 0,
            hearing=bool(calls.hearing[row]),
            received=received,
            kept=int(self._ear.jitter.received[row]),
            sent=int(self._sender.packets[row]),
            unauthentic=int(self._secure.refused[row]),
        )
        found = tuple(signs.findings(row, line))
        self._figures.findings[row] = sum(1 << FINDINGS.index(finding) for finding in found)
        told = signs.learnt[row] or Finding.OTHER_ADDRESS in found
        self._source[row] = signs.source[row].encode("ascii") if told else b""
