"""What the demo promises, checked one by one against what the API, the wire, the recording and the webhook say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sipserver.demo.picture import samples
from sipserver.demo.receiver import Received
from sipserver.demo.scenario import CALLER_NUMBER, Heard

TOLERANCE = 0.1
"""Seconds by which the recording may differ from what was sent."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it was kept, and what was found."""

    what: str
    kept: bool
    found: str


def inbound_checks(call: Mapping[str, Any], heard: Heard, recording: Path, hook: Received | None) -> list[Check]:
    """The caller's call to the front desk."""
    extractions = (call["analysis"] or {}).get("extractions") or {}
    cut = [item for item in call["transcript"] if item["interrupted"]]
    pcm, rate = samples(recording)
    length = len(pcm) / rate
    return [
        Check("the call was answered and completed", call["status"] == "completed", call["status"]),
        Check("the caller's number", call["customerNumber"] == CALLER_NUMBER, call["customerNumber"]),
        Check("captured: the wish", extractions.get("wish") == "move", str(extractions.get("wish"))),
        Check(
            "captured: the new day, a Friday", _is_friday(extractions.get("new_day")), str(extractions.get("new_day"))
        ),
        Check(
            "the key that was pressed", extractions.get("reminder") is True, f"reminder {extractions.get('reminder')}"
        ),
        Check("one utterance was cut, in mid-sentence", len(cut) == 1 and _mid_sentence(cut[0]), _last_words(cut)),
        Check(
            "the agent ended the call (BYE)",
            _agent_ended(call, heard),
            f"{call['endedReason']}, {heard.ended_by} at the phone",
        ),
        Check(
            "the recording is as long as the call",
            abs(length - heard.audio_seconds) <= TOLERANCE,
            f"{length:.2f} s recorded, {heard.audio_seconds:.2f} s on the wire",
        ),
        Check("both sides are on the recording", _both_speak(pcm), "left caller, right agent"),
        Check("no gap, no timestamp jump", heard.gaps == heard.jumps == 0, f"{heard.packets} packets"),
        Check(
            "the webhook came, its signature is good",
            hook is not None and hook.verified,
            hook.webhook_id if hook else "none",
        ),
        Check("it tells of this call", hook is not None and hook.payload["callId"] == call["id"], call["id"]),
    ]


def outbound_checks(call: Mapping[str, Any], heard: Heard, hook: Received | None) -> list[Check]:
    """The reminder's call to the synthetic callee."""
    extractions = (call["analysis"] or {}).get("extractions") or {}
    return [
        Check("the call was placed and completed", call["status"] == "completed", call["status"]),
        Check(
            "captured: the appointment is kept", extractions.get("confirmed") is True, str(extractions.get("confirmed"))
        ),
        Check(
            "the agent ended the call (BYE)",
            _agent_ended(call, heard),
            f"{call['endedReason']}, {heard.ended_by} at the phone",
        ),
        Check(
            "the webhook came, its signature is good",
            hook is not None and hook.verified,
            hook.webhook_id if hook else "none",
        ),
    ]


def _is_friday(value: object) -> bool:
    try:
        return date.fromisoformat(str(value)).isoweekday() == 5
    except ValueError:
        return False


def _mid_sentence(item: Mapping[str, Any]) -> bool:
    return item["role"] == "assistant" and item["content"][-1:] not in (".", "?", "!", "")


def _last_words(cut: list[dict[str, Any]]) -> str:
    return f"heard up to “…{cut[0]['content'][-40:]}”" if cut else "none"


def _agent_ended(call: Mapping[str, Any], heard: Heard) -> bool:
    return call["endedReason"] == "agent_ended" and heard.ended_by == "bye"


def _both_speak(pcm: Any) -> bool:
    return bool((abs(pcm.astype(int)).max(axis=0) > 2000).all())
