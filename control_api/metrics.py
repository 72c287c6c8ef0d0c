"""What Prometheus scrapes at `/metrics`: calls, their turns, the queue, webhooks."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from control_api.quality_metrics import QualityMetrics
from control_api.sip_metrics import SipCollector, SipFigures
from sipserver.protocols import LiveEvent

FINAL = ("completed", "failed", "no_answer")
TURN_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)


class Metrics:
    """One registry for one server. `observe` is fed the live events of every call."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(
        self,
        live: Callable[[], int],
        capacity: Callable[[], int],
        sip: Callable[[], SipFigures] | None = None,
    ) -> None:
        self._registry = CollectorRegistry()
        if sip is not None:
            self._registry.register(SipCollector(sip))
        self._ended = Counter(
            "antiphon_calls_ended", "Calls that are over.", ("status", "reason"), registry=self._registry
        )
        self._answered = Counter("antiphon_calls_answered", "Calls that were answered.", registry=self._registry)
        self._turns = Histogram(
            "antiphon_turn_seconds",
            "From the caller's last sample to the agent's first, on the wire.",
            buckets=TURN_BUCKETS,
            registry=self._registry,
        )
        self._interruptions = Counter(
            "antiphon_barge_ins", "Times a caller interrupted the agent.", registry=self._registry
        )
        self._problems = Counter("antiphon_problems", "Problems noted in calls.", ("part",), registry=self._registry)
        self._quality = QualityMetrics(self._registry)
        Gauge("antiphon_calls_live", "Calls on this node now.", registry=self._registry).set_function(live)
        Gauge("antiphon_calls_room", "Calls that this node would still take.", registry=self._registry).set_function(
            capacity
        )

    def observe(self, call_id: str, event: LiveEvent) -> None:
        """Count what happened. `call_id` is no label: there are too many of them."""
        data = event.data
        if event.kind == "status" and data["status"] in FINAL:
            self._ended.labels(data["status"], data.get("endedReason") or "").inc()
        elif event.kind == "status" and data["status"] == "in_progress":
            self._answered.inc()
        elif event.kind == "turn":
            self._turns.observe(data["latencyMs"] / 1000)
        elif event.kind == "barge_in":
            self._interruptions.inc()
        elif event.kind == "problem":
            self._problems.labels(data["part"]).inc()
        elif event.kind == "quality":
            self._quality.observe(data)

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)
