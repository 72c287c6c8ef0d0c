"""What a finished call comes to, with and without a language model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from inference.engines import Engines
from inference.extraction import CallAnalyst, coerce, schema_of
from inference.llm.base import LlmRequest, LlmUnavailable
from inference.llm.schema import violations
from inference.stt.base import SttCaps
from sipserver.protocols import Agent, ExtractionField, FinishedCall, Utterance

FIELDS = (
    ExtractionField("confirmed", "boolean", "Kept?", required=True),
    ExtractionField("new_day", "date"),
    ExtractionField("mood", "enum", options=("Good", "Bad")),
)
TALK = (
    Utterance("assistant", "Can you make it?", 0, 1000),
    Utterance("user", "yes please", 1500, 2000),
    Utterance("assistant", "Thank you. Goodbye.", 2200, 3000),
)


def call(
    transcript: tuple[Utterance, ...] = TALK, captured: Mapping[str, Any] | None = None, **agent: Any
) -> FinishedCall:
    settings = {"summary_enabled": True, "extraction": FIELDS, **agent}
    return FinishedCall(
        "call-1",
        Agent(id="a", organization_id="o", name="Reminder", **settings),
        transcript,
        captured or {},
        {"customer_number": "+12025550123"},
    )


class Model:
    """A language model that answers extraction."""

    def __init__(self, answer: Mapping[str, Any] | None) -> None:
        self.answer = answer
        self.requests: list[tuple[LlmRequest, Mapping[str, Any]]] = []

    async def extract(self, request: LlmRequest, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        self.requests.append((request, schema))
        if self.answer is None:
            raise LlmUnavailable("HTTP 503")
        return self.answer


class Ears:
    caps = SttCaps("fake", ("en",), open_vocabulary=True, streaming=True, max_sessions=1)


def analyst(model: Model | None = None) -> CallAnalyst:
    return CallAnalyst(Engines(stt=Ears() if model else None, llm=model))  # type: ignore[arg-type]


def test_captured_values_take_the_types_of_the_schema() -> None:
    captured = {"confirmed": True, "new_day": "2027-03-14", "mood": "good", "order": "4711"}
    found = asyncio.run(analyst().analyse(call(captured=captured)))
    assert found.extractions == {"confirmed": True, "new_day": "2027-03-14", "mood": "Good", "order": "4711"}
    assert found.summary == (
        "Call with +12025550123 for Reminder; the caller spoke once. "
        "Learnt: confirmed: true; new_day: 2027-03-14; mood: Good; order: 4711. "
        "The last words were the agent's: “Thank you. Goodbye.”"
    )


def test_what_was_not_captured_is_null_and_no_summary_is_made_unasked() -> None:
    found = asyncio.run(analyst().analyse(call((), summary_enabled=False)))
    assert found.extractions == {"confirmed": None, "new_day": None, "mood": None}
    assert found.summary is None


def test_a_call_without_a_word_is_told_as_such() -> None:
    found = asyncio.run(analyst().analyse(call(())))
    assert found.summary == "Call with +12025550123 for Reminder: the caller said nothing. Nothing was captured."


@pytest.mark.parametrize(
    ("kind", "value", "typed"),
    [
        ("string", 4711, "4711"),
        ("string", True, "true"),
        ("number", "4711", 4711),
        ("number", "1,500.5", 1500.5),
        ("number", "many", None),
        ("boolean", "yes", True),
        ("boolean", False, False),
        ("boolean", "perhaps", None),
        ("date", "2027-03-14T10:00", "2027-03-14"),
        ("date", "tomorrow", None),
        ("enum", "RED", "red"),
        ("enum", "blue", None),
        ("string", None, None),
    ],
)
def test_values_are_brought_to_a_type_or_dropped(kind: Any, value: Any, typed: Any) -> None:
    assert coerce(value, ExtractionField("x", kind, options=("red", "green"))) == typed


def test_a_language_model_reads_the_transcript_and_captured_values_count_first() -> None:
    model = Model({"summary": "A caller kept it.", "extractions": {"confirmed": False, "new_day": None, "mood": "Bad"}})
    found = asyncio.run(analyst(model).analyse(call(captured={"confirmed": True})))
    assert found.summary == "A caller kept it."
    assert found.extractions == {"confirmed": True, "new_day": None, "mood": "Bad"}
    request, schema = model.requests[0]
    assert "Caller: yes please" in request.messages[-1].content
    assert violations({"summary": "x", "extractions": {"confirmed": True, "new_day": None, "mood": None}}, schema) == []
    assert violations({"summary": "x", "extractions": {"confirmed": None, "new_day": 1, "mood": "no"}}, schema) == [
        "answer.extractions.confirmed must be of type boolean",
        "answer.extractions.new_day must be of type ['string', 'null']",
        "answer.extractions.mood must be one of ['Good', 'Bad', None]",
    ]


def test_a_model_that_cannot_be_reached_is_an_oserror_so_that_the_job_is_retried() -> None:
    with pytest.raises(OSError, match="HTTP 503"):
        asyncio.run(analyst(Model(None)).analyse(call()))


def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    model = Model(None)
    found = asyncio.run(analyst(model).analyse(call(extraction=(), summary_enabled=False)))
    assert (found.summary, found.extractions, model.requests) == (None, {}, [])


def test_the_schema_names_what_is_asked_for() -> None:
    schema = schema_of(FIELDS[1:2], summary=False)
    assert schema["properties"]["extractions"]["properties"] == {
        "new_day": {"type": ["string", "null"], "description": "(YYYY-MM-DD)"}
    }
    assert schema["required"] == ["extractions"]
