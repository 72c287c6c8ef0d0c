"""The line of a log where nobody needs colours."""

from __future__ import annotations

import pytest

from sipserver.logs import line


def test_time_level_event_and_values_stand_in_one_line() -> None:
    event = {"timestamp": "2026-01-31T12:00:00Z", "level": "info", "event": "call begins", "call_id": "c-1", "calls": 3}
    assert line(None, "", event) == f"2026-01-31T12:00:00Z [info     ] {'call begins':<30} call_id=c-1 calls=3"


@pytest.mark.parametrize("value", ["two words", "a=b", 'a "quote"', "line\nbreak", "\x1b[31m", "", "back\\slash"])
def test_what_could_be_taken_for_something_else_is_quoted(value: str) -> None:
    written = line(None, "", {"event": "sip", "peer": value})
    assert written.endswith(f"peer={value!r}")
    assert written.isprintable()


def test_an_event_of_a_stranger_stays_one_line() -> None:
    assert "\n" not in line(None, "", {"event": "one\ntwo"})


def test_a_traceback_stands_below_its_line() -> None:
    written = line(None, "", {"level": "error", "event": "broken", "exception": "Traceback:\n  here"})
    assert written.split("\n", 1)[1] == "Traceback:\n  here"
