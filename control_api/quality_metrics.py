"""How calls sounded, for `/metrics`: one observation for each call that had media, by codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

_CODECS = frozenset(("PCMU", "PCMA", "G722", "opus", "L16"))
_HISTOGRAMS = (
    ("mos", "Mean opinion score of a conversation (E-model).", "mos", (1.5, 2, 2.5, 3, 3.25, 3.5, 3.75, 4, 4.2, 4.4)),
    ("loss_percent", "Packets lost.", "lossPercent", (0, 0.1, 0.5, 1, 2, 3, 5, 10, 20, 50)),
    ("jitter_seconds", "Interarrival jitter (RFC 3550).", "jitterMs", (0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)),
    ("round_trip_seconds", "Round trip by RTCP.", "roundTripMs", (0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1)),
    ("concealed_seconds", "Audio made up for what was lost.", "concealedMs", (0, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30)),
)


class QualityMetrics:
    """Fed the `quality` event of every call. Labels are bounded: a codec is one that we know, a finding is of our own list."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histograms = [
            (field, Histogram(f"antiphon_media_{name}", text, ("codec",), buckets=buckets, registry=registry))
            for name, text, field, buckets in _HISTOGRAMS
        ]
        self._findings = Counter(
            "antiphon_media_findings", "What was strange about a call's audio.", ("finding",), registry=registry
        )

    def observe(self, quality: Mapping[str, Any]) -> None:
        """Count a call's figures; what is not known of it is not counted."""
        codec = quality["codec"] if quality["codec"] in _CODECS else "other"
        if quality["packetsReceived"]:
            for field, histogram in self._histograms:
                if (value := quality[field]) is not None:
                    histogram.labels(codec).observe(value / 1000 if field.endswith("Ms") else value)
        for finding in quality["findings"]:
            self._findings.labels(finding).inc()
