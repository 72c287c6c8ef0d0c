"""The jitter buffer where a person hears a row too: it waits on a gap for as long as something waits to be played."""

from __future__ import annotations

import numpy as np

from media.jitter import EarJitter
from media.played import ALL, PATIENT, PlayedRows


class Line:
    """One row that is played, fed by packet numbers. What is taken: a number, `L` for a slot to conceal."""

    def __init__(self) -> None:
        self.played = PlayedRows(2)
        self.played.follow(1)
        self.jitter = EarJitter(2, self.played)
        self.jitter.open_row(1)
        self.now = 0

    def play(self, script: str, *, patience: int, stood: int = 0) -> str:
        """Ticks are divided by `|`."""
        self.played.patience[1], self.played.stood[1] = patience, stood
        return "|".join(self._tick([int(number) for number in arrivals.split()]) for arrivals in script.split("|"))

    def _tick(self, numbers: list[int]) -> str:
        for number in numbers:
            payload = np.full((1, 160), number, np.uint8)
            key = np.array([number], np.uint16), np.array([160 * number], np.uint32)
            self.jitter.insert(np.array([1]), *key, payload, self.now)
        taken = self.jitter.take()
        said = ["L"] if taken.lost[1] else [str(taken.payload[1, 0])] if taken.have[1] else []
        while (more := self.jitter.take_more()).rows.size:
            said.append("L" if more.lost[0] else str(more.payload[0, 0]))
        self.now += 1
        return " ".join(said)


def test_a_gap_is_waited_on_while_something_waits_to_be_played() -> None:
    line = Line()
    assert line.play("0|1|3|4|5|6|2", patience=PATIENT) == "0|1|||||2 3 4 5 6"
    assert line.jitter.lost[1] == 0


def test_and_no_longer() -> None:
    line = Line()
    assert line.play("0|1|3|4", patience=PATIENT) == "0|1||"
    assert line.play("5", patience=0) == "L 3 4 5"


def test_what_stood_for_it_already_is_given_at_once() -> None:
    line = Line()
    assert line.play("0||", patience=0) == "0||"
    assert line.play("3|4", patience=0, stood=2) == "L L 3|4"
    assert line.play("8", patience=0, stood=2) == "L L"
    assert line.play("9", patience=0) == "L 8 9"
    # Nothing is being heard: nobody is to wait for the whole of a gap.
    assert line.play("14", patience=0, stood=ALL) == "L L L L 14"
    assert (line.jitter.lost[1], line.jitter.concealed[1]) == (9, 9)


def test_a_row_that_is_not_played_any_more_waits_as_any_other() -> None:
    line = Line()
    line.played.leave(1)
    assert line.play("0|2|3|4", patience=-1) == "0|||L 2 3 4"


def test_what_comes_too_late_is_told_and_what_came_before_is_not() -> None:
    line = Line()
    arrivals = line.played.arrivals
    line.play("0|2", patience=0)
    for _ in range(30):
        line.play("2 2", patience=0)
    arrivals.learn(25)
    # Packet 2 came a tick before its time, and 0 did not.
    assert arrivals.target[1] == 1
    line.play("1", patience=0)
    arrivals.learn(50)
    assert arrivals.target[1] > 20
