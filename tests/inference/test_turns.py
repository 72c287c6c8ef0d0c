"""Turn taking on a time line: milliseconds, one line for each thing that happens.

<  on | off          the caller begins to speak, falls silent
<  text              what the recogniser makes of it ("!" after it: a whole sentence; "…": it may go on)
>  event             what turn taking decides
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from inference.turns import (
    Dropped,
    EmbeddedJudge,
    Hypothesis,
    Interrupted,
    Judge,
    Pause,
    Speculate,
    SpeculationVoid,
    TurnBegan,
    TurnEvent,
    TurnOver,
    Turns,
)
from sipserver.protocols import TurnSettings

NAMES = {
    TurnBegan: "began",
    Interrupted: "interrupted",
    Speculate: "speculate",
    SpeculationVoid: "void",
    TurnOver: "over",
    Dropped: "dropped",
}


@dataclass
class Line:
    """Runs turn taking along a time line; timers fire exactly when they are due."""

    settings: TurnSettings = field(default_factory=TurnSettings)
    judge: Judge = field(default_factory=EmbeddedJudge)
    over_agent: bool = False

    def run(self, *steps: tuple[int, str], until: int = 40_000) -> list[tuple[int, str]]:
        self.turns = Turns(self.settings, self.judge)
        self.found: list[tuple[int, str]] = []
        self.events: list[TurnEvent] = []
        for at, what in steps:
            self._fire(at)
            self._apply(at, what)
            self._collect(at)
        self._fire(until)
        return self.found

    def _apply(self, at: int, what: str) -> None:
        if what == "on":
            self.turns.speech_started(at * 8, over_agent=self.over_agent)
        elif what == "off":
            self.turns.speech_stopped(at * 8)
        else:
            text = what.rstrip("!…~")
            hypothesis = Hypothesis(text, "!" in what, "…" in what, content="~" not in what)
            self.turns.heard(hypothesis, at * 8)
        self.turns.handle_timer(at * 8)

    def _fire(self, until: int) -> None:
        last = -1
        while (due := self.turns.next_timer()) is not None and due <= until * 8:
            assert due > last, "a timer that fired is due again"
            last = due
            self.turns.handle_timer(due)
            self._collect(due // 8)

    def _collect(self, at: int) -> None:
        while (event := self.turns.next_event()) is not None:
            self.events.append(event)
            self.found.append((at, NAMES[type(event)]))


def decided(found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Without what is only preparation."""
    return [(at, what) for at, what in found if what not in {"speculate", "void"}]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # A complete sentence that was stable during speech ends at `turnEndpointDelay`.
        ([(0, "on"), (400, "yes!"), (700, "off")], [(0, "began"), (800, "over")]),
        # One that became complete late ends when it has been stable for 200 ms.
        ([(0, "on"), (700, "off"), (750, "yes!")], [(0, "began"), (950, "over")]),
        # Anything else after 500 ms of silence; digits and dates after 900 ms.
        ([(0, "on"), (400, "i would"), (700, "off")], [(0, "began"), (1200, "over")]),
        ([(0, "on"), (400, "four seven!…"), (700, "off")], [(0, "began"), (1600, "over")]),
        ([(0, "on"), (700, "off")], [(0, "began"), (1200, "over")]),
        # A pause that is spoken into is none.
        ([(0, "on"), (500, "off"), (900, "on"), (1300, "off")], [(0, "began"), (1800, "over")]),
        # Words that change in the silence make it wait.
        ([(0, "on"), (300, "yes!"), (700, "off"), (750, "yes but")], [(0, "began"), (1200, "over")]),
        # A line that is never silent is answered after 30 s.
        ([(0, "on")], [(0, "began"), (30_000, "over")]),
    ],
)
def test_when_a_turn_ends(steps: list[tuple[int, str]], expected: list[tuple[int, str]]) -> None:
    assert decided(Line().run(*steps)) == expected


def test_the_end_says_how_much_was_spoken() -> None:
    line = Line()
    line.run((0, "on"), (500, "off"), (900, "on"), (1300, "off"))
    assert line.events[-1] == TurnOver(began=0, ended=1300 * 8, speech=900 * 8, over_agent=False)


def test_settings_move_the_end() -> None:
    slow = TurnSettings(endpoint_delay_ms=600)
    assert decided(Line(slow).run((0, "on"), (300, "yes!"), (700, "off"))) == [(0, "began"), (1300, "over")]
    hasty = TurnSettings(fallback_silence_ms=150)
    assert decided(Line(hasty).run((0, "on"), (700, "off"))) == [(0, "began"), (850, "over")]
    indifferent = TurnSettings(eot_threshold=0.0)
    assert decided(Line(indifferent).run((0, "on"), (700, "off"))) == [(0, "began"), (800, "over")]


def test_less_speech_than_the_least_turn_is_none() -> None:
    line = Line(TurnSettings(min_turn_ms=300))
    assert decided(line.run((0, "on"), (200, "off"))) == [(0, "began"), (700, "dropped")]
    assert decided(line.run((0, "on"), (200, "off"), (400, "on"), (500, "off"))) == [(0, "began"), (1000, "over")]


class Doubtful:
    """A judge that becomes surer with every 100 ms of silence."""

    def probability(self, pause: Pause) -> float:
        return (pause.now - pause.since) / 8000

    def asks_again(self, pause: Pause) -> int | None:
        return pause.now + 800


def test_a_judge_is_asked_until_it_is_sure_enough_and_overruled_at_last() -> None:
    sure = Line(TurnSettings(eot_threshold=0.55), Doubtful())
    assert decided(sure.run((0, "on"), (1000, "off"))) == [(0, "began"), (1600, "over")]
    never = Line(TurnSettings(eot_threshold=0.99, fallback_silence_ms=900), Doubtful())
    assert decided(never.run((0, "on"), (1000, "off"))) == [(0, "began"), (1900, "over")]


def test_speculation_starts_early_and_is_void_when_speech_or_words_go_on() -> None:
    found = Line().run((0, "on"), (300, "i"), (500, "off"), (700, "i would"), (800, "on"), (1000, "off"))
    assert found == [
        (0, "began"),
        (600, "speculate"),
        (700, "void"),
        (700, "speculate"),
        (800, "void"),
        (1100, "speculate"),
        (1500, "over"),
    ]
    late = Line(TurnSettings(endpoint_delay_ms=400, speculative_silence_ms=250))
    assert late.run((0, "on"), (500, "off"))[1] == (750, "speculate")


@pytest.mark.parametrize(
    ("steps", "settings", "expected"),
    [
        # Words that are no backchannel take the floor when they have settled.
        ([(0, "on"), (300, "no wait"), (900, "off")], {}, [(0, "began"), (500, "interrupted"), (1400, "over")]),
        # The least interruption counts speech.
        (
            [(0, "on"), (100, "no"), (900, "off")],
            {"min_interruption_ms": 800},
            [(0, "began"), (800, "interrupted"), (1400, "over")],
        ),
        ([(0, "on"), (100, "no"), (400, "off")], {"min_interruption_ms": 800}, [(0, "began"), (900, "over")]),
        # A backchannel never does; words that turn into one do not either.
        ([(0, "on"), (200, "uh huh~"), (600, "off")], {}, [(0, "began"), (1100, "over")]),
        ([(0, "on"), (200, "up"), (300, "uh huh~"), (600, "off")], {}, [(0, "began"), (1100, "over")]),
        # A cough, wordless, is over soon, so that the agent can go on.
        ([(0, "on"), (250, "off")], {}, [(0, "began"), (550, "over")]),
        # Long speech without words is given to the recogniser's verdict.
        ([(0, "on")], {}, [(0, "began"), (3000, "over")]),
    ],
)
def test_when_the_caller_takes_the_floor(
    steps: list[tuple[int, str]], settings: dict[str, int], expected: list[tuple[int, str]]
) -> None:
    assert decided(Line(TurnSettings(**settings), over_agent=True).run(*steps)) == expected  # type: ignore[arg-type]


def test_a_floor_that_was_taken_is_not_taken_twice_and_a_dropped_turn_is_gone() -> None:
    turns = Turns(TurnSettings(), EmbeddedJudge())
    turns.speech_started(0, over_agent=True)
    turns.floor_taken()
    turns.heard(Hypothesis("no wait", content=True), 800)
    turns.handle_timer(8000)
    assert isinstance(turns.next_event(), TurnBegan)
    assert turns.next_event() is None
    assert turns.speaking()
    turns.drop()
    assert not turns.open()
    assert turns.next_timer() is None
