"""What a load came to, figure by figure, and which of them are let pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.load.plan import Gates, Plan
from tests.load.run import RECORDINGS, Outcome


@dataclass(frozen=True, slots=True)
class Figure:
    """One line. `passed` None: it is told, and nothing hangs on it."""

    name: str
    found: str
    gate: str = ""
    passed: bool | None = None


def figures(plan: Plan, gates: Gates, outcome: Outcome) -> list[Figure]:
    """All of them."""
    looked_at = min(RECORDINGS, plan.calls)
    return [
        _all("calls that SIPp saw through", outcome.tally.successful, plan.calls),
        _all("rows in the API", len(outcome.calls), plan.calls),
        _misheard(plan, gates, outcome),
        _all("webhooks, signed", outcome.webhooks, plan.calls),
        _all("recordings that ffprobe can read, of those tried", outcome.playable, looked_at),
        _times("INVITE to 200", outcome.tally.answer_ms, gates.answer_p95),
        _times("turns, p95 of each call", _turns(outcome), gates.turn_p95),
        *_streams(gates, outcome),
        Figure("problems that calls tell of", str(sum(len(call["problems"]) for call in outcome.calls))),
        Figure("SIP requests repeated by SIPp", str(outcome.tally.retransmissions)),
        Figure("seconds", f"{outcome.tally.seconds:.0f}"),
    ]


def _all(name: str, found: int, wanted: int) -> Figure:
    return Figure(name, str(found), f"{wanted}", found == wanted)


def _misheard(plan: Plan, gates: Gates, outcome: Outcome) -> Figure:
    missed = plan.calls - outcome.understood
    allowed = int(gates.misheard * plan.calls)
    return Figure("calls not understood to the end", str(missed), f"≤ {allowed}", missed <= allowed)


def _turns(outcome: Outcome) -> list[float]:
    return sorted(call["latency"]["turnP95Ms"] for call in outcome.calls if (call["latency"] or {}).get("turnP95Ms"))


def _times(name: str, values: Sequence[float], gate: float) -> Figure:
    if not values:
        return Figure(name, "none", f"p95 ≤ {gate:g} ms", passed=False)
    p95 = quantile(values, 0.95)
    return Figure(
        name,
        f"p50 {quantile(values, 0.5):.0f}, p95 {p95:.0f}, worst {values[-1]:.0f} ms",
        f"p95 ≤ {gate:g} ms",
        p95 <= gate,
    )


def _streams(gates: Gates, outcome: Outcome) -> list[Figure]:
    streams = outcome.streams
    if streams is None:
        return [Figure("packets that left", "not measured: capturing needs root, tshark and dumpcap")]
    gaps = streams.gaps_ms or (float("inf"),)
    longest = f"p50 {quantile(gaps, 0.5):.0f}, worst {gaps[-1]:.0f} ms"
    return [
        Figure("packets that left", str(streams.packets)),
        _all("packets missing among them", streams.missing, 0),
        Figure(
            "longest time between two, of each call",
            longest,
            f"≤ {gates.longest_gap:g} ms",
            gaps[-1] <= gates.longest_gap,
        ),
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values, one that so many are not above."""
    return values[min(len(values) - 1, int(share * len(values)))]
