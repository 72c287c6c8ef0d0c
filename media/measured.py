"""A call's figures as the main process tells them: read from the shared rows that the tick writes (`media.figures`)."""

from __future__ import annotations

from media.call_report import FINDINGS, Heard, HeardByPeer, MediaQuality, WorstSeconds
from media.rings import RowFigures, SharedRings


def quality_of(rings: SharedRings, row: int) -> MediaQuality:
    """What is known of a row now; it is brought up to date every few seconds, and when the call ends."""
    figures = rings.figures
    trip = int(figures.round_trip_us[row])
    found = int(figures.findings[row])
    return MediaQuality(
        heard=_heard(figures, row),
        worst=_worst(figures, row),
        peer=_peer(figures, row),
        round_trip_ms=trip / 1000 if trip else None,
        findings=tuple(finding for bit, finding in enumerate(FINDINGS) if found >> bit & 1),
        source=bytes(rings.source[row]).decode("ascii") or None,
    )


def _heard(figures: RowFigures, row: int) -> Heard | None:
    if not figures.expected[row]:
        return None
    return Heard(
        packets_expected=int(figures.expected[row]),
        packets_duplicate=int(figures.duplicates[row]),
        concealed_ms=int(figures.concealed_ms[row]),
        burst_percent=int(figures.burst_share[row]) / 100,
        burst_ms=int(figures.burst_ms[row]),
        gap_percent=int(figures.gap_share[row]) / 100,
        gap_ms=int(figures.gap_ms[row]),
        mos_listening=int(figures.listening_milli[row]) / 1000,
    )


def _worst(figures: RowFigures, row: int) -> WorstSeconds | None:
    if not figures.worst_mos_milli[row]:
        return None
    mos, share = int(figures.worst_mos_milli[row]) / 1000, int(figures.worst_share[row]) / 100
    return WorstSeconds(mos, share, int(figures.worst_s[row]))


def _peer(figures: RowFigures, row: int) -> HeardByPeer | None:
    if not figures.sent_reported[row]:
        return None
    mos = int(figures.sent_mos_milli[row])
    jitter = int(figures.sent_jitter_us[row]) / 1000
    return HeardByPeer(int(figures.sent_lost[row]) / 100, jitter, mos / 1000 if mos else None)
