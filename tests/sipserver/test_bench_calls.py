"""The bench of whole calls: its arithmetic, its script, and two calls for a moment."""

from __future__ import annotations

import pytest

from inference.script import read_script
from media.bench.capture import Capture
from sipserver.bench.calls import SCRIPT, bench_calls, costs
from sipserver.bench.captured import longest_gap_ms


def test_what_each_part_cost_is_told_for_each_call_and_all_together() -> None:
    before, after = {"main": 10.0, "media": 1.0}, {"main": 12.0, "media": 2.0, "speech": 5.0}
    figures = costs(before, after, 10.0, 4)
    assert figures["core_per_call"] == {"main": 0.05, "media": 0.025, "speech": 0.125, "all": 0.2}
    assert figures["calls_per_core"] == 5


def test_the_longest_time_between_two_packets() -> None:
    capture = Capture()
    for at in (0, 20, 55, 75):
        capture.add(at * 1_000_000, 0, 0)
    assert longest_gap_ms(capture) == 35
    assert longest_gap_ms(Capture()) == 0


def test_the_script_never_ends() -> None:
    script = read_script(SCRIPT)
    assert all(
        step.listen[0].go in script.steps and step.otherwise.go in script.steps for step in script.steps.values()
    )


def test_two_calls_are_answered_heard_and_counted() -> None:
    figures = bench_calls(2, 1.0, rate=50, warm_up=0.5)
    assert (figures["calls"], figures["refused"], figures["lost_calls"]) == (2, [], 0)
    assert figures["packets_seen"] > 60
    assert figures["sequence_gaps"] == 0
    assert figures["answer_ms"]["p50"] > 0
    assert set(figures["core_per_call"]) == {"main", "media", "speech", "all"}
    assert figures["core_per_call"]["all"] == pytest.approx(1 / figures["calls_per_core"], rel=0.1)
