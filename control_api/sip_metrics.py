"""The SIP side of `/metrics`: read when it is scraped, from whoever counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class SipFigures:
    """`messages` by direction (`<` in, `>` out) and kind, `dropped` by reason; bans so far and now."""

    messages: Mapping[tuple[str, str], int]
    dropped: Mapping[str, int]
    retransmissions: int
    bans_made: int
    bans: int


class SipCollector(Collector):
    """One round of figures for each scrape."""

    def __init__(self, figures: Callable[[], SipFigures]) -> None:
        self._figures = figures

    def describe(self) -> Iterator[Metric]:
        """The names, without asking for figures."""
        return self._families(SipFigures({}, {}, 0, 0, 0))

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        return self._families(self._figures())

    def _families(self, figures: SipFigures) -> Iterator[Metric]:
        messages = CounterMetricFamily("antiphon_sip_messages", "SIP messages.", labels=("direction", "kind"))
        for (direction, kind), count in sorted(figures.messages.items()):
            messages.add_metric(("in" if direction == "<" else "out", kind), count)
        dropped = CounterMetricFamily("antiphon_sip_dropped", "SIP messages dropped or refused.", labels=("why",))
        for why, count in sorted(figures.dropped.items()):
            dropped.add_metric((why,), count)
        yield messages
        yield dropped
        yield CounterMetricFamily(
            "antiphon_sip_retransmissions", "Messages sent again for want of an answer.", figures.retransmissions
        )
        yield CounterMetricFamily("antiphon_sip_bans", "Addresses that were banned.", figures.bans_made)
        yield GaugeMetricFamily("antiphon_sip_bans_active", "Addresses that are banned now.", figures.bans)
