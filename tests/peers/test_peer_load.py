"""`make load`, small: callers who talk, all at once, through recogniser, script, speech, recording and webhook; and its arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sipserver.bench.sipp import Tally
from tests.load.plan import Gates, Plan
from tests.load.report import figures
from tests.load.run import ENVIRONMENT as LOADED
from tests.load.run import Outcome, load
from tests.load.wire import Streams, streams_of
from tests.peers.capture import needs_capture, needs_ffprobe
from tests.peers.sipp import needs_sipp
from tests.peers.switchboard import Switchboard

ENVIRONMENT = LOADED
PLAN = Plan(calls=3, at_once=3, rate=3)
CALL = {
    "status": "completed",
    "endedReason": "agent_ended",
    "analysis": {"extractions": {}},
    "latency": {"turnP95Ms": 250},
    "problems": [],
}
WELL = Outcome(Tally(3, 0, 0, 12.0, (20.0, 25.0, 900.0)), (CALL,) * 3, 3, 3, Streams(1500, 0, (20.1, 22.0, 30.0)))
EASY = Gates(answer_p95=1000, turn_p95=2000, longest_gap=120, misheard=1.0)


@pytest.mark.peer
@needs_sipp
@needs_ffprobe
@needs_capture[0]
@needs_capture[1]
def test_callers_who_talk_at_the_same_time(switchboard: Switchboard, tmp_path: Path) -> None:
    """How fast it was, and whether everybody was understood, is a figure of a machine that does nothing else: `make load`."""
    outcome = switchboard.run(load(switchboard, PLAN, tmp_path))
    assert (outcome.tally.successful, len(outcome.calls), outcome.webhooks, outcome.playable) == (3, 3, 3, 3)
    assert {call["status"] for call in outcome.calls} == {"completed"}
    assert outcome.streams is not None
    assert (outcome.streams.missing, len(outcome.streams.gaps_ms)) == (0, 3)
    assert outcome.streams.packets > 3 * 50 * 5


def test_a_load_that_went_well_passes_every_gate() -> None:
    assert all(figure.passed in (True, None) for figure in figures(PLAN, EASY, WELL))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"tally": replace(WELL.tally, successful=2)}, "calls that SIPp saw through"),
        ({"tally": replace(WELL.tally, answer_ms=(20.0, 30.0, 1001.0))}, "INVITE to 200"),
        ({"tally": replace(WELL.tally, answer_ms=())}, "INVITE to 200"),
        ({"calls": (CALL,) * 2}, "rows in the API"),
        ({"calls": ({**CALL, "latency": {"turnP95Ms": 2500}},) * 3}, "turns, p95 of each call"),
        ({"webhooks": 2}, "webhooks, signed"),
        ({"playable": 2}, "recordings that ffprobe can read, of those tried"),
        ({"streams": Streams(1499, 1, (20.0, 22.0, 40.0))}, "packets missing among them"),
        ({"streams": Streams(1500, 0, (20.0, 22.0, 121.0))}, "longest time between two, of each call"),
        ({"streams": Streams(0, 0, ())}, "longest time between two, of each call"),
    ],
)
def test_what_is_wrong_fails_its_gate_and_no_other(changed: dict[str, object], name: str) -> None:
    found = figures(PLAN, EASY, replace(WELL, **changed))  # type: ignore[arg-type]
    assert [figure.name for figure in found if figure.passed is False] == [name]


def test_who_was_not_understood_is_counted() -> None:
    missed = next(figure for figure in figures(PLAN, Gates(), WELL) if "understood" in figure.name)
    assert (missed.found, missed.passed) == ("3", False)


def test_gaps_and_missing_packets_are_those_of_each_stream() -> None:
    """A number that wraps is no loss; two streams do not count as gaps of each other."""
    one = [["1", str((65534 + n) % 65536), str(10 + 0.02 * n)] for n in range(4)]
    other = [["2", "7", "10.0"], ["2", "9", "10.045"], ["2", "10", "10.06"]]
    found = streams_of([*one[:2], *other, *one[2:]])
    assert found == Streams(packets=7, missing=1, gaps_ms=(20.0, 45.0))
