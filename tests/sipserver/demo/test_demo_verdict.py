"""The demo's verdict: every promise that is broken is noticed, and one broken promise is enough to fail."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from sipserver.demo.receiver import Received
from sipserver.demo.report import show_checks
from sipserver.demo.scenario import CALLER_NUMBER, Heard
from sipserver.demo.verdict import Check, inbound_checks, outbound_checks

SECONDS = 3.0
HEARD = Heard(
    answer=0.02, turns=(0.2,), interruption=0.15, packets=round(SECONDS * 50), gaps=0, jumps=0, ended_by="bye"
)
SAID = {"role": "assistant", "startMs": 0, "endMs": 10, "interrupted": False, "content": "Hello."}
CALL: dict[str, Any] = {
    "id": "a-call",
    "status": "completed",
    "customerNumber": CALLER_NUMBER,
    "endedReason": "agent_ended",
    "analysis": {"extractions": {"wish": "move", "new_day": "2026-11-27", "reminder": True, "confirmed": True}},
    "transcript": [SAID, {**SAID, "interrupted": True, "content": "Please remember to bring your"}],
}
HOOK = Received("msg_1", {"callId": "a-call"}, verified=True, body=b"{}")


def record(path: Path, seconds: float, agent: int = 8000) -> Path:
    """Two tones of 16-bit stereo, 8 kHz."""
    pcm = np.full((round(seconds * 8000), 2), 8000, "<i2")
    pcm[:, 1] = agent
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm.tobytes())
    return path


def broken(checks: list[Check]) -> list[str]:
    return [check.what for check in checks if not check.kept]


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    call = deepcopy(CALL)
    change(call)
    return call


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return record(tmp_path / "call.wav", SECONDS)


def test_a_call_that_went_well_breaks_no_promise(recording: Path) -> None:
    assert broken(inbound_checks(CALL, HEARD, recording, HOOK)) == []
    assert broken(outbound_checks(CALL, HEARD, HOOK)) == []


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        (lambda call: call.update(status="failed"), "the call was answered and completed"),
        (lambda call: call.update(customerNumber="+12025550124"), "the caller's number"),
        (lambda call: call["analysis"]["extractions"].update(wish="callback"), "captured: the wish"),
        (lambda call: call["analysis"]["extractions"].update(new_day="2026-11-26"), "captured: the new day, a Friday"),
        (lambda call: call["analysis"]["extractions"].update(new_day=None), "captured: the new day, a Friday"),
        (lambda call: call["analysis"]["extractions"].update(reminder=False), "the key that was pressed"),
        (lambda call: call["transcript"].pop(), "one utterance was cut, in mid-sentence"),
        (lambda call: call["transcript"].append(call["transcript"][-1]), "one utterance was cut, in mid-sentence"),
        (lambda call: call["transcript"][1].update(content="All."), "one utterance was cut, in mid-sentence"),
        (lambda call: call.update(endedReason="customer_ended"), "the agent ended the call (BYE)"),
        (lambda call: call.update(id="another"), "it tells of this call"),
    ],
)
def test_what_the_api_tells_otherwise_is_noticed(
    change: Callable[[dict[str, Any]], Any], promise: str, recording: Path
) -> None:
    assert broken(inbound_checks(changed(change), HEARD, recording, HOOK)) == [promise]


def test_a_call_without_its_analysis_is_noticed(recording: Path) -> None:
    checks = inbound_checks({**CALL, "analysis": None}, HEARD, recording, HOOK)
    assert len(broken(checks)) == 3


@pytest.mark.parametrize(
    ("heard", "promise"),
    [
        (replace(HEARD, ended_by="lost"), "the agent ended the call (BYE)"),
        (replace(HEARD, gaps=1), "no gap, no timestamp jump"),
        (replace(HEARD, jumps=1), "no gap, no timestamp jump"),
        (replace(HEARD, packets=HEARD.packets + 6), "the recording is as long as the call"),
    ],
)
def test_what_the_wire_tells_otherwise_is_noticed(heard: Heard, promise: str, recording: Path) -> None:
    assert broken(inbound_checks(CALL, heard, recording, HOOK)) == [promise]


def test_a_recording_that_is_too_short_or_half_silent_is_noticed(tmp_path: Path) -> None:
    short = record(tmp_path / "short.wav", SECONDS - 0.2)
    assert broken(inbound_checks(CALL, HEARD, short, HOOK)) == ["the recording is as long as the call"]
    half = record(tmp_path / "half.wav", SECONDS, agent=3)
    assert broken(inbound_checks(CALL, HEARD, half, HOOK)) == ["both sides are on the recording"]


def test_a_webhook_that_is_missing_or_forged_is_noticed(recording: Path) -> None:
    came = "the webhook came, its signature is good"
    assert broken(inbound_checks(CALL, HEARD, recording, None)) == [came, "it tells of this call"]
    assert broken(inbound_checks(CALL, HEARD, recording, replace(HOOK, verified=False))) == [came]
    assert broken(outbound_checks(CALL, HEARD, None)) == [came]
    assert broken(outbound_checks(CALL, HEARD, replace(HOOK, verified=False))) == [came]


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        (lambda call: call.update(status="no_answer"), "the call was placed and completed"),
        (lambda call: call["analysis"]["extractions"].update(confirmed=None), "captured: the appointment is kept"),
        (lambda call: call.update(endedReason="media_timeout"), "the agent ended the call (BYE)"),
    ],
)
def test_an_outbound_call_that_went_otherwise_is_noticed(change: Callable[[dict[str, Any]], Any], promise: str) -> None:
    assert broken(outbound_checks(changed(change), HEARD, HOOK)) == [promise]


def test_one_broken_promise_fails_the_demo_and_is_counted() -> None:
    console = Console(file=io.StringIO(), width=80)
    kept, lost = Check("it rang", True, "yes"), Check("it was answered", False, "no")
    assert show_checks(console, {"a call": [kept]})
    assert not show_checks(console, {"a call": [kept], "another": [kept, lost]})
    assert not show_checks(console, {})
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "✗ it was answered" in text
    assert "1 of 3 promises were not kept." in text
