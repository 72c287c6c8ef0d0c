"""Events of a call as text: the stream that is read, and the line that is told."""

from __future__ import annotations

from typing import Any

import pytest

from sipserver.commands.watching import outcome, server_sent, told


def test_events_are_read_and_comments_passed_over() -> None:
    lines = [
        'event: status', 'data: {"status": "ringing"}', "",
        ": still here", "",
        "event: note", 'data: {"a":', "data:  1}", "",
        'data: {"b": 2}', "",
    ]  # fmt: skip
    assert list(server_sent(lines)) == [("status", {"status": "ringing"}), ("note", {"a": 1}), ("message", {"b": 2})]


def test_an_event_that_was_cut_off_is_none() -> None:
    assert list(server_sent(["event: status", 'data: {"status": "ringing"}'])) == []


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("status", {"status": "ringing", "endedReason": None}, "status   ringing"),
        ("status", {"status": "failed", "endedReason": "busy"}, "status   failed, busy"),
        ("sip", {"direction": "<", "summary": "180 Ringing"}, "sip      < 180 Ringing"),
        ("speech", {"who": "user", "on": True}, "caller   speaks"),
        ("speech", {"who": "agent", "on": False}, "agent    is silent"),
        ("partial", {"text": "i would"}, "hears    i would …"),
        ("utterance", {"role": "user", "text": "yes", "interrupted": False}, "caller   “yes”"),
        ("utterance", {"role": "assistant", "text": "well", "interrupted": True}, "agent    “well” ✂ interrupted"),
        ("digit", {"digit": "#", "atMs": 12}, "caller   presses #"),
        ("barge_in", {"atMs": 12}, "agent    is interrupted"),
        ("turn", {"latencyMs": 180}, "turn     answered after 180 ms"),
        ("problem", {"part": "tts", "message": "It is late."}, "problem  tts: It is late."),
        (
            "transfer",
            {"label": "desk", "transferStatus": "failed", "failureReason": "busy"},
            "transfer to desk: failed, busy",
        ),
        ("weather", {"sky": "blau"}, 'weather  {"sky": "blau"}'),
        ("turn", {"milliseconds": 180}, 'turn     {"milliseconds": 180}'),
    ],
)
def test_an_event_is_one_line(kind: str, data: dict[str, Any], line: str) -> None:
    assert told(kind, data) == line


CALL: dict[str, Any] = {"status": "queued", "endedReason": None, "startedAt": None, "durationSeconds": None}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "queued"),
        (
            {"status": "completed", "endedReason": "agent_ended", "startedAt": "…", "durationSeconds": 27, "sip": None},
            "completed, agent_ended, 27 s",
        ),
        (
            {"status": "failed", "endedReason": "busy", "sip": {"code": 486, "reason": "Busy Here"}},
            "failed, busy (486 Busy Here)",
        ),
        ({"status": "failed", "endedReason": "error", "sip": {"code": 500, "reason": None}}, "failed, error (500)"),
        (
            {"status": "completed", "endedReason": "agent_ended", "sip": {"code": 200, "reason": "OK"}},
            "completed, agent_ended",
        ),
    ],
)
def test_the_outcome_in_a_few_words(more: dict[str, Any], says: str) -> None:
    assert outcome({**CALL, **more}) == says
