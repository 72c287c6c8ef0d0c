"""A call's media figures as the contract's JSON: what is kept of a call, shown in the API and told to those who watch."""

from __future__ import annotations

from typing import Any

from media.call_report import Heard, HeardByPeer, MediaQuality, WorstSeconds


def quality_fields(quality: MediaQuality) -> dict[str, Any]:
    """The fields of `models.call.Quality` beyond the contract's four."""
    heard = quality.heard
    return {
        "mosListening": heard.mos_listening if heard else None,
        "roundTripMs": quality.round_trip_ms,
        "concealedMs": heard.concealed_ms if heard else None,
        "heard": _heard(heard) if heard else None,
        "worstTenSeconds": _worst(quality.worst) if quality.worst else None,
        "heardByPeer": _by_peer(quality.peer) if quality.peer else None,
        "findings": [str(finding) for finding in quality.findings],
        "mediaSource": quality.source,
    }


def _heard(heard: Heard) -> dict[str, Any]:
    return {
        "packetsExpected": heard.packets_expected,
        "packetsDuplicate": heard.packets_duplicate,
        "burstPercent": heard.burst_percent,
        "burstMs": heard.burst_ms,
        "gapPercent": heard.gap_percent,
        "gapMs": heard.gap_ms,
    }


def _worst(worst: WorstSeconds) -> dict[str, Any]:
    return {"mos": worst.mos, "lossPercent": worst.loss_percent, "atSeconds": worst.at_s}


def _by_peer(peer: HeardByPeer) -> dict[str, Any]:
    return {"lossPercent": peer.loss_percent, "jitterMs": peer.jitter_ms, "mos": peer.mos}
