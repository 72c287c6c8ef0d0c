"""Each turn setting of an agent at the bounds of the contract, on the time line of `test_turns`: what it does there, to the millisecond."""

from __future__ import annotations

from typing import Any

import pytest

from inference.turns import Pause
from sipserver.protocols import TurnSettings
from tests.inference.test_turns import Line, decided

Found = list[tuple[int, str]]
BEGAN = (0, "began")
YES: tuple[tuple[int, str], ...] = ((0, "on"), (300, "yes!"), (700, "off"))
"""A whole sentence, known during speech: only the settings hold the answer up."""


class Never:
    """A judge that is never sure."""

    def probability(self, pause: Pause) -> float:
        return 0.0

    def asks_again(self, pause: Pause) -> int | None:
        return None


def turn(*steps: tuple[int, str], over_agent: bool = False, judge: Any = None, **settings: Any) -> Found:
    """What turn taking decides."""
    line = Line(TurnSettings(**settings), over_agent=over_agent)
    if judge is not None:
        line.judge = judge
    return line.run(*steps)


@pytest.mark.parametrize(("delay", "over"), [(50, 750), (100, 800), (2000, 2700)])
def test_endpoint_delay(delay: int, over: int) -> None:
    assert decided(turn(*YES, endpoint_delay_ms=delay)) == [BEGAN, (over, "over")]


@pytest.mark.parametrize(
    ("least", "spoken", "what"),
    [(0, 1, "over"), (50, 49, "dropped"), (50, 50, "over"), (2000, 1999, "dropped"), (2000, 2000, "over")],
)
def test_min_turn_duration(least: int, spoken: int, what: str) -> None:
    found = decided(turn((0, "on"), (spoken, "off"), min_turn_ms=least))
    assert found == [BEGAN, (spoken + 500, what)]


@pytest.mark.parametrize(
    ("least", "spoken", "interrupts"),
    [
        # Words there at 100 ms have settled at 300: with less to wait for, that is when.
        (0, 1500, 300),
        (100, 1500, 300),
        (1000, 999, None),
        (1000, 1001, 1000),
        (2000, 1999, None),
        (2000, 2001, 2000),
    ],
)
def test_min_interruption_duration(least: int, spoken: int, interrupts: int | None) -> None:
    found = decided(turn((0, "on"), (100, "no wait"), (spoken, "off"), over_agent=True, min_interruption_ms=least))
    assert found[1:-1] == ([] if interrupts is None else [(interrupts, "interrupted")])
    assert found[-1] == (spoken + 500, "over")


def test_min_interruption_duration_counts_speech_without_the_pauses() -> None:
    steps = ((0, "on"), (100, "no wait"), (600, "off"), (900, "on"), (2500, "off"))
    found = decided(turn(*steps, over_agent=True, min_interruption_ms=1000))
    assert found == [BEGAN, (1300, "interrupted"), (3000, "over")]


@pytest.mark.parametrize("threshold", [0.0, 0.1, 1.0])
def test_eot_threshold(threshold: float) -> None:
    """At 0 the judge need not be sure of anything, at 1 it has to be certain, which the embedded one is."""
    unsure = decided(turn((0, "on"), (700, "off"), eot_threshold=threshold))
    assert unsure == [BEGAN, (800 if threshold == 0 else 1200, "over")]
    assert decided(turn(*YES, eot_threshold=threshold)) == [BEGAN, (800, "over")]


@pytest.mark.parametrize(
    ("silence", "delay", "speculates"), [(0, 1000, 700), (150, 1000, 850), (5000, 1000, 1700), (5000, 2000, 2700)]
)
def test_speculative_silence(silence: int, delay: int, speculates: int) -> None:
    """It never waits longer than `turnEndpointDelay`."""
    found = turn((0, "on"), (700, "off"), endpoint_delay_ms=delay, speculative_silence_ms=silence)
    assert [at for at, what in found if what == "speculate"] == [speculates]


@pytest.mark.parametrize(("silence", "over"), [(0, 700), (50, 750), (3000, 3700), (10_000, 10_700)])
def test_fallback_silence(silence: int, over: int) -> None:
    """Whatever the judge says, and before `turnEndpointDelay` where it is shorter."""
    assert decided(turn((0, "on"), (700, "off"), judge=Never(), fallback_silence_ms=silence)) == [BEGAN, (over, "over")]


def test_every_setting_of_a_turn_is_held_here() -> None:
    """Those of the tick are in tests/media/stages/test_bargein_bounds.py."""
    here = {
        "endpoint_delay_ms", "min_turn_ms", "min_interruption_ms", "eot_threshold", "speculative_silence_ms",
        "fallback_silence_ms",
    }  # fmt: skip
    assert here | {"activation_threshold", "post_speech_cooldown_ms"} == set(TurnSettings.__slots__)
